"""Restore of a table: the rows of an earlier version become a new version."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deltalake import DeltaTable, Schema
from deltalake.exceptions import DeltaError

from chu_platform.errors import ChuError
from chu_platform.storage.lake import Lake, active_paths
from chu_platform.storage.operations import DELTA_RS, Operations
from chu_platform.storage.provenance import last_data_commit, operation_metadata
from chu_platform.tables.table import Table


def restore(lake: Lake, table: Table, version: int, run: str, operations: Operations = DELTA_RS) -> int:
    """Commit the rows of `version` as a new version; returns its number.

    Raises ChuError and changes nothing if the version does not exist, if VACUUM deleted its files, if its commit left
    the log, if its columns are not the declared ones, or if another process writes the table.
    """
    path = lake.path(table).resolve()
    now = lake.require(table).version()
    with lake.write_lock(table, wait=False):
        if not 0 <= version <= now:
            raise ChuError(f"{table.folder} has no version {version}: its last version is {now}")
        if version == now:
            raise ChuError(f"{table.folder} is at version {version} already")
        delta = open_if_readable(path, version)
        if delta is None:
            raise ChuError(
                f"{table.folder} cannot go back to version {version}: its files or its commit are past the retention; "
                f"the oldest readable version is {next(_readable_versions(path, now))}"
            )
        if _columns(delta.schema()) != _columns(Schema.from_arrow(table.schema)):
            raise ChuError(
                f"{table.folder} had other columns at version {version}: check out the code of that time and "
                "materialise the table again"
            )
        metadata = operation_metadata(table, "restore", run, last_data_commit(delta), version)
        operations.restore(path, version, metadata)
        return lake.require(table).version()


def open_if_readable(path: Path, version: int) -> DeltaTable | None:
    """The table at a version; None if its commit or one of its files was deleted."""
    try:
        delta = DeltaTable(path, version=version)
    except DeltaError:
        return None
    return delta if all(file.is_file() for file in active_paths(path, delta)) else None


def _readable_versions(path: Path, last: int) -> Iterator[int]:
    return (version for version in range(last + 1) if open_if_readable(path, version))


def _columns(schema: Schema) -> list[tuple[str, Any]]:
    return [(f.name, f.type) for f in schema.fields]
