"""Deliveries that are held back because they have far fewer rows than before, until somebody accepts them.

They may be truncated. The lake keeps them as JSON in `restricted/.deliveries`: one file for each source whose delivery
is held back, and one file with all acceptances ever given. An acceptance is valid for one delivery in place of one
commit: for the fingerprints of its files. Two readings of a database server never have the same fingerprint, so there
it is valid as long as the table does not lose more rows.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
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
    """A delivery of a source that is held back. `after` is the run of the commit that it would replace."""

    source: str
    after: str | None
    files: Sequence[Shrunk]
    at: str


@dataclass(frozen=True)
class Acceptance:
    """Who accepted a delivery that was held back, and when (UTC, ISO 8601)."""

    source: str
    after: str | None
    files: Sequence[Shrunk]
    by: str
    at: str


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
        if (given.source, given.after) == (source, after) and any(_covers(f, file, of_server) for f in given.files):
            return given
    return None


def _covers(given: Shrunk, file: Shrunk, of_server: bool) -> bool:
    if of_server:
        return given.name == file.name and given.rows <= file.rows
    return given == file


class HeldDeliveries:
    """The deliveries that are held back, and the acceptances, of a lake."""

    def __init__(self, lake: Lake) -> None:
        self._folder: LakePath = lake.place / Zone.RESTRICTED / FOLDER

    def hold(self, held: Held) -> None:
        """Record that the delivery of a source is held back."""
        write_text(self._file(held.source), _HELD.dump_json(held, indent=1).decode(), ONLY_THIS_USER)

    def release(self, source: str) -> None:
        """Record that no delivery of the source is held back."""
        self._file(source).unlink(missing_ok=True)

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

    def accept(self, source: str, by: str, at: str) -> Acceptance:
        """Accept the delivery of a source that is held back. Raises ChuError if none is."""
        held = {h.source: h for h in self.held()}
        if source not in held:
            others = f"held back: {', '.join(held)}" if held else "none is held back"
            raise ChuError(f"no delivery of {source!r} is held back; {others}")
        acceptance = Acceptance(source, held[source].after, held[source].files, by, at)
        with lock(self._folder / "lock", LOCK_SECONDS):
            every = [*self.acceptances(), acceptance]
            write_text(self._folder / "accepted.json", _ACCEPTANCES.dump_json(every, indent=1).decode(), ONLY_THIS_USER)
        return acceptance

    def _file(self, source: str) -> LakePath:
        return self._folder / f"held.{source}.json"


def _short(name: str) -> str:
    """The name of a file without its folder, or of a database table."""
    return name if is_database_table(name) else PurePosixPath(name).name.lower()


def _rows(files: Sequence[Mapping[str, Any]]) -> Counter[str]:
    """Valid rows by short name: the kept ones and those withdrawn at a family's request (0 in older commits)."""
    rows: Counter[str] = Counter()
    for file in files:
        rows[_short(file["name"])] += file["rows"]["kept"] + file["rows"].get("withdrawn", 0)
    return rows
