"""Deaths by month: what was to be expected, computed a second time in plain Python, and what the interval holds."""

import math
import statistics
from calendar import monthrange
from collections import defaultdict
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from chu_platform.building_blocks.packaged_references import packaged
from chu_platform.facts import fact_death_coverage
from chu_platform.indicators.intervals import usual_count, usual_limits
from chu_platform.kpis import kpi_deaths_by_month
from chu_platform.recomputation.excess_figures import recomputed_excess
from chu_platform.references import mortality_episode
from chu_platform_tests.facts.registers import department_table, population_table, quotients_table, register

YEARS = (*range(1996, 2005), *range(2014, 2021))
# The register of 1999 has too many deaths, and that of 2020 ends in March.
NOT_COMPARABLE = (1999, 2020)
HEAT_DEATHS = 15_000
# The months of the published episodes: the heat of 2003, and two winters of influenza.
EPISODES = {(2003, 8), (2015, 1), (2015, 2), (2015, 3), (2016, 12), (2017, 1), (2017, 2)}
# By number of years: the variance of the median of normal values, and Student's quantile with one degree less.
OF_YEARS = {3: (0.44867, 4.3026527297), 5: (0.28683, 2.7764451052)}
Key = tuple[date, str, str]


def defects(year: int, _age: int) -> float:
    return {1999: 1.2, 2020: 0.25}.get(year, 1.0)


@pytest.fixture(scope="module")
def by_age() -> pa.Table:
    return register(YEARS, defects)


@pytest.fixture(scope="module")
def by_month(by_age: pa.Table) -> pa.Table:
    """The deaths of the register, spread over the days of the year by cumulative rounding, more of them in winter.

    In August 2003 there are 15 000 more. Of each place, year and sex, one death has no month.
    """
    yearly: dict[tuple[str, str, str, str], int] = defaultdict(int)
    for r in by_age.to_pylist():
        yearly[r["death_year"], r["region_key"], r["department_code"], r["sex"]] += r["deaths"]
    whole = sum(n for (year, *_), n in yearly.items() if year == "2003")
    rows: list[tuple[str, int | None, str, str, str, int]] = []
    for (year, region, department, sex), deaths in yearly.items():
        months = range(1, 4 if year == "2020" else 13)
        weights = [monthrange(int(year), m)[1] * (1.1 if m in (12, 1, 2) else 1.0) for m in months]
        reached, before = 0.0, 0
        for month, weight in zip(months, weights, strict=True):
            reached += (deaths - 1) * weight / sum(weights)
            # The rates of years differ a little, so that a median is another figure than a mean.
            count = round(reached * (1 + 0.004 * (int(year) % 3))) - before
            before += count
            if (year, month) == ("2003", 8):
                count += round(HEAT_DEATHS * deaths / whole)
            rows.append((year, month, region, department, sex, count))
        rows.append((year, None, region, department, sex, 1))
    names = ("death_year", "death_month", "region_key", "department_code", "sex", "deaths")
    types = (pa.string(), pa.int32(), pa.string(), pa.string(), pa.string(), pa.int64())
    columns = zip(*rows, strict=True)
    return pa.table({n: pa.array(c, t) for n, c, t in zip(names, columns, types, strict=True)})


@pytest.fixture(scope="module")
def table(by_age: pa.Table, by_month: pa.Table) -> pa.Table:
    coverage = fact_death_coverage._rows(by_age, population_table(), department_table(), quotients_table())
    return kpi_deaths_by_month._rows(
        by_month, population_table(), department_table(), packaged("regions"), coverage, mortality_episode._rows()
    )


@pytest.fixture(scope="module")
def rows(table: pa.Table) -> dict[Key, dict[str, Any]]:
    return {(r["period_start"], r["region_code"], r["sex"]): r for r in table.to_pylist()}


@pytest.fixture(scope="module")
def counts(by_month: pa.Table) -> tuple[dict[Key, int], dict[tuple[int, str, str], float]]:
    """Deaths by month, and inhabitants by year, of each region and of France, by sex and together."""
    deaths: dict[Key, int] = defaultdict(int)
    people: dict[tuple[int, str, str], float] = defaultdict(float)
    regions = {d["department_code"]: d["region_code"] for d in department_table().to_pylist()}
    for p in population_table().to_pylist():
        if p["population"] is not None:
            for code in (regions[p["department_code"]], "all"):
                for sex in (p["sex"], "all"):
                    people[p["year"], code, sex] += p["population"]
    for r in by_month.to_pylist():
        if r["death_month"] and (int(r["death_year"]), r["region_key"], r["sex"]) in people:
            for code in (r["region_key"], "all"):
                for sex in (r["sex"], "all"):
                    deaths[date(int(r["death_year"]), r["death_month"], 1), code, sex] += r["deaths"]
    return deaths, people


def ordinary_years(row: dict[str, Any]) -> list[int]:
    """The latest comparable years of the seven before whose month is in no episode, at most five, from the earliest."""
    month = row["period_start"]
    first = min(int(y) for y in row["reference_years"].split(", "))
    before = [y for y in range(month.year - 1, month.year - 8, -1) if y in YEARS and y not in NOT_COMPARABLE]
    # Mayotte has no population before its first reference year.
    there = [y for y in before if row["region_code"] != "06" or y >= first]
    return sorted([y for y in there if (y, month.month) not in EPISODES][:5])


def days(month: date) -> int:
    return monthrange(month.year, month.month)[1]


@pytest.mark.integration
def test_expected_deaths_equal_a_computation_in_plain_python(
    rows: dict[Key, dict[str, Any]], counts: tuple[dict[Key, int], dict[tuple[int, str, str], float]]
) -> None:
    deaths, people = counts
    found = 0
    for (month, code, sex), row in rows.items():
        assert row["deaths"] == deaths[month, code, sex]
        assert row["population"] == pytest.approx(people[month.year, code, sex])
        years = [
            y
            for y in range(month.year - 1, month.year - 8, -1)
            if y in YEARS and y not in NOT_COMPARABLE and (y, code, sex) in people
        ][:5]
        if month.year not in YEARS or month.year in NOT_COMPARABLE or len(years) < 5:
            assert row["expected"] is row["excess"] is row["p_score"] is row["reference_years"] is None
            assert row["reason"]
            continue
        brought = [
            deaths[month.replace(year=y), code, sex]
            * (days(month) * people[month.year, code, sex])
            / (days(month.replace(year=y)) * people[y, code, sex])
            for y in years
        ]
        expected = statistics.median(brought)
        assert row["expected"] == pytest.approx(expected, rel=1e-12)
        assert row["excess"] == pytest.approx(row["deaths"] - expected, rel=1e-9, abs=1e-9)
        assert row["p_score"] == pytest.approx(100 * (row["deaths"] / expected - 1), rel=1e-9, abs=1e-9)
        assert row["reference_years"] == ", ".join(map(str, sorted(years))) and row["reason"] is None
        found += 1
    assert found > 2_000


def negative_binomial(shape: float, share: float, k: int) -> float:
    """P(count <= k), summed term by term from where the terms are negligible."""
    mean, spread = shape * (1 - share) / share, math.sqrt(shape * (1 - share)) / share
    first = max(0, int(mean - 12 * spread))
    return math.fsum(
        math.exp(
            math.lgamma(j + shape)
            - math.lgamma(shape)
            - math.lgamma(j + 1)
            + shape * math.log(share)
            + j * math.log1p(-share)
        )
        for j in range(first, k + 1)
    )


@pytest.mark.unit
@pytest.mark.parametrize(
    ("month", "code", "sex"),
    [
        ((2003, 8), "all", "all"),
        ((2004, 2), "94", "F"),
        ((2019, 6), "06", "M"),
        ((2004, 8), "all", "all"),
        ((2004, 8), "53", "F"),
        ((2019, 1), "11", "M"),
    ],
)
def test_the_limits_equal_a_computation_in_plain_python(
    rows: dict[Key, dict[str, Any]],
    counts: tuple[dict[Key, int], dict[tuple[int, str, str], float]],
    month: tuple[int, int],
    code: str,
    sex: str,
) -> None:
    deaths, people = counts
    start = date(*month, 1)
    row = rows[start, code, sex]
    years = ordinary_years(row)
    counted = [deaths[start.replace(year=y), code, sex] for y in years]
    lived = [days(start.replace(year=y)) * people[y, code, sex] for y in years]
    own = days(start) * people[start.year, code, sex]
    brought = [d / e * own for d, e in zip(counted, lived, strict=True)]
    of_median, student = OF_YEARS[len(years)]
    half = student * statistics.stdev(brought) * math.sqrt(1 + of_median)
    shape, share = sum(counted) + 0.5, sum(lived) / (sum(lived) + own)

    def smallest(probability: float) -> int:
        low, high = -1, int(4 * own * shape / sum(lived)) + 20
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if negative_binomial(shape, share, middle) >= probability else (middle, high)
        return high

    middle, expected = statistics.median(brought), row["expected"]
    low = max(0, min(smallest(0.025), middle - half, expected))
    high = max(smallest(0.975), middle + half, expected)
    assert (row["expected_low"], row["expected_high"]) == pytest.approx((low, high), rel=1e-7)
    assert (row["excess_low"], row["excess_high"]) == pytest.approx(
        (row["deaths"] - high, row["deaths"] - low), rel=1e-6
    )
    assert row["p_score_low"] == pytest.approx(100 * row["excess_low"] / expected, rel=1e-9)


@pytest.mark.unit
def test_extra_deaths_of_august_2003(rows: dict[Key, dict[str, Any]]) -> None:
    august = rows[date(2003, 8, 1), "all", "all"]
    assert august["excess"] == pytest.approx(HEAT_DEATHS, rel=0.03)
    assert august["excess_low"] > 0 and august["p_score"] > 30
    assert august["episode"] == "été 2003" and august["reference_years"] == "1997, 1998, 2000, 2001, 2002"
    others = [rows[date(2003, m, 1), "all", "all"] for m in range(1, 13) if m != 8]
    assert all(o["excess_low"] < 0 < o["excess_high"] for o in others)
    assert {(r["period_start"].year, r["period_start"].month) for r in rows.values() if r["episode"]} == EPISODES


@pytest.mark.unit
def test_an_episode_among_the_reference_years_does_not_widen_the_interval(rows: dict[Key, dict[str, Any]]) -> None:
    """August 2003 is a reference month of August 2004, with a third more deaths than the others."""
    for code in ("all", "11", "53"):
        august, july = rows[date(2004, 8, 1), code, "all"], rows[date(2004, 7, 1), code, "all"]
        assert "2003" in august["reference_years"]
        widths = [(r["expected_high"] - r["expected_low"]) / r["expected"] for r in (august, july)]
        assert widths[0] < 1.5 * widths[1]
    assert all(r["expected_low"] >= 0 for r in rows.values() if r["expected"] is not None)


@pytest.mark.unit
def test_february_of_a_leap_year_has_a_day_more(rows: dict[Key, dict[str, Any]]) -> None:
    """Most of its reference months have 28 days: as many deaths a day are no excess."""
    february = rows[date(2004, 2, 1), "all", "all"]
    assert february["expected"] / rows[date(2003, 2, 1), "all", "all"]["expected"] == pytest.approx(29 / 28, abs=0.02)
    march = rows[date(2004, 3, 1), "all", "all"]
    assert february["p_score"] == pytest.approx(march["p_score"], abs=0.5)


@pytest.mark.unit
def test_years_that_are_not_comparable_have_counts_and_a_reason(rows: dict[Key, dict[str, Any]]) -> None:
    for month, code, reason in (
        (date(1999, 1, 1), "all", "à tous les âges"),
        (date(2020, 3, 1), "all", "dernière année livrée"),
        (date(2001, 6, 1), "84", "moins de cinq années comparables"),
    ):
        row = rows[month, code, "all"]
        assert row["deaths"] > 0 and row["expected"] is row["excess_low"] is None
        assert reason in row["reason"]
        assert row["is_partial"] == (month.year == 2020)
    # The month after the last one with a death, and months of years that the register does not have.
    assert (date(2020, 4, 1), "all", "all") not in rows


@pytest.mark.unit
def test_a_gap_in_the_population_is_no_row_and_no_reference_year(rows: dict[Key, dict[str, Any]]) -> None:
    """Mayotte has a population from 2014 on: five years later, deaths are expected there."""
    assert (date(2013, 7, 1), "06", "all") not in rows
    for year in range(2014, 2019):
        assert "moins de cinq années comparables, à population connue" in rows[date(year, 7, 1), "06", "all"]["reason"]
    assert rows[date(2019, 7, 1), "06", "all"]["reference_years"] == "2014, 2015, 2016, 2017, 2018"


@pytest.mark.unit
def test_every_figure_equals_the_recomputation(
    table: pa.Table, counts: tuple[dict[Key, int], dict[tuple[int, str, str], float]]
) -> None:
    """The recomputation shares no formula with the table."""
    deaths, people = counts
    chosen = [r for r in table.to_pylist() if r["expected"] is not None][::7]
    figures: dict[str, list[float]] = defaultdict(list)
    for r in chosen:
        start, code, sex = r["period_start"], r["region_code"], r["sex"]
        figures["deaths"].append(r["deaths"])
        figures["population"].append(r["population"])
        figures["exposure"].append(days(start) * r["population"])
        for n, year in enumerate(reversed(r["reference_years"].split(", ")), 1):
            then = start.replace(year=int(year))
            figures[f"d{n}"].append(deaths[then, code, sex])
            figures[f"e{n}"].append(days(then) * people[then.year, code, sex])
        others = [start.replace(year=year) for year in reversed(ordinary_years(r))]
        for n in range(1, 6):
            then = others[n - 1] if n <= len(others) else None
            figures[f"o{n}"].append(deaths[then, code, sex] if then else math.nan)
            figures[f"f{n}"].append(days(then) * people[then.year, code, sex] if then else math.nan)
    found = recomputed_excess({name: np.array(values, np.float64) for name, values in figures.items()})
    for name, values in found.items():
        np.testing.assert_allclose(values, [r[name] for r in chosen], rtol=1e-9, atol=1e-9, err_msg=name)
    assert len(found) == 2 + 9


@pytest.mark.unit
@pytest.mark.parametrize("rate", [0.5, 5, 100, 3_000, 45_000])
@pytest.mark.parametrize("between", [0.0, 0.05])
def test_the_interval_holds_at_least_95_percent(rate: float, between: float) -> None:
    """Years that differ by chance (Poisson) and, by `between`, more than that; exposures that grow. 4 000 draws."""
    random = np.random.default_rng(20030801)
    exposures = np.tile(np.array([0.97, 0.98, 0.99, 1.0, 1.0, 1.02]), (4_000, 1))
    drawn = random.poisson(rate * exposures * random.normal(1, between, exposures.shape).clip(0)).astype(np.float64)
    expected = usual_count(drawn[:, :5], exposures[:, :5], exposures[:, 5])
    low, high = usual_limits(drawn[:, :5], exposures[:, :5], exposures[:, 5])
    assert (low <= expected).all() and (expected <= high).all()
    held = np.mean((low <= drawn[:, 5]) & (drawn[:, 5] <= high))
    assert 0.945 <= held <= 0.995


@pytest.mark.unit
@pytest.mark.parametrize("rate", [5, 100, 3_000, 45_000])
@pytest.mark.parametrize("between", [0.0, 0.05])
@pytest.mark.parametrize(("episodes", "narrower"), [((4,), 2.0), ((2, 4), 1.3)], ids=["one", "two"])
def test_the_interval_holds_95_percent_where_reference_years_hold_an_episode(
    rate: float, between: float, episodes: tuple[int, ...], narrower: float
) -> None:
    """Of the last five years, one or two have 35 % more deaths. Two of seven years are left for them, or none."""
    random = np.random.default_rng(20040801)
    drawn = random.poisson(rate * random.normal(1, between, (4_000, 8)).clip(0)).astype(np.float64)
    before, own, ones = drawn[:, 2:7], drawn[:, 7], np.ones((4_000, 5))
    before[:, episodes] = random.poisson(1.35 * rate, (4_000, len(episodes)))
    expected = usual_count(before, ones, ones[:, 0])
    kept = [n for n in range(5) if n not in episodes]
    for added in ([], [drawn[:, n] for n in range(len(episodes))]):
        ordinary = np.column_stack([*added, before[:, kept]])
        padded = np.pad(ordinary, ((0, 0), (0, 5 - ordinary.shape[1])), constant_values=np.nan)
        low, high = usual_limits(padded, np.where(np.isnan(padded), np.nan, ones), ones[:, 0])
        low, high = np.minimum(low, expected), np.maximum(high, expected)
        held = np.mean((low <= own) & (own <= high))
        assert 0.945 <= held <= 0.999 and (low >= 0).all()
    if rate == 45_000:
        # With the episodes among the years, the interval said nothing.
        low_with, high_with = usual_limits(before, ones, ones[:, 0])
        assert np.median(high_with - low_with) > narrower * np.median(high - low)


@pytest.mark.unit
def test_fewer_than_three_ordinary_years_have_no_interval() -> None:
    counts = np.array([[10.0, 12.0, np.nan, np.nan, np.nan], [10.0, 12.0, 11.0, np.nan, np.nan]])
    low, high = usual_limits(counts, np.where(np.isnan(counts), np.nan, 1.0), np.ones(2))
    assert np.isnan(low).tolist() == np.isnan(high).tolist() == [True, False]


@pytest.mark.unit
def test_nothing_counted_in_the_reference_years_expects_nothing_and_allows_little() -> None:
    none = (np.zeros((1, 5)), np.ones((1, 5)), np.ones(1))
    low, high = usual_limits(*none)
    assert (usual_count(*none)[0], low[0], high[0]) == (0.0, 0.0, 1.0)
