"""A copy of the portal that needs no server: its pages as files whose links lead to each other.

The pages are those that the application gives to a reader who opens the home page, the story, the method and the eight
questions, and all views and files that these offer by links and lists. Months and quarters stay with the portal itself:
they would make ten times as many files.

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

from chu_platform.errors import ChuError
from chu_platform.portal import french
from chu_platform.portal.choices import PERIOD
from chu_platform.portal.questions import QUESTIONS

STATIC: Final = "/static/"
STATIC_FILES: Final = Path(__file__).parent / "static"
HOME: Final = "index.html"
LISTED: Final = Markup('<details><summary>{}</summary><ul class="choices">{}</ul></details>')
CURRENT: Final = Markup(' aria-current="true"')
BEGIN: Final = ("/", "/recit", "/methode", *(f"/questions/{q.slug}" for q in QUESTIONS))
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
class Exported:
    """How much was written."""

    pages: int
    files: int


def export(app: ASGIApp, folder: Path, now: datetime, begin: Sequence[str] = BEGIN) -> Exported:
    """Write the copy of the pages to begin with and of all they offer; `now` is the day it names.

    Raises ChuError when the folder holds something already: nothing is written then.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ChuError(f"{folder} exists and is not an empty folder: nothing was written")
    found = asyncio.run(_walk(app, begin))
    names = {address: _file_of(address, answer) for address, answer in found.items()}
    shutil.copytree(STATIC_FILES, folder / "static", dirs_exist_ok=True)
    pages = 0
    for address, answer in found.items():
        path = folder / names[address]
        path.parent.mkdir(parents=True, exist_ok=True)
        if answer.media == "text/html":
            pages += 1
            path.write_text(_page(answer.body.decode(), names[address], names, now), encoding="utf-8")
        else:
            path.write_bytes(answer.body)
    return Exported(pages, len(found) - pages)


async def _walk(app: ASGIApp, begin: Sequence[str]) -> Mapping[str, Answer]:
    """The first pages and all that they offer, by address."""
    first = {address: await _ask(app, address) for address in begin}
    offered = dict.fromkeys(address for page in first.values() for address in _offered(page.body.decode()))
    others = {address: await _ask(app, address) for address in offered if address not in first}
    return {address: answer for address, answer in (first | others).items() if answer.status == HTTPStatus.OK}


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


def _page(page: str, own: str, names: Mapping[str, str], now: datetime) -> str:
    """A page whose links lead to files; what is not in the copy stays as words."""

    def to_file(match: re.Match[str]) -> str:
        address, _, fragment = unescape(match["address"]).partition("#")
        target = address.removeprefix("/") if address.startswith(STATIC) else names.get(address)
        if target is None:
            return ' title="Cette vue n’est pas dans la copie."' if match["name"] == " href" else ""
        relative = os.path.relpath(target, Path(own).parent)
        return f'{match["name"]}="{escape(relative)}{f"#{fragment}" if fragment else ""}"'

    page = FORM.sub(lambda form: _lists(form[0], names), NEEDS_SERVER.sub("", page))
    said = (
        f'<div class="wrap"><p>Copie du {french.day(now.date())}, sans serveur : elle montre les années et la période '
        "entière. Les mois, les trimestres et la recherche sont dans le portail.</p></div>\n</footer>"
    )
    return ADDRESS.sub(to_file, page.replace("</footer>", french.typeset(said), 1))


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
