"""A copy of the portal that needs no server: its pages as files whose links lead to each other.

The copy contains the home page, the story, the method and the eight questions. It contains all views and files that
these pages link to or offer in lists, except those of months and quarters, which would be ten times as many. For each
place and diagnosis with a figure, it contains the first view of its page. A view has one file, also if it has several
addresses: two addresses with the same permanent link are the same view. A link to a view that is not in the copy is
replaced by a text that says so.
"""

import hashlib
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from chu_platform import french
from chu_platform.errors import ChuError
from chu_platform.portal import addresses, downloads
from chu_platform.portal.addresses import Addresses, CopiedAddresses, question_address
from chu_platform.portal.app import STATIC_FILES
from chu_platform.portal.choices import Choice, Refused, choose
from chu_platform.portal.readable_periods import is_short
from chu_platform.portal.reader import Snapshot
from chu_platform.portal.rendering import Renderer
from chu_platform.portal.views import view_of, with_figure
from chu_platform.tables.duckdb_sql import sql_name

INDEX: Final = "index.html"
HTML: Final = ".html"
# Of places and diagnoses of one level so many have a page: the ones with the most events.
MAX_VIEWS: Final = 1000


@dataclass(frozen=True)
class OpeningViews:
    """The views that the pages of places and diagnoses open with, by address; how many with a figure are left out."""

    addresses: Sequence[str] = ()
    left_out: int = 0


@dataclass(frozen=True)
class Exported:
    """How much was written."""

    pages: int
    files: int


@dataclass(frozen=True)
class _Target:
    """Where an address leads: a page without parameters, or a view of a question, or a file of that view."""

    path: str
    choice: Choice | None = None
    file: str = ""

    @property
    def view(self) -> str:
        """The address of the view or file, which is the same for all addresses that lead to it."""
        return self.choice.address(self.file) if self.choice else self.path


class _RecordedAddresses(Addresses):
    """Records what the pages of a copy offer; the entries of lists come after the links of their page."""

    served = False

    def __init__(self) -> None:
        self._links: dict[str, None] = {}
        self._entries: dict[str, None] = {}

    @property
    def offered(self) -> Sequence[str]:
        """The views and files of years and of the whole period, in the order of the page."""
        found = dict.fromkeys(address.partition("#")[0] for address in (*self._links, *self._entries))
        return [
            a
            for a in found
            if a.startswith(addresses.QUESTIONS) and not is_short(_parameters(a).get(addresses.PERIOD, ""))
        ]

    def of(self, address: str) -> str:
        """The address, recorded."""
        self._links[address] = None
        return address

    def of_choice(self, address: str) -> str:
        """The address, recorded apart."""
        self._entries[address] = None
        return address


def start_addresses(snapshot: Snapshot) -> Sequence[str]:
    """The home page, the story, the method, care quality and the questions."""
    return [
        addresses.HOME,
        addresses.STORY,
        addresses.METHOD,
        addresses.QUALITY,
        *(question_address(q, {}) for q in snapshot.questions),
    ]


def opening_views(snapshot: Snapshot, most: int = MAX_VIEWS) -> OpeningViews:
    """The opening view of each place and diagnosis that has at least one figure, at most so many of a level."""
    found, left_out = [], 0
    for question in snapshot.questions:
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
                found.append(question_address(question, {x.name: f"{row['level']}{x.separator}{row['code']}"}))
    return OpeningViews(found, left_out)


def export(
    snapshot: Snapshot,
    folder: Path,
    now: datetime,
    start: Sequence[str],
    opening: OpeningViews | None = None,
) -> Exported:
    """Write the copy of the pages `start`, of all they offer, and of the opening views; `now` is the day it names.

    Raises ChuError when the folder holds something already: nothing is written then.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ChuError(f"{folder} exists and is not an empty folder: nothing was written")
    opening = opening or OpeningViews()
    targets = {address: target for address in start if (target := _target(snapshot, address))}
    offered: dict[str, None] = {}
    for target in list(targets.values()):
        recorded = _RecordedAddresses()
        _page(Renderer(recorded), snapshot, target)
        offered |= dict.fromkeys(recorded.offered)
    for address in (*offered, *opening.addresses):
        if address not in targets and (found := _target(snapshot, address)):
            targets[address] = found
    # Of several addresses of a view the first names the file.
    file_of_view: dict[str, str] = {}
    files = {a: file_of_view.setdefault(t.view, _file_name(a, t.file)) for a, t in targets.items()}
    shutil.copytree(STATIC_FILES, folder / "static", dirs_exist_ok=True)
    notice = _notice(now, opening)
    known = {**file_of_view, **files}
    pages = 0
    for name, target in {files[a]: t for a, t in reversed(targets.items())}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if target.choice and target.file:
            path.write_bytes(downloads.file_of(snapshot, view_of(snapshot, target.choice), target.file).content)
        else:
            pages += 1
            renderer = Renderer(CopiedAddresses(name, known), notice)
            path.write_text(_page(renderer, snapshot, target), encoding="utf-8")
    return Exported(pages, len(file_of_view) - pages)


def _parameters(address: str) -> Mapping[str, str]:
    return dict(parse_qsl(urlsplit(address).query))


def _target(snapshot: Snapshot, address: str) -> _Target | None:
    """Where an address leads; None where the portal shows nothing."""
    parts = urlsplit(address)
    if not parts.path.startswith(addresses.QUESTIONS):
        return _Target(parts.path)
    slug, _, file = parts.path.removeprefix(addresses.QUESTIONS).partition("/")
    try:
        choice = with_figure(choose(snapshot, slug, parse_qsl(parts.query, keep_blank_values=True)))
    except Refused:
        return None
    return _Target(parts.path, choice, file)


def _page(renderer: Renderer, snapshot: Snapshot, target: _Target) -> str:
    if target.choice:
        return renderer.question(snapshot, view_of(snapshot, target.choice))
    pages = {
        addresses.HOME: renderer.home,
        addresses.STORY: renderer.story,
        addresses.METHOD: renderer.method,
        addresses.QUALITY: renderer.quality,
    }
    return pages[target.path](snapshot)


def _file_name(address: str, file: str) -> str:
    """The file of an address: readable, and another one for another address."""
    if address == addresses.HOME:
        return INDEX
    parts = urlsplit(address)
    ending = Path(file).suffix or HTML
    path = parts.path.strip("/").removesuffix(ending)
    if not parts.query:
        return f"{path}{ending}"
    readable = re.sub(r"[^A-Za-z0-9]+", "-", "-".join(value for _, value in parse_qsl(parts.query))).strip("-")[:60]
    return f"{path}/{readable}-{hashlib.sha256(address.encode()).hexdigest()[:8]}{ending}"


def _notice(now: datetime, opening: OpeningViews) -> str:
    """What the copy is, and all that it leaves out."""
    left_out = [
        "les mois et les trimestres",
        "la recherche",
        "les vues qui changent plus d’un choix des listes à la fois",
        "pour un établissement ou un diagnostic, les autres périodes, les autres mesures et les fichiers",
        "les lieux et les diagnostics sans aucun chiffre visible",
        "la qualité des soins des sites qui n’ont pas de consultations",
    ]
    if opening.left_out:
        left_out.append(
            f"{french.counted(opening.left_out, 'lieu ou diagnostic', 'lieux ou diagnostics')} de moindre effectif"
        )
    left_out += ["les images PNG", "le lignage"]
    return (
        f"Copie du {french.day(now.date())}, sans serveur : elle montre les années et la période "
        "entière, et de chaque lieu ou diagnostic qui a un chiffre la vue par laquelle il commence. "
        "Le portail a de plus : "
        f"{' ; '.join(left_out)}."
    )
