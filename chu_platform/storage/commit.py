"""Commit of staged Parquet files: they replace partitions of a table in one atomic Delta commit.

Rows are first written to a staging folder (`Lake.staging`) and checked there. Then their files are moved into the table
and committed, so a reader sees either the old or the new version of all partitions. A run that is killed between the
move and the commit leaves files that no commit names; VACUUM removes them.
"""

import hashlib
import json
import math
import re
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Schema
from deltalake.exceptions import CommitFailedError
from deltalake.transaction import AddAction, RemoveAction, create_table_with_add_actions

from chu_platform.errors import ChuError, TransientError
from chu_platform.storage.content_addressed_files import ContentAddressedFile, content_addressed_files, content_of
from chu_platform.storage.delta_properties import statistics_columns, table_properties
from chu_platform.storage.lake import Lake, active_files
from chu_platform.storage.provenance import last_data_commit, source_files, with_metadata
from chu_platform.tables.partitions import PartitionRange
from chu_platform.tables.table import Table

PLAIN_VALUE = re.compile(r"[A-Za-z0-9_-]+")
NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"
# No checkpoints: Sail cannot read the versions before a checkpoint that the log points to. Maintenance writes them and
# removes the pointer.
NO_HOOKS = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)
# Bytes. Longer strings are truncated in Parquet footers and do not help readers to skip files.
MAX_STATISTIC_LENGTH = 32


@dataclass(frozen=True)
class CommitResult:
    """Result of a commit.

    `version` is the version of the table after the commit. `rows` and `size` (bytes) are totals of the staged
    partitions; `rows_by_partition` and `size_by_partition` give them by partition key. `changed` are the partitions
    whose rows differ from the previous version (Delta partitions if the table has no partition scheme); the files of
    the others stay. `content` is a fingerprint of the staged rows: equal rows have equal fingerprints. `table_rows`,
    `table_size` (bytes) and `table_files` are totals of the whole table after the commit.
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


def commit_staged(
    lake: Lake, table: Table, staged: Path, partition_range: PartitionRange | None, provenance: Mapping[str, Any]
) -> CommitResult:
    """Replace the partitions of the table (the whole table if `partition_range` is None) by the staged Parquet files.

    The caller holds `lake.staging(table)`. `staged` contains Parquet files in Hive-style folders of the table's
    partition columns. Partitions with unchanged rows keep their files. If no partition changed, no data is
    committed. If the same rows now come from other source files, a commit without data records the new files.
    Raises ChuError if the committed table has another schema and `partition_range` is not the whole table.
    Raises TransientError if another tool committed to the table at the same time.
    """
    scratch = lake.staging_folder(table) / "content-addressed"
    new = content_addressed_files(table, staged, sorted(staged.rglob("*.parquet")), scratch / "new")
    files = {f.path: _ParquetFooter(f.path) for f in new}
    partitions = {f.folder: _partition_values(f.folder) for f in new}
    by_folder: dict[str, list[ContentAddressedFile]] = defaultdict(list)
    for file in new:
        by_folder[file.folder].append(file)
    current = _CommittedPartitions(lake, table, partition_range)
    changed = sorted(
        folder
        for folder in by_folder.keys() | current.files.keys()
        if not current.is_unchanged(folder, by_folder.get(folder, []), scratch / "old")
    )
    delta = current.delta
    if changed or delta is None or not current.same_schema:
        adds = [
            _move_into_table(lake.path(table), table, file, files[file.path], partitions[folder], current.suffix)
            for folder in changed
            for file in by_folder.get(folder, [])
        ]
        removes = [action for folder in changed for action in current.removes(folder)]
        delta = _commit(lake, table, adds, removes, current, provenance)
    elif source_files(provenance) and source_files(provenance) != source_files(last_data_commit(delta)):
        # The same rows from other source files, such as a reordered delivery: the log must name the current files.
        metadata = json.dumps(provenance, ensure_ascii=False)
        properties = table_properties(table, table.maintenance)
        delta.alter.set_table_properties(
            properties, commit_properties=with_metadata(metadata), post_commithook_properties=NO_HOOKS
        )
    rows_by_partition: Counter[str] = Counter()
    size_by_partition: Counter[str] = Counter()
    if partition_range:
        for file in new:
            key = partition_range.key_of(partitions[file.folder][partition_range.partition_scheme.column])
            rows_by_partition[key] += files[file.path].rows
            size_by_partition[key] += files[file.path].size
    table_files = active_files(delta)
    return CommitResult(
        delta.version(),
        sum(f.rows for f in files.values()),
        sum(f.size for f in files.values()),
        rows_by_partition,
        size_by_partition,
        list(dict.fromkeys(_partition_name(folder, partition_range) for folder in changed)),
        hashlib.sha256("".join(f"{f.folder}/{f.content}\n" for f in new).encode()).hexdigest()[:16],
        sum(f["num_records"] or 0 for f in table_files),
        sum(f["size_bytes"] for f in table_files),
        len(table_files),
    )


class _CommittedPartitions:
    """The committed files of a table before a new commit, by partition folder, restricted to the partition range."""

    def __init__(self, lake: Lake, table: Table, partition_range: PartitionRange | None) -> None:
        self._table = table
        self._root = lake.path(table)
        self.delta = lake.open(table)
        self.same_schema = self.delta is not None and _has_schema(self.delta, Schema.from_arrow(table.schema), table)
        if self.delta and not self.same_schema and partition_range and not partition_range.whole:
            raise ChuError(
                f"{table.folder} was written with other columns: materialise all its partitions once, not only some"
            )
        # A file of another schema may have the same content. One name must not be both removed and added.
        self.suffix = f"-{self.delta.version()}" if self.delta and not self.same_schema else ""
        self.files: dict[str, list[dict[str, Any]]] = defaultdict(list)
        if self.delta is not None:
            for file in active_files(self.delta):
                partition = _as_text(file.get("partition"))
                if partition_range is None or partition_range.holds(partition[partition_range.partition_scheme.column]):
                    folder = file["path"].rpartition("/")[0]
                    self.files[folder].append({**file, "partition": partition})

    def is_unchanged(self, folder: str, wanted: Sequence[ContentAddressedFile], scratch: Path) -> bool:
        """Whether the committed partition already has the `wanted` rows and the declared schema."""
        if not self.same_schema:
            return False
        found = [content_of(f["path"]) for f in self.files.get(folder, [])]
        if None in found:
            # Another tool or OPTIMIZE wrote files of this partition: compare the rows.
            paths = [self._root / f["path"] for f in self.files[folder]]
            found = [f.content for f in content_addressed_files(self._table, self._root, paths, scratch)]
        return sorted(filter(None, found)) == sorted(f.content for f in wanted)

    def removes(self, folder: str) -> list[RemoveAction]:
        """Delta actions that remove the files of the partition."""
        now = int(time.time() * 1000)
        return [RemoveAction(f["path"], True, now, f["size_bytes"], f["partition"]) for f in self.files.get(folder, [])]


def _move_into_table(
    path: Path,
    table: Table,
    file: ContentAddressedFile,
    footer: "_ParquetFooter",
    partition: Mapping[str, str | None],
    suffix: str,
) -> AddAction:
    target = path / file.folder / f"part-{file.content}{suffix}.parquet"
    target.parent.mkdir(parents=True, exist_ok=True)
    file.path.replace(target)
    return AddAction(
        path=target.relative_to(path).as_posix(),
        size=footer.size,
        partition_values=dict(partition),
        modification_time=int(time.time() * 1000),
        data_change=True,
        stats=json.dumps(footer.statistics(statistics_columns(table))),
    )


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
    path = lake.path(table)
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
    return DeltaTable(path)


def _partition_name(folder: str, partition_range: PartitionRange | None) -> str:
    """Name of a partition folder in reports: its partition key, or the folder if there is no partition range."""
    return (
        partition_range.key_of(_partition_values(folder)[partition_range.partition_scheme.column])
        if partition_range
        else folder
    )


def _has_schema(delta: DeltaTable, schema: Schema, table: Table) -> bool:
    same_columns = json.loads(delta.schema().to_json()) == json.loads(schema.to_json())
    return same_columns and delta.metadata().partition_columns == list(table.partition_by)


def _as_text(partition: Mapping[str, Any] | None) -> dict[str, str | None]:
    return {k: None if v is None else str(v) for k, v in (partition or {}).items()}


def _partition_values(folder: str) -> dict[str, str | None]:
    """Partition values of a Hive-style folder. Raises ValueError for a value that would need escaping."""
    values: dict[str, str | None] = {}
    for part in filter(None, folder.split("/")):
        name, _, text = part.partition("=")
        if not PLAIN_VALUE.fullmatch(text):
            raise ValueError(f"the partition column {name} holds values that are not plain codes")
        values[name] = None if text == NULL_PARTITION else text
    return values


class _ParquetFooter:
    """Size, row count and statistics of a Parquet file, from its footer."""

    def __init__(self, path: Path) -> None:
        self.size = path.stat().st_size
        self._footer = pq.read_metadata(path)
        self.rows: int = self._footer.num_rows

    def statistics(self, columns: Sequence[str]) -> dict[str, Any]:
        """Delta file statistics of `columns`, from those of the row groups. Omits columns without exact statistics."""
        lows: dict[str, Any] = {}
        highs: dict[str, Any] = {}
        nulls: dict[str, int] = {}
        groups = [self._footer.row_group(i) for i in range(self._footer.num_row_groups)]
        for index, name in enumerate(self._footer.schema.to_arrow_schema().names):
            found = [g.column(index).statistics for g in groups]
            if name not in columns or any(s is None for s in found):
                continue
            if all(s.has_null_count for s in found):
                nulls[name] = sum(s.null_count for s in found)
            ranged = [s for s in found if s.has_min_max]
            if ranged and all(s.has_min_max or s.null_count == g.num_rows for s, g in zip(found, groups, strict=True)):
                low, high = min(s.min for s in ranged), max(s.max for s in ranged)
                if _is_exact(low) and _is_exact(high):
                    lows[name], highs[name] = _as_json(low), _as_json(high)
        return {"numRecords": self.rows, "minValues": lows, "maxValues": highs, "nullCount": nulls}


def _is_exact(value: object) -> bool:
    if isinstance(value, str):
        return len(value.encode()) <= MAX_STATISTIC_LENGTH
    return isinstance(value, int | date) or (isinstance(value, float) and math.isfinite(value))


def _as_json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
