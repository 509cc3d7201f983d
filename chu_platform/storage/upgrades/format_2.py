"""To format 2: every table records its contents, that is the identity of its rows and the hashes of its files.

A commit without data does so. It is a commit of an operation, so the provenance of the rows stays. What is damaged is
not recorded, so that `chu verify` still finds it: partitions with lost or changed files, and those with rows by other
tools.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from deltalake import DeltaTable, Schema

from chu_platform.storage.commit import commit_without_data, has_schema
from chu_platform.storage.damage import file_state
from chu_platform.storage.duckdb_session import bounded_connection
from chu_platform.storage.lake import DamagedLog, Lake, active_files, files_relation
from chu_platform.storage.partition_contents import PartitionContents, as_metadata
from chu_platform.storage.partition_folders import folder_of
from chu_platform.storage.provenance import (
    CONTENTS,
    foreign_commits,
    last_data_commit,
    operation_metadata,
)
from chu_platform.storage.row_identity import aggregate_partitions
from chu_platform.storage.scratch_folder import scratch
from chu_platform.tables.table import Table

OPERATION = "record contents"


def upgrade(lake: Lake, tables: Sequence[Table], report: Callable[[str], None]) -> None:
    """See `Upgrade`."""
    for table in tables:
        try:
            if lake.open(table) is not None:
                with lake.write_lock(table):
                    _record_contents(lake, table, report)
        except DamagedLog as error:
            report(f"WARNING {error}")


def _record_contents(lake: Lake, table: Table, report: Callable[[str], None]) -> None:
    delta = lake.require(table)
    data_commit = last_data_commit(lake.place_of(table), delta)
    if not data_commit or CONTENTS in data_commit:
        return
    if not has_schema(delta, Schema.from_arrow(table.schema), table):
        report(f"{table.folder}: has other columns than today; the next run writes it anew")
        return
    contents = _contents(lake, table, delta, report)
    metadata = operation_metadata(table, OPERATION, "chu upgrade", {**data_commit, **as_metadata(contents)})
    commit_without_data(lake, table, delta, metadata)
    report(f"{table.folder}: contents of {len(contents)} partitions recorded")


def _contents(
    lake: Lake, table: Table, delta: DeltaTable, report: Callable[[str], None]
) -> Mapping[str, PartitionContents]:
    """The contents of the sound partitions of a table."""
    root = lake.place_of(table)
    state = file_state(root, delta)
    foreign = {name for commit in foreign_commits(root) for name in commit.added}
    unsound = {*state.lost, *state.changed, *foreign}
    files: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for file in active_files(delta):
        files[folder_of(file.get("partition") or {}, table.partition_by)].append(file)
    sound = {
        folder: listed for folder, listed in files.items() if not unsound.intersection(file["path"] for file in listed)
    }
    if left_out := len(files) - len(sound):
        report(f"WARNING {table.folder}: {left_out} partitions are damaged; run `chu verify --repair` afterwards")
    size = sum(file["size_bytes"] for listed in sound.values() for file in listed)
    paths = [root / file["path"] for listed in sound.values() for file in listed]
    with scratch(lake) as temporary, bounded_connection(temporary, size) as connection:
        found = aggregate_partitions(connection, table, files_relation(table, paths))
    return {
        folder: PartitionContents.of_files(found[folder].identity, root, [file["path"] for file in listed])
        for folder, listed in sound.items()
    }
