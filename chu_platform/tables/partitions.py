"""PartitionRange: the partitions of time in which a table is written, and the mapping from Dagster's keys to Delta's.

A partitioned table has one Delta partition column whose values read like its Dagster partition keys (`2019-01`,
`2019`). The first and the last key are open-ended: whatever lies before the first (or has no date) belongs to the
first, whatever lies after the last belongs to the last, so that no row of a delivery falls between partitions.

Here: the three ways of partition scheme and the predicate of a range of keys. Not here: reading or writing partitions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import dagster as dg


@dataclass(frozen=True)
class PartitionScheme:
    """How a table is cut: the Delta column, and the Dagster partitions whose keys are the column's values."""

    name: str
    column: str
    partitions: dg.TimeWindowPartitionsDefinition

    @property
    def keys(self) -> Sequence[str]:
        """All partition keys, in order of time."""
        return self.partitions.get_partition_keys()

    def within(self, first: str, last: str) -> "PartitionRange | None":
        """The partitions that a range of time touches; None when there are none.

        `first` and `last` are years (`2019`) or months (`2019-03`), both included: a month touches its year, a year
        all its months.
        """
        keys = [k for k in self.keys if k[: len(first)] >= first[: len(k)] and k[: len(last)] <= last[: len(k)]]
        return self.between(keys[0], keys[-1]) if keys else None

    def every(self) -> "PartitionRange":
        """All partitions."""
        return PartitionRange(self, self.keys[0], self.keys[-1])

    def between(self, first: str, last: str) -> "PartitionRange":
        """The partitions from key `first` to key `last`, both included."""
        return PartitionRange(self, first, last)


@dataclass(frozen=True)
class PartitionRange:
    """A contiguous range of partitions of one partition scheme."""

    partition_scheme: PartitionScheme
    first: str
    last: str

    @cached_property
    def lower(self) -> str | None:
        """Smallest value of the partition column, or None when the range is open below."""
        return None if self.first == self.partition_scheme.keys[0] else self.first

    @cached_property
    def upper(self) -> str | None:
        """Largest value of the partition column, or None when the range is open above."""
        return None if self.last == self.partition_scheme.keys[-1] else self.last

    @property
    def whole(self) -> bool:
        """Whether these are all partitions there are."""
        return self.lower is None and self.upper is None

    @property
    def keys(self) -> Sequence[str]:
        """The partition keys of the range."""
        keys = list(self.partition_scheme.keys)
        return keys[keys.index(self.first) : keys.index(self.last) + 1]

    def holds(self, value: str | None) -> bool:
        """Whether a value of the partition column belongs to these partitions."""
        if value is None:
            return self.lower is None
        return (self.lower is None or value >= self.lower) and (self.upper is None or value <= self.upper)

    def predicate(self) -> str:
        """The same as `holds`, as a condition that Spark SQL and DuckDB read. Keys are digits and dashes only."""
        column = self.partition_scheme.column
        lower = "true" if self.lower is None else f"{column} >= '{self.lower}'"
        upper = "true" if self.upper is None else f"{column} <= '{self.upper}'"
        null = f" OR {column} IS NULL" if self.lower is None else ""
        return f"(({lower} AND {upper}){null})"

    def key_of(self, value: str | None) -> str:
        """The partition key that a value of the partition column counts under."""
        keys = self.partition_scheme.keys
        if value is None or value < keys[0]:
            return keys[0]
        return min(value, keys[-1])


# The care database starts in June 2015 and the stays with it.
MONTHLY: Final = PartitionScheme("month", "month", dg.MonthlyPartitionsDefinition("2015-01", fmt="%Y-%m", end_offset=1))
# INSEE's register is dense from 1971 on; earlier and undated deaths count under its first key.
DEATH_YEARS: Final = PartitionScheme(
    "death_year",
    "death_year",
    dg.TimeWindowPartitionsDefinition(start="1970", fmt="%Y", cron_schedule="0 0 1 1 *", end_offset=1),
)
CAMPAIGNS: Final = PartitionScheme(
    "campaign_year",
    "campaign_year",
    dg.TimeWindowPartitionsDefinition(start="2014", fmt="%Y", cron_schedule="0 0 1 1 *", end_offset=1),
)
PARTITION_SCHEMES: Final = (MONTHLY, DEATH_YEARS, CAMPAIGNS)
