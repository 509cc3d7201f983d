"""Life tables compared with published life expectancies, with an own second computation, and by simulation."""

from functools import cache

import numpy as np
import pytest

from chu_platform.building_blocks.life_tables import (
    Floats,
    life_expectancy,
    rates_of_groups,
    with_unknown_ages,
)
from chu_platform.building_blocks.packaged_references import packaged
from chu_platform.tables.spark_sql import POPULATION_AGES

pytestmark = pytest.mark.unit

DRAWS = 1000


@cache
def rows(name: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = packaged(name).to_pylist()
    return found


def quotients_of(year: int, sex: str) -> Floats:
    """The quotients of Insee's table of a year, ages 0 to 99."""
    (row,) = (r for r in rows("mortality_quotients") if (r["year"], r["sex"]) == (str(year), sex))
    return np.array([float(row[str(age)]) / 100_000 for age in range(100)])


def population_of(department: str, year: int, sex: str) -> Floats:
    (row,) = (
        r for r in rows("population") if (r["department_code"], r["year"], r["sex"]) == (department, str(year), sex)
    )
    return np.array([float(row[str(age)]) for age in POPULATION_AGES])


def chiang(deaths: list[float], population: list[float], age: int) -> tuple[float, float]:
    """Life expectancy and its standard error, group by group, from the textbook."""
    lived_by_dying = [0.5] + [2.5] * 17
    reached, at_start, quotients, years = 1.0, [], [], []
    for d, p, a in zip(deaths, population, lived_by_dying, strict=False):
        m = d / p
        q = min(5 * m / (1 + (5 - a) * m), 1)
        at_start.append(reached)
        quotients.append(q)
        years.append(5 * reached * (1 - q) + a * reached * q)
        reached *= 1 - q
    at_start.append(reached)
    years.append(reached * population[-1] / deaths[-1])
    first = age // 5
    after = [sum(years[i:]) / at_start[i] for i in range(19)]
    variance = (reached * population[-1] / deaths[-1]) ** 2 / deaths[-1]
    for i in range(first, 18):
        if deaths[i]:
            of_q = quotients[i] ** 2 * (1 - quotients[i]) / deaths[i]
            variance += at_start[i] ** 2 * (5 - lived_by_dying[i] + after[i + 1]) ** 2 * of_q
    return after[first], (variance / at_start[first] ** 2) ** 0.5


# Insee, T68: life expectancy at birth, averages of three years that end in this one.
@pytest.mark.parametrize(
    ("year", "sex", "published"), [(1977, "M", 69.3), (1977, "F", 77.3), (2019, "M", 79.6), (2019, "F", 85.5)]
)
def test_the_life_expectancy_of_insee_follows_from_its_quotients(year: int, sex: str, published: float) -> None:
    """To a tenth of a year, which is lost by groups of five years."""
    many = 1e9
    deaths = many * rates_of_groups(quotients_of(year, sex))
    assert life_expectancy(deaths, np.full(19, many), 0).value == pytest.approx(published, abs=0.11)


@pytest.mark.parametrize("age", [0, 65])
def test_life_expectancy_and_limits_equal_a_second_computation(age: int) -> None:
    population = np.array([population_of(d, 2019, s) for d in ("35", "48", "974") for s in ("F", "M")])
    deaths = np.round(population * rates_of_groups(quotients_of(2019, "M")))
    deaths[0, 2] = 0
    found = life_expectancy(deaths, population, age)
    for i, (d, p) in enumerate(zip(deaths.tolist(), population.tolist(), strict=True)):
        value, error = chiang(d, p, age)
        expected = (value, value - 1.959964 * error, value + 1.959964 * error)
        assert (found.value[i], found.low[i], found.high[i]) == pytest.approx(expected, rel=1e-6)


def test_there_is_no_life_expectancy_without_deaths_of_the_oldest() -> None:
    deaths = np.ones(19)
    deaths[-1] = 0
    found = life_expectancy(deaths, np.full(19, 1000.0), 0)
    assert np.isnan([found.value, found.low, found.high]).all()


def test_deaths_of_unknown_age_are_distributed_like_the_others() -> None:
    deaths = np.array([[1.0, 3.0], [2.0, 2.0], [0.0, 0.0], [0.0, 0.0]])
    found = with_unknown_ages(deaths, np.array([4.0, 0.0, 0.0, 1.0]))
    assert found[:3].tolist() == [[2.0, 6.0], [2.0, 2.0], [0.0, 0.0]]
    assert np.isnan(found[3]).all(), "nothing tells the ages of the deaths"


@pytest.mark.parametrize("department", ["48", "35"])
@pytest.mark.parametrize("age", [0, 65])
def test_limits_contain_the_life_expectancy_in_19_of_20_draws(department: str, age: int) -> None:
    """Lozère has about 900 deaths in a year, Ille-et-Vilaine 8 000."""
    population = population_of(department, 2019, "F") + population_of(department, 2019, "M")
    expected = population * rates_of_groups(quotients_of(2019, "M"))
    truth = life_expectancy(expected, population, age).value
    draws = np.random.default_rng(20191).poisson(expected, (DRAWS, 19)).astype(np.float64)
    found = life_expectancy(draws, population, age)
    covered = float(np.mean((found.low <= truth) & (truth <= found.high)))
    assert 0.93 <= covered <= 0.97
