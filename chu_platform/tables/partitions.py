"""Partition schemes: the partitions of time in which a table is written, and ranges of them.

A partitioned table has one Delta partition column whose values read like its partition keys (`2019-01`, `2019`); the
same keys are those of its Dagster partitions. The first and the last key are open-ended: what lies before the first (or
has no date) belongs to the first, what lies after the last belongs to the last, so that no row of a delivery falls
between partitions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Final


@dataclass(frozen=True)
class PartitionScheme:
    """How a table is partitioned by time: by month when the key `first` is one (`2015-01`), else by year (`1970`).

    `column` is the Delta partition column, whose values are the keys.
    """

    name: str
    column: str
    first: str

    @property
    def monthly(self) -> bool:
        """Whether a partition is a month; else it is a year."""
        return "-" in self.first

    @property
    def keys(self) -> Sequence[str]:
        """All partition keys in order of time, the period that is under way now (in UTC) included."""
        now = datetime.now(UTC)
        if not self.monthly:
            return [str(year) for year in range(int(self.first), now.year + 1)]
        year, month = map(int, self.first.split("-"))
        months = range(12 * year + month - 1, 12 * now.year + now.month)
        return [f"{number // 12}-{number % 12 + 1:02}" for number in months]

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
MONTHLY: Final = PartitionScheme("month", "month", first="2015-01")
# INSEE's register is dense from 1971 on; earlier and undated deaths count under its first key.
DEATH_YEARS: Final = PartitionScheme("death_year", "death_year", first="1970")
CAMPAIGNS: Final = PartitionScheme("campaign_year", "campaign_year", first="2014")
PARTITION_SCHEMES: Final = (MONTHLY, DEATH_YEARS, CAMPAIGNS)
