"""What is kept for too long, and its deletion: `chu retention`. Maintenance does the same (`graph.maintenance_assets`)."""

import datetime
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from chu_platform.catalogue import catalogue
from chu_platform.ingest.delivered import is_delivered, quarantine_of
from chu_platform.landing.arrangement import FORMER
from chu_platform.settings import Settings
from chu_platform.storage.lake import Lake
from chu_platform.storage.retention import Expired, delete_expired, expired_rows
from chu_platform.tables.table import Table


@dataclass(frozen=True)
class Kept:
    """What is kept for too long: rows of tables, and files of places of deliveries that are not declared any more."""

    rows: Sequence[Expired]
    former_files: int


def kept_too_long(settings: Settings, lake: Lake, today: datetime.date) -> Kept:
    """What is kept for too long. Nothing is changed."""
    found = (expired_rows(lake, table, today) for table in _tables())
    folder = settings.landing_folder / FORMER
    files = sum(file.is_file() for file in folder.rglob("*")) if folder.is_dir() else 0
    return Kept([one for one in found if one and one.rows], files)


def retention_lines(
    settings: Settings, lake: Lake, today: datetime.date, apply: bool, log_progress: Callable[[str], None]
) -> Iterator[str]:
    """What is kept for too long, in lines; with `apply`, what the platform keeps is deleted first.

    Raises TableLocked if another process writes one of the tables.
    """
    found = kept_too_long(settings, lake, today)
    for one in found.rows:
        name = f"{one.table.layer}/{one.table.name}"
        rows = f"{name}: {one.rows} rows of before {one.limit}"
        if one.is_delivered:
            yield f"{rows} are in the delivery: ask its sender to leave them out"
        elif apply:
            log_progress(f"deleting rows of {name}")
            delete_expired(lake, one.table, today, "chu retention")
            yield f"{rows} are deleted; older versions of the table leave with its maintenance"
        else:
            yield f"{rows} would be deleted: run `chu retention --apply`"
    if found.former_files:
        yield (
            f"{settings.landing_folder / FORMER}: {found.former_files} files of places that are not declared any more: "
            "delete them if nobody needs them"
        )
    if not found.rows and not found.former_files:
        yield "nothing is kept for too long"


def _tables() -> Iterator[Table]:
    """All tables of the lake, quarantines included."""
    for table in catalogue():
        yield from table.outputs
        if is_delivered(table):
            yield quarantine_of(table)
