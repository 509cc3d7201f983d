"""Attendance: what is counted again by plain loops, what is released together, and the index."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any

import duckdb
import pytest

from chu_platform.dimensions.bridge_professional_establishment import bridge_professional_establishment
from chu_platform.dimensions.dim_establishment import dim_establishment
from chu_platform.facts.fact_consultation import fact_consultation
from chu_platform.kpis.kpi_attendance import CELLS, attendance_of_regions, kpi_attendance
from chu_platform.tables.spark_sql import UNKNOWN
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import rows

Row = Mapping[str, Any]
# Region, level and code.
Key = tuple[str, str, str]


def slot_of(consultation: Row) -> str:
    if consultation["start_minute"] is None:
        return UNKNOWN
    hour = consultation["start_minute"] // 60
    if consultation["is_night_slot"] or hour >= 20 or hour < 6:
        return "20-06"
    return "06-13" if hour < 13 else "13-20"


def codes_of(consultation: Row) -> Iterator[tuple[str, str]]:
    day = consultation["date"].isoweekday()
    yield from (("week", "all"), ("weekday", str(day)), ("slot", slot_of(consultation)))
    if day >= 6:
        yield ("week", "weekend")


@pytest.mark.integration
def test_years_are_counted_again(made: Home) -> None:
    """Consultations, and whether a part of a place is small or of few, by loops over all consultations of each year."""
    region_of = {e["establishment_key"]: e["region_key"] for e in rows(made.lake, dim_establishment).to_pylist()}
    homes: dict[str, set[str]] = defaultdict(set)
    for one in rows(made.lake, bridge_professional_establishment).to_pylist():
        homes[one["professional_key"]].add(one["establishment_key"])
    made_in: dict[tuple[int, Key], list[Row]] = defaultdict(list)
    for c in rows(made.lake, fact_consultation).to_pylist():
        regions = {region_of[e] for e in homes[c["professional_key"]]} or {"none"}
        for level, code in codes_of(c):
            for region in ("all", *regions):
                made_in[c["date"].year, (region, level, code)].append(c)

    def unsafe(region: str, visits: list[Row]) -> tuple[bool, bool]:
        patients = Counter(v["patient_key"] for v in visits if v["patient_key"] != UNKNOWN)
        doctors = Counter(v["professional_key"] for v in visits)
        sites = Counter(
            e for v in visits for e in homes[v["professional_key"]] if region in ("all", "none", region_of[e])
        )
        small = len(visits) <= 10 or len(patients) <= 10 or len(visits) - max(sites.values(), default=0) <= 10
        most = max([*doctors.values(), *patients.values()])
        few = len(doctors) < 3 or most > 0.85 * len(visits) or (region not in ("all", "none") and len(sites) < 3)
        return small, few

    parts: dict[tuple[int, str, str], list[tuple[bool, bool, int]]] = defaultdict(list)
    for (year, (region, level, code)), visits in made_in.items():
        if level == "week":
            part = "whole" if code == "all" else "weekday"
            judged = (len(visits) <= 10, False)
        else:
            part, judged = level, unsafe(region, visits)
        parts[year, region, part].append((*judged, len(visits)))
    seen = Counter[tuple[bool, bool]]()
    for row in rows(made.lake, attendance_of_regions).to_pylist():
        if row["period_grain"] != "year":
            continue
        year, region = row["period_start"].year, row["region_code"]
        assert row["consultations"] == len(made_in[year, (region, row["level"], row["code"])])
        part = "whole" if row["code"] == "all" else "slot" if row["level"] == "slot" else "weekday"
        small, few = (any(one[n] for one in parts[year, region, part]) for n in (0, 1))
        if region != "all":
            france, rest = parts[year, "all", part], parts[year, "none", part]
            small |= any(s or f for s, f, _ in (*france, *rest)) or not rest or min(n for *_, n in rest) <= 10
        assert (row["is_small"], row["by_few"]) == (small, few), (year, region, row["level"], row["code"])
        seen[small, few] += 1
    assert len(seen) >= 3 and sum(seen.values()) > 500


@pytest.mark.integration
def test_days_and_the_index_are_those_of_the_calendar(made: Home) -> None:
    found = [r for r in rows(made.lake, attendance_of_regions).to_pylist() if r["region_code"] == "all"]
    by_key = {(r["period_grain"], r["period_start"], r["level"], r["code"]): r for r in found}
    whole_years = 0
    for (grain, start, level, code), row in by_key.items():
        if grain != "year" or row["is_partial"] or start.year == 2015:
            assert grain != "year" or row["seasonal_index"] is None
            continue
        days = [start + timedelta(days=n) for n in range((row["period_end"] - start).days)]
        wanted = {"weekday": lambda d, c=code: str(d.isoweekday()) == c}.get(level, lambda _: True)
        if code == "weekend":
            wanted = lambda d: d.isoweekday() >= 6  # noqa: E731
        assert row["days"] == sum(map(wanted, days))
        whole = by_key[grain, start, *(("week", "all") if level != "slot" else (level, code))]
        mean = whole["consultations"] / len(days)
        assert row["seasonal_index"] == pytest.approx(100 * row["consultations"] / row["days"] / mean)
        whole_years += level == "week" and code == "all"
    assert whole_years >= 6
    january = by_key["month", date(2018, 1, 1), "week", "all"]
    year = by_key["year", date(2018, 1, 1), "week", "all"]
    expected = 100 * (january["consultations"] / 31) / (year["consultations"] / 365)
    assert january["seasonal_index"] == pytest.approx(expected)


@pytest.mark.integration
def test_parts_of_a_place_and_period_are_shown_together(made: Home) -> None:
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows(made.lake, kpi_attendance.masked).to_pylist():
        groups[row["period_grain"], row["period_start"], row["region_code"], row["level"]].append(row)
    shown = 0
    for (*_, level), listed in groups.items():
        if level == "week":
            continue
        assert len({row["is_masked"] for row in listed}) == 1
        if not listed[0]["is_masked"]:
            assert sum(row["consultations"] for row in listed) == listed[0]["period_consultations"]
            assert min(row["consultations"] for row in listed) > 10
            shown += 1
    assert shown >= 5


def cell(grain: str, start: date, code: str = "1", region: str = "all", small: bool = False, number: int = 100) -> Row:
    return {
        "period_grain": grain,
        "period_start": start,
        "region_code": region,
        "level": "weekday",
        "code": code,
        "consultations": number,
        "period_consultations": 7 * number,
        "is_small": small,
        "by_few": False,
    }


def listed(*given: Row) -> set[tuple[str, bool]]:
    """The cells that are listed, and whether they are unsafe."""
    with duckdb.connect() as connection:
        names = list(given[0])
        values = ", ".join(str(tuple(str(v) for v in row.values())) for row in given)
        types = {"period_start": "DATE", "consultations": "BIGINT", "period_consultations": "BIGINT"}
        types |= {"is_small": "BOOLEAN", "by_few": "BOOLEAN"}
        cast = ", ".join(f"{name}::{types.get(name, 'VARCHAR')} AS {name}" for name in names)
        connection.execute(f"CREATE TABLE attendances AS SELECT {cast} FROM (VALUES {values}) t({', '.join(names)})")
        return {
            (cell, unsafe is not None)
            for cell, unsafe in connection.sql(f"SELECT cell, unsafe FROM ({CELLS})").fetchall()
        }


YEAR, JANUARY, MAY = ("year", date(2019, 1, 1)), ("month", date(2019, 1, 1)), ("month", date(2019, 5, 1))


@pytest.mark.unit
def test_months_are_listed_when_their_year_is_closed_and_all_are_safe() -> None:
    names = {f"{grain}|{start}|all|weekday|1" for grain, start in (YEAR, JANUARY, MAY)}
    assert {name for name, _ in listed(cell(*YEAR), cell(*JANUARY), cell(*MAY))} == names
    assert listed(cell(*JANUARY), cell(*MAY)) == set(), "the year is not closed"
    alone = listed(cell(*YEAR), cell(*JANUARY), cell(*MAY, small=True))
    assert alone == {("year|2019-01-01|all|weekday|1", False)}


@pytest.mark.unit
def test_an_unsafe_year_is_listed_for_france_if_its_days_may_be_anything() -> None:
    name = "year|2019-01-01|all|weekday|1"
    assert listed(cell(*YEAR, small=True)) == {(name, True)}
    assert listed(cell(*YEAR, small=True, number=7)) == set()
    assert listed(cell(*YEAR, small=True, region="84")) == set()
