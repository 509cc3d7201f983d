"""The part of the access journal that lies in the lake: the Delta table `restricted/governance/access`.

It is the one table whose rows are written outside an asset. Maintenance moves the entries there in batches, and purges
those that are older than RETENTION_MONTHS behind a cut that the seal of the journal records.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from chu_platform.access.entries import Answer, Decision, Entry
from chu_platform.access.journal import Journal
from chu_platform.access.seal import JournalError, write_seal
from chu_platform.storage.damaged_log import open_table
from chu_platform.storage.lake import Lake
from chu_platform.storage.store import LakePath, delta_table, store_errors
from chu_platform.storage.store_path import StorePath
from chu_platform.tables.table import Zone

FOLDER: Final = f"{Zone.RESTRICTED}/governance/access"
RETENTION_MONTHS: Final = 12
MONTHS_OF_YEAR: Final = 12
ROWS: Final = pa.schema(
    [
        pa.field("sequence", pa.int64(), nullable=False),
        pa.field("time", pa.timestamp("us", tz="UTC"), nullable=False),
        *(pa.field(name, pa.string(), nullable=False) for name in ("principal", "profile", "purpose", "table")),
        pa.field("version", pa.int64()),
        pa.field("filter", pa.string(), nullable=False),
        pa.field("rows", pa.int64(), nullable=False),
        *(pa.field(name, pa.string(), nullable=False) for name in ("decision", "previous", "hmac")),
    ]
)


def archived(lake: Lake) -> Sequence[Entry]:
    """The entries in the lake, in their order. Raises ChuError or OSError if the table cannot be read."""
    delta = open_table(lake.place / FOLDER)
    if delta is None:
        return []
    rows = delta.to_pyarrow_table().sort_by("sequence").to_pylist()
    return [Entry.of_row(row) for row in rows]


def keep_journal(lake: Lake, journal: Journal, now: datetime) -> str | None:
    """Move the entries of the file into the lake, and purge old ones; returns what was done, None if nothing.

    Raises JournalError if the journal cannot be written, or if its file holds anything but entries that continue those
    in the lake: then it stays as it is.
    """
    if not journal.file.exists():
        return None
    moved = _move(lake, journal)
    purged = _purge(lake, journal, _months_before(now, RETENTION_MONTHS))
    return f"moved {moved} entries of the access journal into {FOLDER}; purged {purged}" if moved or purged else None


def _move(lake: Lake, journal: Journal) -> int:
    """Append the entries of the file to the table, and empty the file; their number."""
    damaged = JournalError(
        f"the access journal {journal.file} is damaged, and stays where it is: run `chu journal verify`"
    )
    with journal.changing() as key:
        entries = [Entry.of_line(line) for line in journal.lines()]
        there = archived(lake)
        last, last_hash = (there[-1].sequence, there[-1].hash) if there else _cut(journal, key)
        new: list[Entry] = []
        for entry in entries:
            if entry is None or not entry.is_authentic(key):
                raise damaged
            if entry.sequence <= last and not new:
                continue  # moved before, by a process that was killed before it emptied the file
            if (entry.sequence, entry.previous) != (last + 1, last_hash):
                raise damaged
            new.append(entry)
            last, last_hash = entry.sequence, entry.hash
        if new:
            _append(lake.place / FOLDER, new)
        if entries:
            journal.keep_only([])
    return len(new)


def _cut(journal: Journal, key: bytes) -> tuple[int, str]:
    seal = journal.seal(key)
    return seal.cut, seal.cut_hash


def _append(place: LakePath, entries: Sequence[Entry]) -> None:
    rows = pa.Table.from_pylist([dict(entry.row) for entry in entries], ROWS)
    options = place.options if isinstance(place, StorePath) else None
    if not isinstance(place, StorePath):
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
    with store_errors(place):
        write_deltalake(str(place), rows, mode="append", storage_options=options)


def _purge(lake: Lake, journal: Journal, before: datetime) -> int:
    """Delete the entries in the lake that were written before a moment; their number.

    The seal records the cut first. After a kill, the next purge deletes what is left behind it.
    """
    old = [entry for entry in archived(lake) if entry.time < before]
    if not old:
        return 0
    # The purge is an entry as well: those after the cut say how many were deleted.
    what = f"sequence <= {old[-1].sequence}"
    journal.append(Answer("maintenance", "", "", FOLDER, None, what, len(old), Decision.PURGED))
    with journal.changing() as key:
        cut = replace(journal.seal(key), cut=old[-1].sequence, cut_hash=old[-1].hash)
        write_seal(journal.seal_file, key, cut)
        _delete(delta_table(lake.place / FOLDER), what)
    return len(old)


def _delete(delta: DeltaTable, what: str) -> None:
    delta.delete(what)
    delta.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)


def _months_before(now: datetime, months: int) -> datetime:
    """The beginning of the month so many months before that of a moment."""
    month = now.year * MONTHS_OF_YEAR + now.month - 1 - months
    return datetime(month // MONTHS_OF_YEAR, month % MONTHS_OF_YEAR + 1, 1, tzinfo=UTC)
