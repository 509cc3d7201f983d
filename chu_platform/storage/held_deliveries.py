"""Deliveries that are held back because they have far fewer rows than before, until somebody accepts them.

They may be truncated. The lake keeps them as JSON in `restricted/.deliveries`: one file for each source whose delivery
is held back, and one file with all acceptances ever given. An acceptance is valid for one delivery in place of one
commit: for the fingerprints of its files, until another delivery is found in its place. Two readings of a database
server never have the same fingerprint, so there it is valid as long as the table does not lose more rows.
"""

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from chu_platform.errors import ChuError
from chu_platform.storage.lake import Lake
from chu_platform.storage.provenance import is_database_table
from chu_platform.storage.store import LakePath, lock, write_text
from chu_platform.tables.table import Zone

FOLDER: Final = ".deliveries"
ONLY_THIS_USER: Final = 0o700
LOCK_SECONDS: Final = 10.0


@dataclass(frozen=True)
class Shrunk:
    """A delivered file or database table with far fewer rows than at the last commit. `sha256` None: it is gone.

    `rows_before` is 0 if it was not delivered before and has no rows.
    """

    name: str
    sha256: str | None
    rows_before: int
    rows: int

    def __str__(self) -> str:
        before = f"{self.rows_before:,}".replace(",", " ")
        if self.sha256 is None:
            return f"{self.name}, which had {before} rows, is not delivered any more"
        if not self.rows_before:
            return f"{self.name} has no rows"
        return f"{self.name} has {self.rows:,} rows".replace(",", " ") + f", {before} before"


@dataclass(frozen=True)
class Held:
    """A delivery of a source that is held back. `after` is the run of the commit that it would replace.

    `rows_in` is the number of delivered rows, of which `files` count the valid ones; None in older entries.
    """

    source: str
    after: str | None
    files: Sequence[Shrunk]
    at: str
    rows_in: int | None = None


@dataclass(frozen=True)
class Acceptance:
    """Who accepted a delivery that was held back, and when (UTC, ISO 8601).

    It `is_over`, and lets nothing pass any more, when another delivery was found in place of the accepted one.
    """

    source: str
    after: str | None
    files: Sequence[Shrunk]
    by: str
    at: str
    is_over: bool = False


_HELD: Final = TypeAdapter(Held)
_ACCEPTANCES: Final = TypeAdapter(list[Acceptance])


def shrunk_files(
    before: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]], max_decrease: float
) -> Sequence[Shrunk]:
    """The files and database tables that lost more than the share `max_decrease` of their valid rows, or are gone.

    `before` and `now` are the entries of the files in commit metadata. A file has the same name in another folder. A
    file that is gone was replaced by another one if the rows are no fewer in total. A database table without rows
    counts as shrunk at its first delivery.
    """
    rows_before, rows_now = _rows(before), _rows(now)
    names = {_short(f["name"]): (f["name"], f["sha256"]) for f in now}
    is_smaller = sum(rows_now.values()) < sum(rows_before.values())
    found = []
    for old in {_short(f["name"]): f for f in before}.values():
        name, sha256 = names.get(_short(old["name"]), (old["name"], None))
        rows, former_rows = rows_now[_short(name)], rows_before[_short(name)]
        if rows < former_rows * (1 - max_decrease) and (sha256 or is_smaller):
            found.append(Shrunk(name, sha256, former_rows, rows))
    new_and_empty = [f for short, f in names.items() if short not in rows_before and not rows_now[short]]
    return [*found, *(Shrunk(name, sha256, 0, 0) for name, sha256 in new_and_empty if is_database_table(name))]


def shrunk_lists(
    before: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]], max_decrease: float
) -> Sequence[Shrunk]:
    """The lists of rows to withdraw, if they lost more than the share `max_decrease` of their rows in total.

    The rows that they do not name any more would be kept. Their names do not matter: each list replaces the one before.
    """
    rows_before, rows_now = (sum(_rows(lists).values()) for lists in (before, now))
    if rows_now >= rows_before * (1 - max_decrease):
        return []
    if not now:
        return [Shrunk(f["name"], None, f["rows"]["kept"], 0) for f in before]
    return [Shrunk(f["name"], f["sha256"], rows_before, rows_now) for f in now]


def accepted(
    acceptances: Sequence[Acceptance], source: str, after: str | None, file: Shrunk, of_server: bool
) -> Acceptance | None:
    """The acceptance of this file of a source in place of the commit of the run `after`; None if there is none."""
    for given in acceptances:
        is_valid = not given.is_over and (given.source, given.after) == (source, after)
        if is_valid and any(_covers(f, file, of_server) for f in given.files):
            return given
    return None


def _covers(given: Shrunk, file: Shrunk, of_server: bool) -> bool:
    if of_server:
        return given.name == file.name and given.rows <= file.rows
    return given == file


def is_there(file: Shrunk, now: Mapping[str, str]) -> bool:
    """Whether a delivery has this file with this content; for a file that is gone, whether it is gone.

    `now` has the fingerprints of the delivered files by name. The tables of a dump have the fingerprint of the dump.
    """
    if file.sha256 is None:
        return _short(file.name) not in {_short(name) for name in now}
    return file.sha256 in (now.values() if is_database_table(file.name) else [now.get(file.name)])


class HeldDeliveries:
    """The deliveries that are held back, and the acceptances, of a lake."""

    def __init__(self, lake: Lake) -> None:
        self._folder: LakePath = lake.place / Zone.RESTRICTED / FOLDER

    def hold(self, held: Held) -> None:
        """Record that the delivery of a source is held back."""
        write_text(self._file(held.source), _HELD.dump_json(held, indent=1).decode(), ONLY_THIS_USER)

    def release(self, source: str, now: Mapping[str, str]) -> None:
        """Record that no delivery of the source is held back, because the table has the rows of that of `now`.

        `now` is as in `is_there`. Acceptances of other deliveries are over.
        """
        self._file(source).unlink(missing_ok=True)
        if any(_ends(a, source, now) for a in self.acceptances()):
            with lock(self._folder / "lock", LOCK_SECONDS):
                self._write([replace(a, is_over=a.is_over or _ends(a, source, now)) for a in self.acceptances()])

    def unsettled(self) -> Set[str]:
        """The sources with a delivery that is held back, or with an acceptance that is not over."""
        return {h.source for h in self.held()} | {a.source for a in self.acceptances() if not a.is_over}

    def held(self) -> Sequence[Held]:
        """The deliveries that are held back, by name of source."""
        files: list[LakePath] = [*self._folder.glob("held.*.json")] if self._folder.is_dir() else []
        return [_HELD.validate_json(f.read_text(encoding="utf-8")) for f in sorted(files, key=str)]

    def acceptances(self) -> Sequence[Acceptance]:
        """All acceptances, oldest first. Raises ChuError if their file is damaged."""
        file = self._folder / "accepted.json"
        with suppress(FileNotFoundError):
            try:
                return _ACCEPTANCES.validate_json(file.read_text(encoding="utf-8"))
            except ValidationError:
                raise ChuError(f"{file} is damaged: restore it from a backup, or delete it") from None
        return []

    def accept(self, held: Held, by: str, at: str) -> Acceptance:
        """Accept a delivery that is held back."""
        acceptance = Acceptance(held.source, held.after, held.files, by, at)
        with lock(self._folder / "lock", LOCK_SECONDS):
            self._write([*self.acceptances(), acceptance])
        return acceptance

    def _write(self, acceptances: Sequence[Acceptance]) -> None:
        text = _ACCEPTANCES.dump_json([*acceptances], indent=1).decode()
        write_text(self._folder / "accepted.json", text, ONLY_THIS_USER)

    def _file(self, source: str) -> LakePath:
        return self._folder / f"held.{source}.json"


def _ends(given: Acceptance, source: str, now: Mapping[str, str]) -> bool:
    """Whether a delivery `now` of the source ends an acceptance: nothing that was accepted is there any more."""
    return given.source == source and not given.is_over and not any(is_there(file, now) for file in given.files)


def _short(name: str) -> str:
    """The name of a file without its folder, or of a database table."""
    return name if is_database_table(name) else PurePosixPath(name).name.lower()


def _rows(files: Sequence[Mapping[str, Any]]) -> Counter[str]:
    """Valid rows by short name: the kept ones and those withdrawn at a family's request (0 in older commits)."""
    rows: Counter[str] = Counter()
    for file in files:
        rows[_short(file["name"])] += file["rows"]["kept"] + file["rows"].get("withdrawn", 0)
    return rows
