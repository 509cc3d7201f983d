"""Bringing a table back to one of its versions, as a new version.

Here: what can be restored, and doing it. Not here: how the engines do it (operations).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deltalake import DeltaTable, Schema
from deltalake.exceptions import DeltaError

from chu_platform.errors import ChuError
from chu_platform.storage.lake import Lake, active_paths
from chu_platform.storage.operations import DELTA_RS, Operations
from chu_platform.storage.provenance import last_data_commit, operation_metadata
from chu_platform.tables.table import Table

if TYPE_CHECKING:
    pass


def restore(lake: Lake, table: Table, version: int, run: str, operations: Operations = DELTA_RS) -> int:
    """Make the rows of `version` those of a new version; gives its number.

    Raises ChuError, with nothing changed, when
    there is no such version, VACUUM deleted its files or its commit left the log, it has other columns than are
    declared, or another process writes the table.
    """
    path = lake.path(table).resolve()
    now = lake.require(table).version()
    with lake.writing(table, wait=False):
        if not 0 <= version <= now:
            raise ChuError(f"{table.folder} has no version {version}: its versions go to {now}")
        if version == now:
            raise ChuError(f"{table.folder} is at version {version} already")
        delta = readable(path, version)
        if delta is None:
            raise ChuError(
                f"{table.folder} cannot go back to version {version}: its files or its commit are past the retention; "
                f"the oldest version that still reads is {next(_readable_versions(path, now))}"
            )
        if _columns(delta.schema()) != _columns(Schema.from_arrow(table.schema)):
            raise ChuError(
                f"{table.folder} had other columns at version {version}: go back to the code of that time and "
                "materialise it again"
            )
        metadata = operation_metadata(table, "restore", run, last_data_commit(delta), version)
        operations.restore(path, version, metadata)
        return lake.require(table).version()


def readable(path: Path, version: int) -> DeltaTable | None:
    """The table at a version, or None when the log or the folder has not all of it."""
    try:
        delta = DeltaTable(path, version=version)
    except DeltaError:
        return None
    return delta if all(file.is_file() for file in active_paths(path, delta)) else None


def _readable_versions(path: Path, last: int) -> Iterator[int]:
    return (version for version in range(last + 1) if readable(path, version))


def _columns(schema: Schema) -> list[tuple[str, Any]]:
    return [(f.name, f.type) for f in schema.fields]
