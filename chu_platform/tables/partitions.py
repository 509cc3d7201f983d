"""Partition schemes: partitions of a table by month or year, and ranges of partitions.

A partitioned table has one Delta partition column. Its values are written like the partition keys (`2019-01`, `2019`),
which are also the keys of its Dagster partitions. The first and the last partition are open-ended: rows without a date
or before the first key belong to the first one, rows after the last key to the last one. So every row has a partition.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Final

from chu_platform.tables.duckdb_sql import sql_text

# Text of a null value in the name of the folder of a partition.
NULL_PARTITION: Final = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True)
class PartitionScheme:
    """How a table is partitioned: by month if the key `first` is a month (`2015-01`), by year if it is a year (`1970`).

    `column` is the Delta partition column.
    """

    name: str
    column: str
    first: str

    @property
    def monthly(self) -> bool:
        """Whether partitions are months (otherwise years)."""
        return "-" in self.first

    @property
    def keys(self) -> Sequence[str]:
        """All partition keys in chronological order, up to the current month or year in UTC."""
        now = datetime.now(UTC)
        if not self.monthly:
            return [str(year) for year in range(int(self.first), now.year + 1)]
        year, month = map(int, self.first.split("-"))
        months = range(12 * year + month - 1, 12 * now.year + now.month)
        return [f"{number // 12}-{number % 12 + 1:02}" for number in months]

    def within(self, first: str, last: str) -> "PartitionRange | None":
        """The partitions that overlap a period; None if there are none.

        `first` and `last` are years (`2019`) or months (`2019-03`), both included. A month overlaps its year, a year
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
        """Smallest value of the partition column; None if the range has no lower bound."""
        return None if self.first == self.partition_scheme.keys[0] else self.first

    @cached_property
    def upper(self) -> str | None:
        """Largest value of the partition column; None if the range has no upper bound."""
        return None if self.last == self.partition_scheme.keys[-1] else self.last

    @property
    def whole(self) -> bool:
        """Whether the range contains all partitions."""
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
        """The same test as `holds`, as a condition in Spark SQL and DuckDB. Keys contain only digits and hyphens."""
        column = self.partition_scheme.column
        lower = "true" if self.lower is None else f"{column} >= '{self.lower}'"
        upper = "true" if self.upper is None else f"{column} <= '{self.upper}'"
        null = f" OR {column} IS NULL" if self.lower is None else ""
        return f"(({lower} AND {upper}){null})"

    def key_of(self, value: str | None) -> str:
        """The partition key to which a value of the partition column belongs."""
        keys = self.partition_scheme.keys
        if value is None or value < keys[0]:
            return keys[0]
        return min(value, keys[-1])


@dataclass(frozen=True)
class TouchedPartitions:
    """The Delta partitions that a changed input touches, in any order.

    Each of `values` gives the values of some partition columns, and stands for all partitions that have them.
    """

    values: frozenset[tuple[tuple[str, str | None], ...]]

    @staticmethod
    def of(values: Iterable[Mapping[str, str | None]]) -> "TouchedPartitions":
        """The partitions with one of these values."""
        return TouchedPartitions(frozenset(tuple(sorted(v.items())) for v in values))

    def __bool__(self) -> bool:
        return bool(self.values)

    def __or__(self, other: "TouchedPartitions") -> "TouchedPartitions":
        return TouchedPartitions(self.values | other.values)

    def holds(self, partition: Mapping[str, str | None]) -> bool:
        """Whether the partition with these values of all partition columns is one of them."""
        return any(all(partition[column] == value for column, value in values) for values in self.values)

    def predicate(self) -> str:
        """The same test as `holds`, as a condition in DuckDB, and in Spark SQL if no value contains a backslash."""
        alternatives = [
            " AND ".join(
                f"{column} IS NULL" if value is None else f"{column} = {sql_text(value)}" for column, value in values
            )
            for values in sorted(self.values, key=str)
        ]
        return " OR ".join(f"({a})" for a in alternatives) or "false"


NO_PARTITIONS: Final = TouchedPartitions.of(())
# Consultations and hospital stays start in June 2015. The first key is January: so every year has all its months.
MONTHLY: Final = PartitionScheme("month", "month", first="2015-01")
# INSEE's register is almost complete from 1971 on. The key before, 1970, collects the few earlier and undated deaths.
DEATH_YEARS: Final = PartitionScheme("death_year", "death_year", first="1970")
# Campaigns of HAS files. It is also the scheme of the years of indicators: Dagster can make assets with the same
# partitions in one backfill.
CAMPAIGNS: Final = PartitionScheme("year", "campaign_year", first="2014")
YEARS: Final = CAMPAIGNS
PARTITION_SCHEMES: Final = (MONTHLY, DEATH_YEARS, CAMPAIGNS)
