"""What each Dagster partition of a table has: rows, bytes, and whether a step changed it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from chu_platform.storage.commit import CommitResult
from chu_platform.storage.lake import Lake, active_files, partition_of
from chu_platform.storage.partition_folders import values_of
from chu_platform.tables.partitions import PartitionRange
from chu_platform.tables.table import Table


@dataclass(frozen=True)
class PartitionFigures:
    """Rows and bytes of a partition, and whether the step changed its rows."""

    rows: int = 0
    size: int = 0
    changed: bool = False


NOTHING: Final = PartitionFigures()


def figures_by_partition(
    lake: Lake, table: Table, partition_range: PartitionRange, commit: CommitResult | None = None
) -> Mapping[str, PartitionFigures]:
    """The partitions of the range that have rows or were changed by the commit, by key.

    In a table over periods, the rows of a year are those of its months, of its quarters and of the year itself.
    """
    found: dict[str, PartitionFigures] = defaultdict(PartitionFigures)
    for file in active_files(lake.require(table)):
        if (key := _key_of(table, partition_range, partition_of(file))) is not None:
            before = found[key]
            found[key] = PartitionFigures(before.rows + (file["num_records"] or 0), before.size + file["size_bytes"])
    for name in commit.changed if commit else ():
        key = name if table.partition_scheme else _key_of(table, partition_range, values_of(name))
        if key is not None:
            found[key] = replace(found[key], changed=True)
    return found


def until_last_rows(partition_range: PartitionRange, figures: Mapping[str, PartitionFigures]) -> Sequence[str]:
    """The first partitions of a range, until the last one with rows or changes, but at least one."""
    keys = partition_range.keys
    last = max((n for n, key in enumerate(keys) if figures.get(key, NOTHING) != NOTHING), default=0)
    return keys[: last + 1]


def _key_of(table: Table, partition_range: PartitionRange, values: Mapping[str, str | None]) -> str | None:
    """The key of the partition of the range that a Delta partition belongs to; None if it belongs to no one of them."""
    if table.partition_scheme is not None:
        value = values[table.partition_scheme.column]
    elif (value := table.year_of(values)) is None:
        return None  # a period that is longer than a year
    return partition_range.key_of(value) if partition_range.holds(value) else None
