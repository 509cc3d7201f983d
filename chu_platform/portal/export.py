"""A copy of the portal that needs no server: its pages as files whose links lead to each other.

The copy contains the home page, the story, the method and the questions. It contains all views and files that
these pages link to or offer in lists, except those of months and quarters, which would be ten times as many. For each
place and diagnosis with a figure, it contains the first view of its page. A view has one file, also if it has several
addresses: two addresses with the same permanent link are the same view. A link to a view that is not in the copy is
replaced by a text that says so.

A copy can be brought up to date: files whose inputs, code and links are the same stay as they are. The pages that a
copy begins with are always made, because they lead to the others. Many files are made by several processes, each of
which loads the tables itself.
"""

import hashlib
import os
import re
import shutil
import signal
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from datetime import datetime
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from chu_platform import french
from chu_platform.description.described_tables import DescribedCatalogue
from chu_platform.errors import ChuError
from chu_platform.portal import addresses, downloads
from chu_platform.portal.addresses import Addresses, CopiedAddresses, question_address
from chu_platform.portal.app import STATIC_FILES
from chu_platform.portal.choices import Choice, Refused, choose
from chu_platform.portal.export_record import (
    Recorded,
    delete_others,
    hash_of,
    is_as_recorded,
    read_record,
    write_record,
    write_whole,
)
from chu_platform.portal.inputs import inputs_of
from chu_platform.portal.readable_periods import is_short
from chu_platform.portal.reader import Reader, Snapshot
from chu_platform.portal.rendering import Renderer
from chu_platform.portal.views import view_of, with_figure
from chu_platform.storage.store import LakePath
from chu_platform.tables.duckdb_sql import sql_name

INDEX: Final = "index.html"
HTML: Final = ".html"
# Of places and diagnoses of one level so many have a page: the ones with the most events.
MAX_VIEWS: Final = 1000
# The columns by which a place or a diagnosis has more or less.
COUNTED: Final = ("events", "deaths", "period_consultations", "answers", "at_least")
# Another process has to save more time than it takes to load the tables.
MIN_FILES_OF_PROCESS: Final = 100
CHUNK: Final = 20
INTERVAL_SECONDS: Final = 5.0


@dataclass(frozen=True)
class OpeningViews:
    """The views that the pages of places and diagnoses open with, by address; how many with a figure are left out."""

    addresses: Sequence[str] = ()
    left_out: int = 0


@dataclass(frozen=True)
class Exported:
    """How many pages and files a copy has, and how many of both were made; the others were as they should be."""

    pages: int
    files: int
    made: int


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

    def __init__(self, monthly: Collection[str]) -> None:
        """`monthly` are the slugs of the questions that have months only."""
        self._monthly = monthly
        self._links: dict[str, None] = {}
        self._entries: dict[str, None] = {}

    @property
    def offered(self) -> Sequence[str]:
        """The views and files of years and of the whole period, in the order of the page.

        Of a question that has months only, those of the months that the page names.
        """
        found = dict.fromkeys(address.partition("#")[0] for address in (*self._links, *self._entries))
        return [a for a in found if a.startswith(addresses.QUESTIONS) and self._is_kept(a)]

    def _is_kept(self, address: str) -> bool:
        slug = address.removeprefix(addresses.QUESTIONS).partition("?")[0].partition("/")[0]
        return slug in self._monthly or not is_short(_parameters(address).get(addresses.PERIOD, ""))

    def of(self, address: str) -> str:
        """The address, recorded."""
        self._links[address] = None
        return address

    def of_choice(self, address: str) -> str:
        """The address, recorded apart."""
        self._entries[address] = None
        return address


def start_addresses(snapshot: Snapshot) -> Sequence[str]:
    """The home page, the story, the method, care quality, the register of deaths, the needs and the questions."""
    return [
        addresses.HOME,
        addresses.STORY,
        addresses.METHOD,
        addresses.QUALITY,
        addresses.REGISTER,
        addresses.NEEDS,
        addresses.DEFENCE,
        *(question_address(q, {}) for q in snapshot.questions),
    ]


def opening_views(snapshot: Snapshot, most: int = MAX_VIEWS) -> OpeningViews:
    """The opening view of each place and diagnosis that has at least one figure, at most so many of a level."""
    found, left_out = [], 0
    for question in snapshot.questions:
        if "level" not in question.columns or question.table.name not in snapshot.versions:
            continue
        counted = next(c.name for c in question.table.columns if c.name in COUNTED)
        rows = snapshot.rows(
            "SELECT level, code, "
            f"row_number() OVER (PARTITION BY level ORDER BY max({counted}) DESC NULLS LAST, code) AS place "
            f"FROM {sql_name(question.table.name)} WHERE NOT is_masked GROUP BY level, code ORDER BY level, place"
        )
        x = next(p for p in question.parameters if "level" in p.columns)
        # No list and no search of the question leads to these.
        unlisted = {level for level, texts in question.levels.items() if texts.searched and not question.search}
        for row in rows:
            if row["level"] in unlisted:
                continue
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
    lake: LakePath | None = None,
    log_progress: Callable[[str], None] = lambda _: None,
) -> Exported:
    """Write the copy of the pages `start`, of all they offer, and of the opening views; `now` is the day it names.

    `lake` is the root of the lake of the snapshot: with it, several processes work if there is much to do. Raises
    ChuError when the folder holds something that is no copy: nothing is written then.
    """
    before = read_record(folder)
    opening = opening or OpeningViews()
    first = {address: target for address in start if (target := _target(snapshot, address))}
    targets = dict(first)
    offered: dict[str, None] = {}
    monthly = {t.choice.question.slug for t in first.values() if t.choice and t.choice.only_months}
    for target in first.values():
        recorded = _RecordedAddresses(monthly)
        _page(Renderer(recorded), snapshot, target)
        offered |= dict.fromkeys(recorded.offered)
    for address in (*offered, *opening.addresses):
        if address not in targets and (found := _target(snapshot, address)):
            targets[address] = found
    # Of several addresses of a view the first names the file.
    file_of_view: dict[str, str] = {}
    files = {a: file_of_view.setdefault(t.view, _file_name(a, t.file)) for a, t in targets.items()}
    known = {**file_of_view, **files}
    address_of = {files[a]: a for a in reversed(targets)}
    begins = {files[a] for a in first}
    keys = _keys(snapshot, targets, address_of, known, {n: _notice(now, opening, n in begins) for n in address_of})
    to_make = [
        name for name in address_of if name in begins or not is_as_recorded(folder, name, before.get(name), keys[name])
    ]
    log_progress(f"{len(address_of)} pages and files, of which {len(to_make)} are to be made")
    work = _Work(folder, known, _notice(now, opening, True), _notice(now, opening, False), frozenset(begins))
    done = {name: before[name] for name in address_of if name in before}
    try:
        # What a killed export has written belongs to the copy too.
        write_record(folder, {**before, **dict.fromkeys(to_make, Recorded()), **done})
        _copy_static(folder / "static")
        progress = _Progress(len(to_make), log_progress)
        for name, content in _make(snapshot, work, [(name, address_of[name]) for name in to_make], lake):
            done[name] = Recorded(keys[name], content)
            progress.step()
    finally:
        write_record(folder, {**before, **dict.fromkeys(to_make, Recorded()), **done})
    delete_others(folder, before, address_of)
    write_record(folder, done)
    pages = sum(not targets[address].file for address in address_of.values())
    return Exported(pages, len(address_of) - pages, len(to_make))


@dataclass(frozen=True)
class _Work:
    """What making the files of a copy needs, beside the snapshot: the folder, the file of each address, the notices."""

    folder: Path
    known: Mapping[str, str]
    first_notice: str
    notice: str
    begins: frozenset[str]

    def write(self, snapshot: Snapshot, name: str, address: str) -> str:
        """Write a file; returns the hash of its content."""
        target = _target(snapshot, address)
        assert target, f"{address} is not in the tables"
        if target.choice and target.file:
            content = downloads.file_of(snapshot, view_of(snapshot, target.choice), target.file).content
        else:
            notice = self.first_notice if name in self.begins else self.notice
            content = _page(Renderer(CopiedAddresses(name, self.known), notice), snapshot, target).encode()
        return write_whole(self.folder / name, content)


def _make(
    snapshot: Snapshot, work: _Work, files: Sequence[tuple[str, str]], lake: LakePath | None
) -> Iterator[tuple[str, str]]:
    """Write files, given by name and address; gives name and hash of each. Several processes write many files."""
    processes = min(len(os.sched_getaffinity(0)), len(files) // MIN_FILES_OF_PROCESS)
    if lake is None or processes < 2:
        for name, address in files:
            yield name, work.write(snapshot, name, address)
        return
    given = (lake, snapshot.catalogue, _versions(snapshot), work)
    with ProcessPoolExecutor(processes, get_context("spawn"), _begin, given) as pool:
        chunks = [files[i : i + CHUNK] for i in range(0, len(files), CHUNK)]
        futures = [pool.submit(_write_chunk, chunk) for chunk in chunks]
        try:
            for future in as_completed(futures):
                yield from future.result()
        except BrokenProcessPool:
            raise ChuError(
                "a process that writes pages has ended, perhaps for lack of memory; the next export continues"
            ) from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


_worker: tuple[Snapshot | None, _Work] | None = None


def _begin(lake: LakePath, catalogue: DescribedCatalogue, versions: str, work: _Work) -> None:
    """Prepare a process that writes files: it ends with the process that started it."""
    global _worker
    parent = parent_process()
    assert parent

    def end() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=end, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    snapshot = Reader(lake, catalogue).snapshot
    _worker = (snapshot if _versions(snapshot) == versions else None, work)


def _write_chunk(files: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    assert _worker
    snapshot, work = _worker
    if snapshot is None:
        raise ChuError("other tables were published while the copy was written: export again")
    return [(name, work.write(snapshot, name, address)) for name, address in files]


def _versions(snapshot: Snapshot) -> str:
    """A text that identifies the tables of a snapshot."""
    return repr((snapshot.edition, sorted(snapshot.versions.items()), sorted(snapshot.unreadable)))


def _keys(
    snapshot: Snapshot,
    targets: Mapping[str, _Target],
    address_of: Mapping[str, str],
    known: Mapping[str, str],
    notices: Mapping[str, str],
) -> Mapping[str, str]:
    """For each file the hash of what it is made from: inputs, address, notice, and the files that it may link to."""
    links: dict[str, list[tuple[str, str]]] = {}
    for address, name in sorted(known.items()):
        slug = urlsplit(address).path.removeprefix(addresses.QUESTIONS).partition("/")[0]
        # Pages of a question link to its own views, and to the pages without parameters.
        links.setdefault(slug if urlsplit(address).query else "", []).append((address, name))
    linked = {slug: hash_of(repr(links.get("")), repr(found)) for slug, found in links.items()}
    keys = {}
    for name, address in address_of.items():
        choice = targets[address].choice
        question = choice.question if choice else None
        inputs = inputs_of(snapshot, question) if question else ""
        keys[name] = hash_of(inputs, address, notices[name], linked.get(question.slug if question else "", ""))
    return keys


def _copy_static(folder: Path) -> None:
    shutil.copytree(STATIC_FILES, folder, dirs_exist_ok=True)
    for file in [f for f in folder.rglob("*") if f.is_file()]:
        if not (STATIC_FILES / file.relative_to(folder)).exists():
            file.unlink()


class _Progress:
    """Logs every few seconds how many files are made: number, share, time left."""

    def __init__(self, files: int, log: Callable[[str], None]) -> None:
        self._files = files
        self._log = log
        self._done = 0
        self._begun = self._logged = 0.0

    def step(self) -> None:
        """One more file is made."""
        self._done += 1
        now = time.monotonic()
        if self._done == 1:
            # Before the first file, the processes loaded the tables.
            self._begun = self._logged = now
            return
        if now - self._logged < INTERVAL_SECONDS:
            return
        self._logged = now
        left = (now - self._begun) * (self._files - self._done) / (self._done - 1)
        self._log(f"{self._done} of {self._files} made ({self._done / self._files:.0%}), about {left:.0f} s left")


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
        addresses.NEEDS: renderer.needs,
        addresses.DEFENCE: renderer.defence,
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


def _notice(now: datetime, opening: OpeningViews, with_day: bool) -> str:
    """What the copy is, and all that it leaves out; its day, where the page is always made."""
    left_out = [
        "les mois et les trimestres",
        "la recherche",
        "les vues qui changent plus d’un choix des listes à la fois",
        "pour un établissement ou un diagnostic, les autres périodes, les autres mesures et les fichiers",
        "les lieux et les diagnostics sans aucun chiffre visible",
        "la qualité des soins des sites qui n’ont pas de consultations",
        "les profils des lieux, les entonnoirs et les cartes de contrôle",
    ]
    if opening.left_out:
        left_out.append(
            f"{french.counted(opening.left_out, 'lieu ou diagnostic', 'lieux ou diagnostics')} de moindre effectif"
        )
    left_out += ["les images PNG", "le lignage"]
    when = f"Copie du {french.day(now.date())}" if with_day else "Copie du jour que dit sa page d’accueil"
    return (
        f"{when}, sans serveur : elle montre les années et la période "
        "entière, et de chaque lieu ou diagnostic qui a un chiffre la vue par laquelle il commence. "
        "Le portail a de plus : "
        f"{' ; '.join(left_out)}."
    )
