"""A copy of the portal that needs no server: its pages as files whose links lead to each other.

The pages are those that the application gives to a reader who opens the home page, the story, the method and the eight
questions, and all views and files that these offer by links and lists; and of each place and diagnosis with a figure
its view to begin with. Months and quarters stay with the portal itself: they would make ten times as many files.

One view has several addresses, and one file: that of the address its permanent link names. What is not in the copy is
no link, but words that say so.

Here: which pages, and how their addresses become files. Not here: any content of theirs.
"""

import asyncio
import hashlib
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape, unescape
from html.parser import HTMLParser
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from markupsafe import Markup
from starlette.types import ASGIApp, Message

from chu_platform import french
from chu_platform.errors import ChuError
from chu_platform.portal.choices import PERIOD, question_address
from chu_platform.portal.questions import QUESTIONS
from chu_platform.portal.reader import Snapshot
from chu_platform.tables.duckdb_sql import sql_name

STATIC: Final = "/static/"
STATIC_FILES: Final = Path(__file__).parent / "static"
HOME: Final = "index.html"
LISTED: Final = Markup('<details><summary>{}</summary><ul class="choices">{}</ul></details>')
CURRENT: Final = Markup(' aria-current="true"')
BEGIN: Final = ("/", "/recit", "/methode", *(f"/questions/{q.slug}" for q in QUESTIONS))
# Of places and diagnoses of one level so many have a page: the ones with the most events.
MAX_VIEWS: Final = 1000
PERMANENT: Final = re.compile(r'<a id="lien" href="(?P<address>[^"]*)"')
LINK: Final = re.compile(r'<a\b[^>]*? href="(?P<address>/[^"]*)"[^>]*>(?P<content>.*?)</a>', re.DOTALL)
FILES: Final = re.compile(r'<p class="actions">(?P<content>.*?)</p>', re.DOTALL)
MISSING: Final = "pas dans la copie"
ABSENT: Final = '<span class="absent">{}</span> <small class="soft">({})</small>'
NO_FILES: Final = '<p class="small soft">Ces fichiers ne sont pas dans la copie : le portail les donne.</p>'
# Attributes of our own templates: always in double quotes, and escaped.
ADDRESS: Final = re.compile(r'(?P<name> href| src)="(?P<address>/[^"]*)"')
FORM: Final = re.compile(r"<form\b.*?</form>", re.DOTALL)
# What has no meaning in files: PNG and lists by script, and the early loading of a font, which files refuse.
NEEDS_SERVER: Final = re.compile(r'\s*<(?:script src="/static/questions\.js"[^>]*></script>|link rel="preload"[^>]*>)')
SHORT_PERIOD: Final = re.compile(r"\d{4}-.*")
MEDIA_ENDINGS: Final = {"text/csv": ".csv", "application/vnd.apache.parquet": ".parquet", "image/svg+xml": ".svg"}


@dataclass(frozen=True)
class Answer:
    """What the application answers to an address."""

    status: int
    media: str
    body: bytes


@dataclass(frozen=True)
class Alone:
    """The views to begin with of places and diagnoses, by address; how many with a figure were left out."""

    addresses: Sequence[str] = ()
    left_out: int = 0


@dataclass(frozen=True)
class Exported:
    """How much was written."""

    pages: int
    files: int


def views_alone(snapshot: Snapshot, most: int = MAX_VIEWS) -> Alone:
    """Of each place and diagnosis that has at least one figure the view to begin with, at most so many of a level."""
    addresses, left_out = [], 0
    for question in QUESTIONS:
        if "level" not in question.columns or question.table.name not in snapshot.versions:
            continue
        rows = snapshot.rows(
            "SELECT level, code, "
            "row_number() OVER (PARTITION BY level ORDER BY max(events) DESC NULLS LAST, code) AS place "
            f"FROM {sql_name(question.table.name)} WHERE NOT is_masked GROUP BY level, code ORDER BY level, place"
        )
        (x,) = question.parameters
        for row in rows:
            if row["place"] > most:
                left_out += 1
            else:
                addresses.append(question_address(question, {x.name: f"{row['level']}{x.separator}{row['code']}"}))
    return Alone(addresses, left_out)


def export(
    app: ASGIApp, folder: Path, now: datetime, begin: Sequence[str] = BEGIN, alone: Alone | None = None
) -> Exported:
    """Write the copy of the pages to begin with, of all they offer, and of the views alone; `now` is the day it names.

    Raises ChuError when the folder holds something already: nothing is written then.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ChuError(f"{folder} exists and is not an empty folder: nothing was written")
    alone = alone or Alone()
    found = asyncio.run(_walk(app, begin, alone.addresses))
    names: dict[str, str] = {}
    for address, answer in found.items():
        # Of several addresses of a view the first names the file.
        view = _view_of(address, answer)
        names[address] = names.setdefault(view, _file_of(address, answer))
    written: set[str] = set()
    shutil.copytree(STATIC_FILES, folder / "static", dirs_exist_ok=True)
    pages = 0
    for address, answer in found.items():
        if names[address] in written:
            continue
        written.add(names[address])
        path = folder / names[address]
        path.parent.mkdir(parents=True, exist_ok=True)
        if answer.media == "text/html":
            pages += 1
            path.write_text(_page(answer.body.decode(), names[address], names, _notice(now, alone)), encoding="utf-8")
        else:
            path.write_bytes(answer.body)
    return Exported(pages, len(written) - pages)


async def _walk(app: ASGIApp, begin: Sequence[str], alone: Sequence[str]) -> Mapping[str, Answer]:
    """The first pages, all that they offer, and the views alone, by address."""
    first = {address: await _ask(app, address) for address in begin}
    offered = dict.fromkeys(address for page in first.values() for address in _offered(page.body.decode()))
    offered |= dict.fromkeys(alone)
    others = {address: await _ask(app, address) for address in offered if address not in first}
    return {address: answer for address, answer in (first | others).items() if answer.status == HTTPStatus.OK}


def _view_of(address: str, answer: Answer) -> str:
    """The address of a view, which is the same for all that lead to it."""
    found = PERMANENT.search(answer.body.decode()) if answer.media == "text/html" else None
    return unescape(found["address"]) if found else address


def _offered(page: str) -> Iterator[str]:
    """The addresses of the views and files that a page offers."""
    addresses = [unescape(match["address"]).split("#")[0] for match in ADDRESS.finditer(page)]
    for form in FORM.findall(page):
        addresses += [address for _, choices in _choices(form) for _, address, _ in choices]
    for address in addresses:
        parts = urlsplit(address)
        if parts.path.startswith("/questions/") and not _is_short(parts.query):
            yield address


async def _ask(app: ASGIApp, address: str) -> Answer:
    """What a browser would get."""
    parts = urlsplit(address)
    received: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        received.append(message)

    await app(
        {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": parts.path,
            "raw_path": parts.path.encode(),
            "query_string": parts.query.encode(),
            "root_path": "",
            "headers": [(b"host", b"localhost")],
            "client": None,
            "server": ("localhost", 80),
        },
        receive,
        send,
    )
    start = next(m for m in received if m["type"] == "http.response.start")
    media = next((v.decode() for n, v in start["headers"] if n == b"content-type"), "")
    body = b"".join(m.get("body", b"") for m in received if m["type"] == "http.response.body")
    return Answer(start["status"], media.split(";")[0], body)


def _is_short(query: str) -> bool:
    """Whether a view is of a month or a quarter."""
    return bool(SHORT_PERIOD.fullmatch(dict(parse_qsl(query)).get(PERIOD, "")))


def _file_of(address: str, answer: Answer) -> str:
    """The file of an address: readable, and another one for another address."""
    if address == "/":
        return HOME
    parts = urlsplit(address)
    ending = MEDIA_ENDINGS.get(answer.media, ".html")
    path = parts.path.strip("/").removesuffix(ending)
    if not parts.query:
        return f"{path}{ending}"
    readable = re.sub(r"[^A-Za-z0-9]+", "-", "-".join(value for _, value in parse_qsl(parts.query))).strip("-")[:60]
    return f"{path}/{readable}-{hashlib.sha256(address.encode()).hexdigest()[:8]}{ending}"


def _notice(now: datetime, alone: Alone) -> str:
    """What the copy is, and all that it leaves out."""
    left_out = [
        "les mois et les trimestres",
        "la recherche",
        "les vues qui changent plus d’un choix des listes à la fois",
        "pour un établissement ou un diagnostic, les autres périodes, les autres mesures et les fichiers",
        "les lieux et les diagnostics sans aucun chiffre visible",
    ]
    if alone.left_out:
        left_out.append(
            f"{french.counted(alone.left_out, 'lieu ou diagnostic', 'lieux ou diagnostics')} de moindre effectif"
        )
    left_out += ["les images PNG", "le lignage"]
    return french.typeset(
        f'<div class="wrap"><p>Copie du {french.day(now.date())}, sans serveur : elle montre les années et la période '
        "entière, et de chaque lieu ou diagnostic qui a un chiffre la vue par laquelle il commence. "
        "Le portail a de plus : "
        f"{' ; '.join(left_out)}.</p></div>\n</footer>"
    )


def _page(page: str, own: str, names: Mapping[str, str], notice: str) -> str:
    """A page whose links lead to files; what is not in the copy stays as words."""

    def is_there(address: str) -> bool:
        address = unescape(address).partition("#")[0]
        return address.startswith(STATIC) or address in names

    def as_words(match: re.Match[str]) -> str:
        content = match["content"]
        if is_there(match["address"]):
            return match[0]
        # A mark of a chart is drawn without a link; its words stay what they are.
        return content if "<path" in content else ABSENT.format(content, MISSING)

    def files(match: re.Match[str]) -> str:
        addresses = [link["address"] for link in LINK.finditer(match["content"])]
        return match[0] if not addresses or any(map(is_there, addresses)) else NO_FILES

    def to_file(match: re.Match[str]) -> str:
        address, _, fragment = unescape(match["address"]).partition("#")
        target = address.removeprefix("/") if address.startswith(STATIC) else names.get(address)
        if target is None:
            return ""
        relative = os.path.relpath(target, Path(own).parent)
        return f'{match["name"]}="{escape(relative)}{f"#{fragment}" if fragment else ""}"'

    page = FORM.sub(lambda form: _lists(form[0], names), NEEDS_SERVER.sub("", page))
    page = LINK.sub(as_words, FILES.sub(files, page))
    return ADDRESS.sub(to_file, page.replace("</footer>", notice, 1))


def _lists(form: str, names: Mapping[str, str]) -> str:
    """In place of a form, which needs a server, the links that its lists stand for."""
    drawn = []
    for label, choices in _choices(form):
        here = [(text, address, chosen) for text, address, chosen in choices if address in names or chosen]
        if len(here) > 1:
            links = Markup("").join(
                Markup('<li><a href="{}"{}>{}</a></li>').format(address, CURRENT if chosen else "", text)
                for text, address, chosen in here
            )
            drawn.append(LISTED.format(label, links))
    return "".join(drawn)


def _choices(form: str) -> Iterator[tuple[str, list[tuple[str, str, bool]]]]:
    """The lists of a form: label, and (text, address, is chosen) of each option while the other fields stay."""
    fields = _Fields()
    fields.feed(form)
    own = {name: next((v for v, _, chosen in options if chosen), "") for name, options in fields.lists.items()}
    for name, options in fields.lists.items():
        choices = []
        for value, text, chosen in options:
            query = {**own, name: value, **fields.hidden}
            if not _is_short(urlencode(query)):
                choices.append((text, f"{fields.action}?{urlencode(query)}", chosen))
        yield fields.labels.get(name, name), choices


class _Fields(HTMLParser):
    """What a form sends: its lists with their options, and its hidden fields."""

    def __init__(self) -> None:
        super().__init__()
        self.action = ""
        self.hidden: dict[str, str] = {}
        self.labels: dict[str, str] = {}
        self.lists: dict[str, list[tuple[str, str, bool]]] = {}
        self._list = self._text = ""
        self._option: tuple[str, bool] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self._text = ""
        if tag == "form":
            self.action = given.get("action") or ""
        elif tag == "label":
            self._list = (given.get("for") or "").removeprefix("field-")
        elif tag == "select":
            self._list = given.get("name") or ""
            self.lists[self._list] = []
        elif tag == "option":
            self._option = (given.get("value") or "", "selected" in given)
        elif tag == "input" and given.get("type") == "hidden":
            self.hidden[given.get("name") or ""] = given.get("value") or ""

    def handle_data(self, data: str) -> None:
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "label":
            self.labels[self._list] = self._text.strip()
        elif tag == "option" and self._option:
            value, chosen = self._option
            self.lists[self._list].append((value, self._text.strip(), chosen))
