"""Removal of what old versions, temporary files and logs hold, after rows were rewritten."""

import shutil
from collections.abc import Callable, Collection, Sequence
from functools import cache
from pathlib import Path
from typing import Final

from chu_platform.catalogue import catalogue
from chu_platform.ingest.delivered import delivered_rows, delivered_tables, quarantine_of
from chu_platform.ingest.persons import Kind
from chu_platform.pseudonymisation.keyed_hash import SECRET_KEY
from chu_platform.rights.requests import TEMPORARY
from chu_platform.settings import Settings
from chu_platform.storage.lake import SCRATCH, Lake
from chu_platform.storage.superseded import keep_only
from chu_platform.tables.table import Layer, Table, Zone

# Layers with a row for each person or event. Other tables have such rows if they have a pseudonym.
ROWS_OF_PERSONS: Final = (Layer.HISTORY, Layer.PSEUDONYMS, Layer.DIMENSIONS, Layer.FACTS)


def tables_of_kinds(kinds: Collection[Kind]) -> Sequence[Table]:
    """The tables that may have rows of persons by these kinds: sources, rejects, quarantines, and what follows."""
    sources = [t for t in delivered_tables(catalogue()) if any(k.kind in kinds for k in delivered_rows(t).persons)]
    found: dict[Table, None] = {}
    for table in sources:
        found |= dict.fromkeys([*table.outputs, quarantine_of(table)])
    return list(found | dict.fromkeys(_followers(found)))


def tables_with_pseudonyms() -> Sequence[Table]:
    """The tables that have a pseudonym or a surrogate in a column."""
    named = pseudonym_columns()
    return [t for t in catalogue() if t.pseudonymised and named.intersection(c.name for c in t.columns)]


@cache
def pseudonym_columns() -> frozenset[str]:
    """The names of the columns of pseudonyms and surrogates."""
    return frozenset(name for table in catalogue() for name in table.rows.columns_from(SECRET_KEY))


def _followers(tables: Collection[Table]) -> Sequence[Table]:
    found: dict[Table, None] = {}
    with_pseudonyms = tables_with_pseudonyms()
    for table in catalogue():  # each after those it reads
        has_rows = table in with_pseudonyms or (table.layer in ROWS_OF_PERSONS and table.zone is not Zone.PUBLISHED)
        if has_rows and any(read in found or read in tables for read in table.reads.values()):
            found[table] = None
    return list(found)


def purge_history(lake: Lake, tables: Sequence[Table], report: Callable[[str], None]) -> int:
    """Delete all versions of tables but the current one, with files, commits and statistics; returns how many tables.

    It can be interrupted, and started again.
    """
    present = [table for table in tables if lake.open(table) is not None]
    for table in present:
        keep_only(lake, table, lake.version(table))
    report(f"old versions of {len(present)} tables deleted")
    return len(present)


def purge_temporary(settings: Settings, lake: Lake) -> None:
    """Delete what killed writes and commands left: locks are files, and stay."""
    for zone in (Zone.RESTRICTED, Zone.PSEUDONYMISED):
        _delete_folders(lake.local(zone) / SCRATCH, "*")
    _delete_folders(settings.work_folder, f"{TEMPORARY}*")
    if settings.lake_url is not None:
        shutil.rmtree(settings.copies_folder, ignore_errors=True)


def _delete_folders(parent: Path, pattern: str) -> None:
    for folder in parent.glob(f"{pattern}/"):
        shutil.rmtree(folder)
