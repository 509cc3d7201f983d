"""Partition ranges: keys that a period overlaps, and values of the partition column that belong to a range."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import duckdb
import pytest

from chu_platform.tables.partitions import (
    CAMPAIGNS,
    DEATH_YEARS,
    MONTHLY,
    PARTITION_SCHEMES,
    PartitionRange,
    PartitionScheme,
)

pytestmark = pytest.mark.unit

FIRST_KEYS = {"month": "2015-01", "death_year": "1970", "year": "2014"}
# Values around the edges of every scheme; those of months serve for years as well, which are compared as texts.
VALUES: Final[Sequence[str | None]] = (
    *(None, "", "0001", "1899", "1969", "1970", "1971", "2013", "2014", "2014-12", "2015", "2015-01", "2015-02"),
    *("2018-12", "2019", "2019-01", "2019-02", "2020", "2099", "2099-12", "9999", "9999-12"),
)


def ends(found: PartitionRange | None) -> tuple[str, str] | None:
    return (found.first, found.last) if found else None


@pytest.mark.parametrize("scheme", PARTITION_SCHEMES, ids=lambda s: s.name)
def test_keys_run_without_gaps_from_the_first_to_the_current_period(scheme: PartitionScheme) -> None:
    today = datetime.now(UTC).date()
    first = FIRST_KEYS[scheme.name]
    if scheme is MONTHLY:
        months = range(2015 * 12, today.year * 12 + today.month)
        expected = [f"{m // 12}-{m % 12 + 1:02}" for m in months]
    else:
        expected = [str(year) for year in range(int(first), today.year + 1)]
    assert scheme.keys[0] == first
    assert list(scheme.keys) == expected


@pytest.mark.parametrize(
    ("scheme", "first", "last", "expected"),
    [
        (MONTHLY, "2019-03", "2019-03", ("2019-03", "2019-03")),
        (MONTHLY, "2019-03", "2020-02", ("2019-03", "2020-02")),
        (MONTHLY, "2019", "2019", ("2019-01", "2019-12")),
        (MONTHLY, "2018-11", "2019", ("2018-11", "2019-12")),
        (MONTHLY, "2018", "2019-02", ("2018-01", "2019-02")),
        (MONTHLY, "2014", "2015-01", ("2015-01", "2015-01")),
        (MONTHLY, "1800", "2015", ("2015-01", "2015-12")),
        (MONTHLY, "1800", "2014-12", None),
        (MONTHLY, "9998", "9999", None),
        (MONTHLY, "2019-04", "2019-03", None),
        (MONTHLY, "2019-13", "2019-13", None),
        (DEATH_YEARS, "2019", "2019", ("2019", "2019")),
        (DEATH_YEARS, "2019-03", "2019-03", ("2019", "2019")),
        (DEATH_YEARS, "2018-12", "2020-01", ("2018", "2020")),
        (DEATH_YEARS, "1492", "1970", ("1970", "1970")),
        (DEATH_YEARS, "1492", "1969", None),
        (DEATH_YEARS, "2018", "1492", None),
        (CAMPAIGNS, "2000", "2014-01", ("2014", "2014")),
        (CAMPAIGNS, "2016", "2017-06", ("2016", "2017")),
    ],
)
def test_a_period_overlaps_these_partitions(
    scheme: PartitionScheme, first: str, last: str, expected: tuple[str, str] | None
) -> None:
    assert ends(scheme.within(first, last)) == expected


@pytest.mark.parametrize("scheme", PARTITION_SCHEMES, ids=lambda s: s.name)
def test_a_period_that_ends_after_the_last_key_overlaps_the_last_key(scheme: PartitionScheme) -> None:
    found = scheme.within("2019", "9999")
    assert found is not None
    assert found.last == scheme.keys[-1]
    assert found.upper is None and found.lower == found.first and found.first.startswith("2019")


def test_the_keys_of_a_range_include_both_ends() -> None:
    assert list(MONTHLY.between("2018-11", "2019-02").keys) == ["2018-11", "2018-12", "2019-01", "2019-02"]
    assert list(DEATH_YEARS.between("2019", "2019").keys) == ["2019"]
    assert list(CAMPAIGNS.every().keys) == list(CAMPAIGNS.keys)


@pytest.mark.parametrize("scheme", PARTITION_SCHEMES, ids=lambda s: s.name)
def test_only_a_range_of_all_keys_is_whole(scheme: PartitionScheme) -> None:
    keys = scheme.keys
    assert scheme.every().whole and scheme.between(keys[0], keys[-1]).whole
    parts = [scheme.between(keys[0], keys[-2]), scheme.between(keys[1], keys[-1]), scheme.between(keys[1], keys[-2])]
    assert [p.whole for p in parts] == [False, False, False]
    assert [(p.lower, p.upper) for p in parts] == [(None, keys[-2]), (keys[1], None), (keys[1], keys[-2])]


@pytest.mark.parametrize(
    ("first", "last", "held"),
    [
        # A range in the middle: no nulls, and no values outside its two ends.
        ("2018", "2019", ["2018-12", "2019"]),
        # A range from the first key: also earlier values and values without a date.
        ("1970", "1971", [None, "", "0001", "1899", "1969", "1970", "1971"]),
    ],
)
def test_a_range_of_years_holds_these_values(first: str, last: str, held: list[str | None]) -> None:
    found = DEATH_YEARS.between(first, last)
    assert [v for v in VALUES if found.holds(v)] == held


def test_the_last_partition_holds_later_values() -> None:
    last = MONTHLY.keys[-1]
    found = MONTHLY.between(last, last)
    assert found.holds(last) and found.holds("9999-12")
    assert not found.holds(MONTHLY.keys[-2]) and not found.holds(None)


@pytest.mark.parametrize("scheme", PARTITION_SCHEMES, ids=lambda s: s.name)
def test_the_predicate_selects_exactly_the_values_of_the_range(scheme: PartitionScheme) -> None:
    keys = scheme.keys
    edges = (keys[0], keys[1], keys[4], keys[-2], keys[-1])
    ranges = [scheme.between(a, b) for i, a in enumerate(edges) for b in edges[i:]]
    values = [*VALUES, *keys]
    assert len(ranges) == 15
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE stored ({scheme.column} VARCHAR, n INT)")
        connection.executemany("INSERT INTO stored VALUES (?, ?)", [[v, n] for n, v in enumerate(values)])
        for found in ranges:
            selected = connection.execute(f"SELECT n FROM stored WHERE {found.predicate()} ORDER BY n").fetchall()
            assert [n for (n,) in selected] == [n for n, v in enumerate(values) if found.holds(v)], found


@pytest.mark.parametrize("scheme", PARTITION_SCHEMES, ids=lambda s: s.name)
def test_each_value_belongs_to_exactly_one_key(scheme: PartitionScheme) -> None:
    keys = scheme.keys
    every = scheme.every()
    assert [every.key_of(v) for v in (None, "", "0001", keys[0])] == [keys[0]] * 4
    assert [every.key_of(v) for v in (keys[-1], "9999", "9999-12")] == [keys[-1]] * 3
    assert [every.key_of(k) for k in keys] == list(keys)
    single = {key: scheme.between(key, key) for key in keys}
    for value in (None, "0001", *keys, "9999"):
        assert [k for k, r in single.items() if r.holds(value)] == [every.key_of(value)], value
