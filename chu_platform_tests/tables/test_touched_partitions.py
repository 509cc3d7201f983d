"""Which partitions a change of an input touches: as declared, in the folders of the lake and in SQL."""

import random
from datetime import date, timedelta

import duckdb
import pytest

from chu_platform.catalogue import catalogue
from chu_platform.facts.fact_consultation import fact_consultation
from chu_platform.facts.fact_death import fact_death
from chu_platform.facts.fact_death_coverage import fact_death_coverage
from chu_platform.kpis import kpi_consultation_rate_by_diagnosis, kpi_deaths_by_region
from chu_platform.sources.consultation import consultation
from chu_platform.sources.deces import deces
from chu_platform.sources.patient import patient
from chu_platform.tables.partitions import MONTHLY, TouchedPartitions
from chu_platform.tables.period_sql import ALL_START, TouchedPeriods, touched_periods
from chu_platform.tables.rows import Query
from chu_platform.tables.table import Table

pytestmark = pytest.mark.unit

DIAGNOSES = kpi_consultation_rate_by_diagnosis.EXACT
DEATHS = kpi_deaths_by_region.EXACT


def test_a_partition_is_one_of_them_in_python_as_in_sql() -> None:
    touched = TouchedPartitions.of([{"grain": "month", "start": "2019-03-01"}, {"grain": "all"}, {"start": None}])
    partitions: list[tuple[str | None, str | None]] = [
        ("month", "2019-03-01"), ("month", "2019-04-01"), ("all", "2015-06-01"), ("year", None), ("year", "2019-03-01")
    ]  # fmt: skip
    held = [touched.holds({"grain": grain, "start": start}) for grain, start in partitions]
    assert held == [True, False, True, True, False]
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE p (grain VARCHAR, start DATE, place INTEGER)")
        connection.executemany("INSERT INTO p VALUES (?, ?, ?)", [(*p, i) for i, p in enumerate(partitions)])
        found = connection.execute(f"SELECT coalesce({touched.predicate()}, false) FROM p ORDER BY place").fetchall()
        nothing = connection.execute(f"SELECT count(*) FROM p WHERE {TouchedPartitions.of([]).predicate()}").fetchall()
    assert [value for (value,) in found] == held and nothing == [(0,)]


def test_a_fact_is_touched_in_the_same_partitions() -> None:
    touched = fact_consultation.touched_by(consultation, [{"month": "2019-03"}, {"month": None}])
    assert touched == TouchedPartitions.of([{"month": "2019-03"}, {"month": None}])
    assert fact_death.touched_by(deces, [{"death_year": "1968"}]) == TouchedPartitions.of([{"death_year": "1968"}])


def test_an_indicator_is_touched_in_the_periods_of_the_month_or_year() -> None:
    touched = DIAGNOSES.touched_by(fact_consultation, [{"month": "2019-05"}])
    assert touched == TouchedPartitions.of(
        [
            {"period_grain": "month", "period_start": "2019-05-01"},
            {"period_grain": "quarter", "period_start": "2019-04-01"},
            {"period_grain": "year", "period_start": "2019-01-01"},
            {"period_grain": "all"},
        ]
    )
    assert DEATHS.touched_by(fact_death, [{"death_year": "2019"}]) == TouchedPartitions.of([{"year": "2019"}])
    assert DEATHS.touched_by(fact_death_coverage, [{"year": "2019"}]) == TouchedPartitions.of([{"year": "2019"}])
    assert DIAGNOSES.touched_by(fact_consultation, [{"month": None}]) is None


def test_other_inputs_touch_the_whole_table() -> None:
    assert fact_consultation.touched_by(patient, [{}]) is None
    assert DIAGNOSES.touched_by(DIAGNOSES.reads["period"], [{}]) is None


@pytest.mark.parametrize("table", [t for t in catalogue() if t.derives_from], ids=lambda t: t.name)
def test_what_is_declared_can_be_derived(table: Table) -> None:
    inputs = [table.reads[name] for name in table.derives_from]
    same = all(t.partition_scheme is table.partition_scheme for t in inputs)
    by_month = all(t.partition_scheme is MONTHLY for t in inputs)
    layout = [*table.partition_by]
    # A function is given the rows of the touched partitions, so its table has the partitions of its inputs.
    assert same or isinstance(table.rows, Query)
    assert same or layout == ["year"] or (by_month and layout == ["period_grain", "period_start"])


def test_only_events_of_touched_periods_are_counted(seed: int) -> None:
    """The query of touched periods gives what the query of all periods gives for them."""
    draw = random.Random(seed)
    days = [date(2015, 1, 1) + timedelta(draw.randrange(6 * 365)) for _ in range(500)]
    months = {day.replace(day=1) for day in draw.sample(days, 3)}
    touched = TouchedPeriods(frozenset(months))
    assert touched_periods(touched.partitions) == touched
    wanted = {(grain, start) for grain, starts in touched.starts.items() for start in starts}
    expected = [(day, grain, start) for day in days for grain, start in wanted if period_of(day, grain) == start]
    expected += [(day, "all", date(1800, 1, 1)) for day in days]
    # DuckDB has neither `stack` nor `trunc` of dates: a macro and a list of structures stand for them.
    sql = touched.expand("event", "date").replace(ALL_START, "'1800-01-01'::DATE")
    for grain, start in (*((g, f"trunc(date, '{g}')") for g in touched.starts), ("all", "'1800-01-01'::DATE")):
        made = f"'{grain}' AS grain, CAST({start.replace('trunc(date, ', 'day_of(date, ')} AS DATE) AS start"
        sql = sql.replace(f"stack(1, '{grain}', {start}) AS (grain, start)", made)
    with duckdb.connect() as connection:
        connection.execute("CREATE MACRO day_of(day, grain) AS date_trunc(grain, day)::DATE")
        connection.execute("CREATE TABLE event (date DATE)")
        connection.executemany("INSERT INTO event VALUES (?)", [(day,) for day in days])
        found = connection.execute(sql).fetchall()
    assert sorted(found) == sorted(expected)


def period_of(day: date, grain: str) -> date:
    """First day of the month, quarter or year of a day."""
    month = {"month": day.month, "quarter": 3 * ((day.month - 1) // 3) + 1, "year": 1}[grain]
    return date(day.year, month, 1)


@pytest.mark.parametrize("table", [t for t in catalogue() if t.period_scheme], ids=lambda t: t.name)
def test_the_years_of_an_indicator_are_those_of_its_partitions(table: Table) -> None:
    assert table.period_scheme
    years = table.period_scheme.between("2018", "2019")
    if table.partition_by == ["year"]:
        committed: list[dict[str, str | None]] = [{"year": str(year)} for year in range(2016, 2021)]
        expected: list[dict[str, str | None]] = [{"year": "2018"}, {"year": "2019"}]
        everything = expected
    else:
        committed = [{"period_grain": "all", "period_start": "2017-03-01"}]
        committed += [{"period_grain": "year", "period_start": f"{year}-01-01"} for year in range(2017, 2021)]
        committed += [{"period_grain": "month", "period_start": f"{year}-02-01"} for year in range(2017, 2021)]
        expected = [p for p in committed if str(p["period_start"])[:4] in ("2018", "2019")]
        everything = [*expected, committed[0]]
    found = table.partitions_in(years, committed)
    assert [p for p in committed if found.holds(p)] == sorted(everything, key=committed.index)
    assert [table.year_of(p) for p in committed if found.holds(p) and table.year_of(p)] == [
        table.year_of(p) for p in expected
    ]
    # The query of these partitions is that of the same periods.
    assert touched_periods(found).campaigns("y") == (
        "y IN ('2018', '2019')" if table.partition_by == ["year"] else "true"
    )
    empty = table.period_scheme.between("2021", "2021")
    assert not table.partitions_in(empty, committed)
