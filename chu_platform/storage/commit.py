"""Commit of written Parquet files: they replace partitions of a table in one atomic Delta commit.

Files are written once, at their final place in the folder of the table (`Lake.writing`), and checked there. They are
invisible until a commit names them, so a reader sees either the old or the new version of all partitions. VACUUM
removes the files of a run that was killed before its commit.
"""

import hashlib
import json
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Schema
from deltalake.exceptions import CommitFailedError
from deltalake.transaction import AddAction, RemoveAction, create_table_with_add_actions

from chu_platform.errors import ChuError, TransientError
from chu_platform.storage.delta_properties import has_statistics_columns, statistics_columns, table_properties
from chu_platform.storage.duckdb_session import bounded_connection
from chu_platform.storage.file_statistics import file_statistics
from chu_platform.storage.lake import Lake, Write, active_files, files_relation, partition_of
from chu_platform.storage.partition_contents import (
    PartitionContents,
    as_metadata,
    expected_hash,
    is_changed,
    recorded_contents,
    recorded_hashes,
)
from chu_platform.storage.partition_folders import escaped, folder_of, values_of
from chu_platform.storage.provenance import (
    KEY,
    SAME_ROWS,
    foreign_commits,
    inputs_are_lost,
    last_data_commit,
    source_files,
    with_metadata,
)
from chu_platform.storage.row_identity import Partition, aggregate_partitions
from chu_platform.storage.store import delta_table
from chu_platform.storage.store_path import StorePath
from chu_platform.tables.partitions import PartitionRange, TouchedPartitions
from chu_platform.tables.table import Table

# No checkpoints: Sail cannot read the versions before a checkpoint that the log points to. Maintenance writes them and
# removes the pointer.
NO_HOOKS = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)
# Identity of a partition with a missing, cut or unreadable file. It equals no identity of rows, so the partition is
# written again.
DAMAGED = "damaged"


@dataclass(frozen=True)
class CommitResult:
    """Result of a commit.

    `version` is the version of the table after the commit. `rows` and `size` (bytes) are totals of the partition range;
    `rows_by_partition` and `size_by_partition` give them by partition key. `changed` are the partitions whose rows
    differ from the previous version (Delta partitions if the table has no partition scheme); the files of the others
    stay. `content` is a hash of the identities of the rows of the range. `table_rows`, `table_size` (bytes) and
    `table_files` are totals of the whole table after the commit.
    """

    version: int
    rows: int
    size: int
    rows_by_partition: Mapping[str, int]
    size_by_partition: Mapping[str, int]
    changed: Sequence[str]
    content: str
    table_rows: int
    table_size: int
    table_files: int


def commit_written(
    lake: Lake,
    table: Table,
    write: Write,
    partition_range: PartitionRange | None,
    provenance: Mapping[str, Any],
    partitions: Mapping[str, Partition] | None = None,
    repair: bool = False,
    touched: TouchedPartitions | None = None,
) -> CommitResult:
    """Replace the partitions of the table (the whole table if `partition_range` is None) by the written Parquet files.

    The caller holds `lake.writing(table)`, which gave `write`. Its files are in Hive-style folders of the table's
    partition columns. `partitions` are the partitions with rows, computed from the files if not given.
    If only the partitions `touched` were written, the others keep their files, because they would have the same rows.
    Partitions with unchanged rows keep their files. If no partition changed, no data is committed. If the same rows now
    come from other source files, a commit without data records the new files.
    With `repair`, partitions also change if their committed files do not have their recorded bytes, and a commit
    follows commits by other tools.
    Raises ChuError if the committed table has another schema and `partition_range` is not the whole table.
    Raises TransientError if another tool committed to the table at the same time.
    """
    written = _written_files(write)
    if touched is not None and not all(touched.holds(values_of(folder)) for folder in written):
        raise ValueError(f"{table.folder}: rows were written outside of the touched partitions")
    all_written = [f for files in written.values() for f in files]
    if partitions is None:
        with bounded_connection(write.scratch / "spill", sum(f.size for f in all_written)) as connection:
            paths = [write.rows / f.path for f in all_written]
            partitions = aggregate_partitions(connection, table, files_relation(table, paths))
    current = _CommittedPartitions(lake, table, partition_range, touched, write.scratch, repair)
    changed = sorted(
        folder
        for folder in written.keys() | current.files.keys()
        if not current.is_unchanged(folder, partitions[folder].identity if folder in written else None)
    )
    delta = current.delta
    if changed or delta is None or not current.same_schema:
        added = [file for folder in changed for file in written.get(folder, [])]
        contents = {
            **{f: c for f, c in current.recorded.items() if f not in changed},
            **{
                folder: PartitionContents.of_files(
                    partitions[folder].identity, write.rows, [file.path for file in written[folder]]
                )
                for folder in changed
                if folder in written
            },
        }
        adds = [file.add_action(table) for file in added]
        removes = [action for folder in changed for action in current.removes(folder)]
        lake.make_durable(table, [file.path for file in added], write)
        foreign = foreign_commits(lake.place_of(table))
        repeated = all(current.had_rows_of(f, partitions.get(f)) for f in changed) and not foreign
        metadata = {**provenance, **({SAME_ROWS: True} if repeated else {}), **as_metadata(contents)}
        delta = _commit(lake, table, adds, removes, current, metadata)
        lake.make_durable_commit(table, delta.version())
        if not has_statistics_columns(delta, table):
            # Readers take the columns with statistics from the properties: they must be those of the new files.
            delta = commit_without_data(lake, table, delta, json.dumps(metadata, ensure_ascii=False))
    elif source_files(provenance) and source_files(provenance) != source_files(current.last_commit):
        # The same rows from other source files, such as a reordered delivery: the log must name the current files.
        metadata = {**provenance, **as_metadata(current.contents(partitions))}
        delta = commit_without_data(lake, table, delta, json.dumps(metadata, ensure_ascii=False))
    elif (
        inputs_are_lost(current.last_commit, provenance)
        or provenance.get(KEY) != current.last_commit.get(KEY)
        or (repair and foreign_commits(lake.place_of(table)))
    ):
        # An input lost its log, the lake has another key of pseudonyms, or another tool made a commit: the log must say
        # again where the rows come from.
        metadata = {**provenance, SAME_ROWS: True, **as_metadata(current.contents(partitions))}
        delta = commit_without_data(lake, table, delta, json.dumps(metadata, ensure_ascii=False))
    table_files = active_files(delta)
    rows_by_folder: Counter[str] = Counter()
    size_by_folder: Counter[str] = Counter()
    for file in table_files:
        partition = partition_of(file)
        if partition_range is None or partition_range.holds(partition[partition_range.partition_scheme.column]):
            folder = folder_of(partition, table.partition_by)
            rows_by_folder[folder] += file["num_records"] or 0
            size_by_folder[folder] += file["size_bytes"]
    identities = {**current.identities_of_others, **{folder: p.identity for folder, p in partitions.items()}}
    return CommitResult(
        delta.version(),
        rows_by_folder.total(),
        size_by_folder.total(),
        _by_key(rows_by_folder, partition_range),
        _by_key(size_by_folder, partition_range),
        list(dict.fromkeys(_partition_name(folder, partition_range) for folder in changed)),
        hashlib.sha256("".join(f"{f}/{i}\n" for f, i in sorted(identities.items())).encode()).hexdigest()[:16],
        sum(f["num_records"] or 0 for f in table_files),
        sum(f["size_bytes"] for f in table_files),
        len(table_files),
    )


class _WrittenFile:
    """A written Parquet file: path relative to the folder of its table, size in bytes, rows, statistics."""

    def __init__(self, root: Path, file: Path, folder: str) -> None:
        self.path = file.relative_to(root).as_posix()
        self.size = file.stat().st_size
        self._file = file
        self._folder = folder
        self._footer = pq.read_metadata(file)
        self.rows: int = self._footer.num_rows

    def add_action(self, table: Table) -> AddAction:
        """The Delta action that adds the file to the table."""
        return AddAction(
            path=self.path,
            size=self.size,
            partition_values=dict(values_of(self._folder)),
            modification_time=int(time.time() * 1000),
            data_change=True,
            stats=json.dumps(
                file_statistics(self._file, self._footer, statistics_columns(table)),
                # delta-rs 1.6 misreads characters that are escaped as surrogates.
                ensure_ascii=False,
            ),
        )


def _written_files(write: Write) -> Mapping[str, Sequence[_WrittenFile]]:
    """The written files with rows, by partition folder."""
    found: dict[str, list[_WrittenFile]] = defaultdict(list)
    for path in write.files:
        folder = path.parent.relative_to(write.rows).as_posix().removeprefix(".")
        if escaped(folder) != folder:
            raise ValueError(f"the folder {folder} has not its escaped name")
        file = _WrittenFile(write.rows, path, folder)
        if file.rows:
            found[folder].append(file)
    return found


class _CommittedPartitions:
    """The committed files of a table before a new commit, by partition folder, restricted to the written partitions.

    `identities_of_others` are the identities of partitions of the range that are not `touched`.
    """

    def __init__(
        self,
        lake: Lake,
        table: Table,
        partition_range: PartitionRange | None,
        touched: TouchedPartitions | None,
        scratch: Path,
        compare_bytes: bool,
    ) -> None:
        self._table = table
        self._root = lake.place_of(table)
        self._scratch = scratch
        self._compare_bytes = compare_bytes
        self.delta = lake.open(table)
        self.last_commit = last_data_commit(self._root, self.delta) if self.delta else {}
        self.same_schema = self.delta is not None and has_schema(self.delta, Schema.from_arrow(table.schema), table)
        # A table with other columns is replaced as a whole, with its partitions.
        self.recorded = recorded_contents(self.last_commit) if self.same_schema else {}
        self._hashes = recorded_hashes(self.recorded)
        partial = touched is not None or (partition_range is not None and not partition_range.whole)
        if self.delta and not self.same_schema and partial:
            raise ChuError(
                f"{table.folder} was written with other columns: materialise all its partitions once, not only some"
            )
        self.files: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.identities_of_others: dict[str, str] = {}
        for file in active_files(self.delta) if self.delta is not None else ():
            partition = partition_of(file)
            folder = folder_of(partition, table.partition_by)
            if partition_range and not partition_range.holds(partition[partition_range.partition_scheme.column]):
                continue
            if touched is None or touched.holds(partition):
                self.files[folder].append({**file, "partition": partition})
            else:
                self.identities_of_others[folder] = self.recorded[folder].identity

    def is_unchanged(self, folder: str, identity: str | None) -> bool:
        """Whether the committed partition is intact and has rows with this identity (None: no rows)."""
        return self.same_schema and self._identity(folder) == identity

    def _identity(self, folder: str) -> str | None:
        """Identity of the committed rows of a partition; None if it has none."""
        files = self.files.get(folder, [])
        paths = [self._root / f["path"] for f in files]
        if not files:
            return None
        sizes = [path.stat().st_size if path.is_file() else None for path in paths]
        if sizes != [f["size_bytes"] for f in files]:
            return DAMAGED
        names = [f["path"] for f in files]
        if self._compare_bytes and any(
            is_changed(path, expected_hash(name, self._hashes)) for name, path in zip(names, paths, strict=True)
        ):
            return DAMAGED
        recorded = self.recorded.get(folder)
        if recorded and recorded.describes(names):
            return recorded.identity
        # Files of another tool, of OPTIMIZE or of an older version: compare the rows.
        try:
            with bounded_connection(self._scratch / "spill", sum(f["size_bytes"] for f in files)) as connection:
                found = aggregate_partitions(connection, self._table, files_relation(self._table, paths))
        except duckdb.Error:
            return DAMAGED
        return found[folder].identity

    def contents(self, partitions: Mapping[str, Partition]) -> Mapping[str, PartitionContents]:
        """The contents of the table if its partitions are unchanged and have these rows, whoever wrote their files."""
        found = dict(self.recorded)
        for folder, files in self.files.items():
            names = [f["path"] for f in files]
            if folder not in found or not found[folder].describes(names):
                found[folder] = PartitionContents.of_files(partitions[folder].identity, self._root, names)
        return found

    def had_rows_of(self, folder: str, partition: Partition | None) -> bool:
        """Whether the committed partition, damaged or not, was recorded with these rows."""
        recorded = self.recorded.get(folder)
        return recorded is not None and partition is not None and recorded.identity == partition.identity

    def removes(self, folder: str) -> list[RemoveAction]:
        """Delta actions that remove the files of the partition."""
        now = int(time.time() * 1000)
        return [RemoveAction(f["path"], True, now, f["size_bytes"], f["partition"]) for f in self.files.get(folder, [])]


def _commit(
    lake: Lake,
    table: Table,
    adds: list[AddAction],
    removes: list[RemoveAction],
    current: _CommittedPartitions,
    provenance: Mapping[str, Any],
) -> DeltaTable:
    schema = Schema.from_arrow(table.schema)
    # No retries by delta-rs: a commit of another tool may have changed the files that were compared.
    properties = CommitProperties(
        custom_metadata={"userMetadata": json.dumps(provenance, ensure_ascii=False)}, max_commit_retries=0
    )
    path = lake.place_of(table)
    lake.require_lock(table)
    if current.delta is None or not current.same_schema:
        create_table_with_add_actions(
            str(path),
            schema,
            adds,
            mode="error" if current.delta is None else "overwrite",
            partition_by=list(table.partition_by),
            name=table.name,
            description=table.grain,
            configuration=table_properties(table, table.maintenance),
            commit_properties=properties,
            post_commithook_properties=NO_HOOKS,
            storage_options=path.options if isinstance(path, StorePath) else None,
        )
    else:
        try:
            current.delta.create_write_transaction(
                [*adds, *removes],
                mode="append",
                schema=schema,
                partition_by=list(table.partition_by),
                commit_properties=properties,
                post_commithook_properties=NO_HOOKS,
            )
        except CommitFailedError:
            raise TransientError(f"another tool wrote {table.folder} at the same time: run again") from None
    return delta_table(path)


def commit_without_data(lake: Lake, table: Table, delta: DeltaTable, metadata: str) -> DeltaTable:
    """Commit metadata (JSON) only, with the properties of the table, and flush the commit; returns the new version."""
    delta.alter.set_table_properties(
        table_properties(table, table.maintenance),
        commit_properties=with_metadata(metadata),
        post_commithook_properties=NO_HOOKS,
    )
    committed = delta_table(lake.place_of(table))
    lake.make_durable_commit(table, committed.version())
    return committed


def _partition_name(folder: str, partition_range: PartitionRange | None) -> str:
    """Name of a partition folder in reports: its partition key, or the folder if there is no partition range."""
    return (
        partition_range.key_of(values_of(folder)[partition_range.partition_scheme.column])
        if partition_range
        else folder
    )


def _by_key(numbers: Mapping[str, int], partition_range: PartitionRange | None) -> Mapping[str, int]:
    """Numbers of partition folders, summed by partition key; empty if there is no partition range."""
    sums: Counter[str] = Counter()
    if partition_range:
        for folder, number in numbers.items():
            sums[_partition_name(folder, partition_range)] += number
    return dict(sums)


def has_schema(delta: DeltaTable, schema: Schema, table: Table) -> bool:
    """Whether a committed table has these columns and the declared partition columns."""
    same_columns = json.loads(delta.schema().to_json()) == json.loads(schema.to_json())
    return same_columns and delta.metadata().partition_columns == list(table.partition_by)
