"""Restore of a table: the rows of an earlier version become a new version."""

from typing import Any, Final

from deltalake import DeltaTable, Schema
from deltalake.exceptions import DeltaError

from chu_platform.errors import ChuError
from chu_platform.storage.damage import file_state, newest_sound_version
from chu_platform.storage.lake import Lake, active_paths
from chu_platform.storage.operations import DELTA_RS, Operations
from chu_platform.storage.provenance import last_data_commit, operation_metadata
from chu_platform.storage.store import LakePath, delta_table
from chu_platform.tables.table import Table

NOTHING_TO_RESTORE: Final = "no earlier version can be restored; `chu verify --repair` makes a damaged table again"


def restore(lake: Lake, table: Table, version: int, run: str, operations: Operations = DELTA_RS) -> int:
    """Commit the rows of `version` as a new version; returns its number.

    Raises ChuError and changes nothing if the version does not exist, if its files are missing or are not the committed
    ones, if its commit left the log, if its columns are not the declared ones, or if another process writes the table.
    """
    path = lake.place_of(table).resolve()
    now = lake.require(table).version()
    with lake.write_lock(table, wait=False):
        if not 0 <= version <= now:
            raise ChuError(f"{table.folder} has no version {version}: its last version is {now}")
        if version == now:
            raise ChuError(f"{table.folder} is at version {version} already")
        delta = open_if_readable(path, version)
        if delta is None:
            raise ChuError(
                f"{table.folder} cannot go back to version {version}: its files or its commit are past the retention "
                f"or lost; {_oldest_readable(path, now)}"
            )
        if _columns(delta.schema()) != _columns(Schema.from_arrow(table.schema)):
            raise ChuError(
                f"{table.folder} had other columns at version {version}: check out the code of that time and "
                "materialise the table again"
            )
        if changed := file_state(path, delta).changed:
            raise ChuError(
                f"{table.folder} cannot go back to version {version}: its file {changed[0]} is damaged, because "
                f"its bytes are not the committed ones; {_newest_sound(path, now)}"
            )
        metadata = operation_metadata(table, "restore", run, last_data_commit(path, delta), version)
        lake.require_lock(table)
        operations.restore(path, version, metadata)
        restored = lake.require(table).version()
        lake.make_durable_commit(table, restored)
        return restored


def open_if_readable(path: LakePath, version: int) -> DeltaTable | None:
    """The table at a version; None if its commit or one of its files was deleted."""
    try:
        delta = delta_table(path, version)
    except DeltaError:
        return None
    return delta if all(file.is_file() for file in active_paths(path, delta)) else None


def _oldest_readable(path: LakePath, last: int) -> str:
    """The oldest version that can be restored, in words."""
    found = next((version for version in range(last + 1) if open_if_readable(path, version)), None)
    return NOTHING_TO_RESTORE if found is None else f"the oldest readable version is {found}"


def _newest_sound(path: LakePath, last: int) -> str:
    """The newest version before the last one that can be restored, in words."""
    found = newest_sound_version(path, last - 1)
    return NOTHING_TO_RESTORE if found is None else f"the newest version that can be restored is {found}"


def _columns(schema: Schema) -> list[tuple[str, Any]]:
    return [(f.name, f.type) for f in schema.fields]
