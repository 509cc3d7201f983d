"""Publishing: staged Parquet files become the new content of a table's slices, in one atomic Delta commit.

Rows are always written beside the table first (`Lake.staging`), by the engine, by DuckDB or from Arrow, audited
there, and only then moved in and committed. A reader sees the slice of before or the whole new one. A run that
dies between the move and the commit leaves unreferenced files, which VACUUM removes.

Here: the move, the file statistics, the commit and its provenance. Not here: making or auditing rows.
"""

import json
import math
import re
import time
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, Schema
from deltalake.transaction import AddAction, RemoveAction, create_table_with_add_actions

from chu_platform.errors import ChuError
from chu_platform.lake.lake import Lake
from chu_platform.tables.slices import Slices
from chu_platform.tables.table import Table

PLAIN_VALUE = re.compile(r"[A-Za-z0-9_-]+")
NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"
# Longer strings are truncated in Parquet footers, and say nothing that a reader would skip files by.
LONGEST_STATISTIC = 32


@dataclass(frozen=True)
class Published:
    """What a publication did: the new version, and the rows and bytes of the slices written."""

    version: int
    rows: int
    size: int
    rows_by_slice: Mapping[str, int]


def publish(lake: Lake, table: Table, staged: Path, slices: Slices | None, provenance: Mapping[str, Any]) -> Published:
    """Replace the slices of the table (all of it when `slices` is None) by the staged Parquet files.

    `staged` holds Parquet files in Hive-style folders of the table's partition columns. Raises ChuError when the
    table on disk has another schema and only a part of it is to be written.
    """
    files = [f for f in map(_StagedFile, sorted(staged.rglob("*.parquet"))) if f.rows]
    path = lake.path(table)
    adds: list[AddAction] = []
    rows_by_slice: Counter[str] = Counter()
    for file in files:
        partition = _partition_values(file.path.parent.relative_to(staged))
        if slices:
            rows_by_slice[slices.key_of(partition[slices.slicing.column])] += file.rows
        folder = path / file.path.parent.relative_to(staged)
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / f"part-{uuid.uuid4()}.parquet"
        file.path.replace(target)
        adds.append(
            AddAction(
                path=target.relative_to(path).as_posix(),
                size=file.size,
                partition_values=partition,
                modification_time=int(time.time() * 1000),
                data_change=True,
                stats=json.dumps(file.statistics(_statistics_columns(table))),
            )
        )
    version = _commit(lake, table, adds, slices, provenance)
    return Published(version, sum(f.rows for f in files), sum(f.size for f in files), rows_by_slice)


def _commit(
    lake: Lake, table: Table, adds: list[AddAction], slices: Slices | None, provenance: Mapping[str, Any]
) -> int:
    path = lake.path(table)
    schema = Schema.from_arrow(table.schema)
    properties = CommitProperties(custom_metadata={"userMetadata": json.dumps(provenance, ensure_ascii=False)})
    delta = lake.open(table)
    whole = slices is None or slices.whole
    if delta is None or not _same_shape(delta, schema, table):
        if delta is not None and not whole:
            raise ChuError(
                f"{table.folder} was written with other columns: materialise all its partitions once, not only some"
            )
        create_table_with_add_actions(
            str(path),
            schema,
            adds,
            mode="error" if delta is None else "overwrite",
            partition_by=list(table.partition_by),
            name=table.name,
            description=table.grain,
            configuration={"delta.dataSkippingStatsColumns": ",".join(_statistics_columns(table))},
            commit_properties=properties,
        )
    else:
        removes = [
            RemoveAction(f["path"], True, int(time.time() * 1000), f["size_bytes"], _as_text(f.get("partition")))
            for f in pa.table(delta.get_add_actions()).to_pylist()
            if slices is None or slices.holds(_as_text(f.get("partition"))[slices.slicing.column])
        ]
        delta.create_write_transaction(
            [*adds, *removes],
            mode="append",
            schema=schema,
            partition_by=list(table.partition_by),
            commit_properties=properties,
        )
    return DeltaTable(path).version()


def _same_shape(delta: DeltaTable, schema: Schema, table: Table) -> bool:
    same_columns = json.loads(delta.schema().to_json()) == json.loads(schema.to_json())
    return same_columns and delta.metadata().partition_columns == list(table.partition_by)


def _as_text(partition: Mapping[str, Any] | None) -> dict[str, str | None]:
    return {k: None if v is None else str(v) for k, v in (partition or {}).items()}


def _partition_values(folder: Path) -> dict[str, str | None]:
    """Partition values of a Hive-style folder. The platform partitions by codes that need no escaping."""
    values: dict[str, str | None] = {}
    for part in folder.parts:
        name, _, text = part.partition("=")
        if not PLAIN_VALUE.fullmatch(text):
            raise ValueError(f"the partition column {name} holds values that are not plain codes")
        values[name] = None if text == NULL_PARTITION else text
    return values


def _statistics_columns(table: Table) -> list[str]:
    """Columns with file statistics: never identifying ones, whose values would outlive their rows in the log.

    Nor fractional ones: Sail 0.7 takes the value of a constant column from its statistics, where decimal text changes
    the last bit.
    """
    return [
        c.name
        for c in table.columns
        if not c.identifying and c.name not in table.partition_by and not pa.types.is_floating(c.type)
    ]


class _StagedFile:
    """One staged Parquet file and what its footer says."""

    def __init__(self, path: Path) -> None:
        self.path = path
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
        return len(value.encode()) <= LONGEST_STATISTIC
    return isinstance(value, int | date) or (isinstance(value, float) and math.isfinite(value))


def _listed(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
