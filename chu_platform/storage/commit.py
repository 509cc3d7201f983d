"""Publishing: staged Parquet files become the new content of a table's partitions, in one atomic Delta commit.

Rows are always written beside the table first (`Lake.staging`), by the engine, by DuckDB or from Arrow, audited
there, and only then moved in and committed. A reader sees the slice of before or the whole new one. A run that
dies between the move and the commit leaves unreferenced files, which VACUUM removes.

Here: the move, the file statistics, the commit and its provenance. Not here: making or auditing rows.
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

from chu_platform.errors import ChuError, Transient
from chu_platform.storage.content_addressed_files import ContentAddressedFile, content_addressed_files, content_of
from chu_platform.storage.delta_properties import statistics_columns, table_properties
from chu_platform.storage.lake import Lake, active_files
from chu_platform.storage.provenance import files_read, last_data_commit, with_metadata
from chu_platform.tables.partitions import PartitionRange
from chu_platform.tables.table import Table

PLAIN_VALUE = re.compile(r"[A-Za-z0-9_-]+")
NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"
# Sail reads no version of before a checkpoint that the log points to: maintenance makes them, when nobody reads.
NO_HOOKS = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)
# Longer strings are truncated in Parquet footers, and say nothing that a reader would skip files by.
MAX_STATISTIC_LENGTH = 32


@dataclass(frozen=True)
class Published:
    """What a publication did.

    `version` is the table's version afterwards; `rows` and `size` (bytes) are those of the partitions made, by key in
    `rows_by_slice` and `size_by_slice`; `changed` are the partitions (Delta partitions in a table without) whose rows
    differ from before: no other file was touched. `content` identifies the rows made: equal rows, equal content.
    `table_rows`, `table_size` and `table_files` are those of the whole table afterwards.
    """

    version: int
    rows: int
    size: int
    rows_by_slice: Mapping[str, int]
    size_by_slice: Mapping[str, int]
    changed: Sequence[str]
    content: str
    table_rows: int
    table_size: int
    table_files: int


def publish(
    lake: Lake, table: Table, staged: Path, partition_range: PartitionRange | None, provenance: Mapping[str, Any]
) -> Published:
    """Replace the partitions of the table (all of it when `partition_range` is None) by the staged Parquet files.

    The caller holds `lake.staging(table)`. `staged` holds Parquet files in Hive-style folders of the table's partition
    columns. PartitionRange whose rows are what they were keep their files; when that is all of them there is no commit.
    Raises ChuError when the table on disk has another schema and only a part of it is to be written.
    """
    scratch = lake.staging_folder(table) / "canonical"
    new = content_addressed_files(table, staged, sorted(staged.rglob("*.parquet")), scratch / "new")
    files = {f.path: _File(f.path) for f in new}
    partitions = {f.folder: _partition_values(f.folder) for f in new}
    by_folder: dict[str, list[ContentAddressedFile]] = defaultdict(list)
    for file in new:
        by_folder[file.folder].append(file)
    current = _Current(lake, table, partition_range)
    changed = sorted(
        folder
        for folder in by_folder.keys() | current.files.keys()
        if not current.holds(folder, by_folder.get(folder, []), scratch / "old")
    )
    delta = current.delta
    if changed or delta is None or not current.same_shape:
        adds = [
            _moved_in(lake.path(table), table, file, files[file.path], partitions[folder], current.suffix)
            for folder in changed
            for file in by_folder.get(folder, [])
        ]
        removes = [action for folder in changed for action in current.removes(folder)]
        delta = _commit(lake, table, adds, removes, current, provenance)
    elif files_read(provenance) and files_read(provenance) != files_read(last_data_commit(delta)):
        # The same rows from other files, such as a delivery in another order: the log must name those that are there.
        words = json.dumps(provenance, ensure_ascii=False)
        properties = table_properties(table, table.maintenance)
        delta.alter.set_table_properties(
            properties, commit_properties=with_metadata(words), post_commithook_properties=NO_HOOKS
        )
    rows_by_slice: Counter[str] = Counter()
    size_by_slice: Counter[str] = Counter()
    if partition_range:
        for file in new:
            key = partition_range.key_of(partitions[file.folder][partition_range.partition_scheme.column])
            rows_by_slice[key] += files[file.path].rows
            size_by_slice[key] += files[file.path].size
    lying = active_files(delta)
    return Published(
        delta.version(),
        sum(f.rows for f in files.values()),
        sum(f.size for f in files.values()),
        rows_by_slice,
        size_by_slice,
        list(dict.fromkeys(_slice_of(folder, partition_range) for folder in changed)),
        hashlib.sha256("".join(f"{f.folder}/{f.content}\n" for f in new).encode()).hexdigest()[:16],
        sum(f["num_records"] or 0 for f in lying),
        sum(f["size_bytes"] for f in lying),
        len(lying),
    )


class _Current:
    """The partitions of a table as they are before a publication: the files of each partition folder."""

    def __init__(self, lake: Lake, table: Table, partition_range: PartitionRange | None) -> None:
        self._table = table
        self._root = lake.path(table)
        self.delta = lake.open(table)
        self.same_shape = self.delta is not None and _same_shape(self.delta, Schema.from_arrow(table.schema), table)
        if self.delta and not self.same_shape and partition_range and not partition_range.whole:
            raise ChuError(
                f"{table.folder} was written with other columns: materialise all its partitions once, not only some"
            )
        # A file of another schema may hold the same bytes; its name must not be both removed and added.
        self.suffix = f"-{self.delta.version()}" if self.delta and not self.same_shape else ""
        self.files: dict[str, list[dict[str, Any]]] = defaultdict(list)
        if self.delta is not None:
            for file in active_files(self.delta):
                partition = _as_text(file.get("partition"))
                if partition_range is None or partition_range.holds(partition[partition_range.partition_scheme.column]):
                    folder = file["path"].rpartition("/")[0]
                    self.files[folder].append({**file, "partition": partition})

    def holds(self, folder: str, wanted: Sequence[ContentAddressedFile], scratch: Path) -> bool:
        """Whether the partition has these rows already, in this schema."""
        if not self.same_shape:
            return False
        found = [content_of(f["path"]) for f in self.files.get(folder, [])]
        if None in found:
            # Others, such as OPTIMIZE, have written here: only the rows themselves can tell.
            paths = [self._root / f["path"] for f in self.files[folder]]
            found = [f.content for f in content_addressed_files(self._table, self._root, paths, scratch)]
        return sorted(filter(None, found)) == sorted(f.content for f in wanted)

    def removes(self, folder: str) -> list[RemoveAction]:
        """The actions that take the partition's files out of the table."""
        now = int(time.time() * 1000)
        return [RemoveAction(f["path"], True, now, f["size_bytes"], f["partition"]) for f in self.files.get(folder, [])]


def _moved_in(
    path: Path,
    table: Table,
    file: ContentAddressedFile,
    said: "_File",
    partition: Mapping[str, str | None],
    suffix: str,
) -> AddAction:
    target = path / file.folder / f"part-{file.content}{suffix}.parquet"
    target.parent.mkdir(parents=True, exist_ok=True)
    file.path.replace(target)
    return AddAction(
        path=target.relative_to(path).as_posix(),
        size=said.size,
        partition_values=dict(partition),
        modification_time=int(time.time() * 1000),
        data_change=True,
        stats=json.dumps(said.statistics(statistics_columns(table))),
    )


def _commit(
    lake: Lake,
    table: Table,
    adds: list[AddAction],
    removes: list[RemoveAction],
    current: _Current,
    provenance: Mapping[str, Any],
) -> DeltaTable:
    schema = Schema.from_arrow(table.schema)
    # Without retries of delta-rs' own: what another tool commits meanwhile may have changed the files looked at.
    properties = CommitProperties(
        custom_metadata={"userMetadata": json.dumps(provenance, ensure_ascii=False)}, max_commit_retries=0
    )
    path = lake.path(table)
    if current.delta is None or not current.same_shape:
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
            raise Transient(f"another tool wrote {table.folder} at the same time: run again") from None
    return DeltaTable(path)


def _slice_of(folder: str, partition_range: PartitionRange | None) -> str:
    """What a partition folder is called in reports: the key of its slice, or the folder itself."""
    return (
        partition_range.key_of(_partition_values(folder)[partition_range.partition_scheme.column])
        if partition_range
        else folder
    )


def _same_shape(delta: DeltaTable, schema: Schema, table: Table) -> bool:
    same_columns = json.loads(delta.schema().to_json()) == json.loads(schema.to_json())
    return same_columns and delta.metadata().partition_columns == list(table.partition_by)


def _as_text(partition: Mapping[str, Any] | None) -> dict[str, str | None]:
    return {k: None if v is None else str(v) for k, v in (partition or {}).items()}


def _partition_values(folder: str) -> dict[str, str | None]:
    """Partition values of a Hive-style folder. The platform partitions by codes that need no escaping."""
    values: dict[str, str | None] = {}
    for part in filter(None, folder.split("/")):
        name, _, text = part.partition("=")
        if not PLAIN_VALUE.fullmatch(text):
            raise ValueError(f"the partition column {name} holds values that are not plain codes")
        values[name] = None if text == NULL_PARTITION else text
    return values


class _File:
    """What the footer of a Parquet file says."""

    def __init__(self, path: Path) -> None:
        self.size = path.stat().st_size
        self._footer = pq.read_metadata(path)
        self.rows: int = self._footer.num_rows

    def statistics(self, columns: Sequence[str]) -> dict[str, Any]:
        """Delta file statistics of `columns`, from the row groups' own; columns without exact ones are left out."""
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
                if _can_be_listed(low) and _can_be_listed(high):
                    lows[name], highs[name] = _listed(low), _listed(high)
        return {"numRecords": self.rows, "minValues": lows, "maxValues": highs, "nullCount": nulls}


def _can_be_listed(value: object) -> bool:
    if isinstance(value, str):
        return len(value.encode()) <= MAX_STATISTIC_LENGTH
    return isinstance(value, int | date) or (isinstance(value, float) and math.isfinite(value))


def _listed(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
