"""Mortality: figures of a register that follows Insee's tables, years that are not comparable, and gaps."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from chu_platform.building_blocks.mortality_cells import mortality_cells
from chu_platform.building_blocks.packaged_references import packaged
from chu_platform.facts import fact_death_coverage
from chu_platform.kpis import kpi_mortality
from chu_platform.recomputation.mortality_figures import recomputed_mortality
from chu_platform.references import standard_population
from chu_platform_tests.facts.registers import (
    AGES,
    NOTHING,
    department_table,
    population_table,
    quotients_table,
    register,
)

pytestmark = pytest.mark.integration

YEARS = (1976, 1988, 1999, 2000, 2001, 2019)
RATES = ("crude_rate", "standardised_rate", "comparative_index", "life_expectancy_0", "life_expectancy_65")


def made(by_age: pa.Table) -> pa.Table:
    coverage = fact_death_coverage._rows(by_age, population_table(), department_table(), quotients_table())
    standard = standard_population.standard_population.rows.function(delivered=NOTHING)  # type: ignore[attr-defined]
    return kpi_mortality._rows(by_age, population_table(), department_table(), packaged("regions"), standard, coverage)


def defects(year: int, age: int) -> float:
    """A year cut by a fifth, and one without the oldest."""
    return 0.8 if year == 1988 else 0.0 if year == 1999 and age >= 85 else 1.0


@pytest.fixture(scope="module")
def by_age() -> pa.Table:
    return register(YEARS, defects)


@pytest.fixture(scope="module")
def table(by_age: pa.Table) -> pa.Table:
    return made(by_age)


@pytest.fixture(scope="module")
def rows(table: pa.Table) -> dict[tuple[int, str, str, str], dict[str, Any]]:
    return {(r["year"], r["level"], r["code"], r["sex"]): r for r in table.to_pylist()}


# Insee, T68: life expectancy at birth and at 65, average of 1998 to 2000, from its quotients.
@pytest.mark.parametrize(("sex", "at_birth", "at_65"), [("M", 75.0, 16.5), ("F", 82.5, 21.0)])
def test_life_expectancies_are_those_of_the_mortality_table(
    rows: dict[tuple[int, str, str, str], dict[str, Any]], sex: str, at_birth: float, at_65: float
) -> None:
    france = rows[2000, "france", "all", sex]
    assert france["life_expectancy_0"] == pytest.approx(at_birth, abs=0.1)
    assert france["life_expectancy_65"] == pytest.approx(at_65, abs=0.1)
    assert france["life_expectancy_0_low"] < france["life_expectancy_0"] < france["life_expectancy_0_high"]


def test_places_with_the_rates_of_france_differ_in_crude_rates_only(
    rows: dict[tuple[int, str, str, str], dict[str, Any]],
) -> None:
    """Lozère is old, La Réunion young: at equal age, both have the mortality of France."""
    old, young = (rows[2000, "department", code, "M"] for code in ("48", "974"))
    assert old["crude_rate"] > 2 * young["crude_rate"]
    for place in (old, young):
        assert place["comparative_low"] < 100 < place["comparative_high"]
        france = rows[2000, "france", "all", "M"]["standardised_rate"]
        assert place["standardised_low"] < france < place["standardised_high"]
    assert {r["comparative_index"] for (y, level, _, _), r in rows.items() if (y, level) == (2000, "france")} == {100.0}


def test_years_that_are_not_comparable_have_counts_and_reasons_but_no_rates(
    rows: dict[tuple[int, str, str, str], dict[str, Any]],
) -> None:
    for year, reason in ((1976, "aucune table"), (1988, "80,0"), (1999, "85 ans et plus"), (2019, "dernière année")):
        found = [r for (y, *_), r in rows.items() if y == year]
        assert found
        assert all(r["reason"] and reason in r["reason"] and not r["is_comparable"] for r in found)
        assert all(r["deaths"] >= 0 and r["population"] > 0 for r in found)
        assert {r[name] for r in found for name in RATES} == {None}
        assert {r["is_partial"] for r in found} == {year == 2019}


def test_places_without_population_are_gaps(rows: dict[tuple[int, str, str, str], dict[str, Any]]) -> None:
    assert (1988, "department", "974", "all") not in rows and (2000, "department", "974", "all") in rows
    assert (2000, "region", "06", "all") not in rows and (2019, "region", "06", "all") in rows


def test_every_figure_equals_the_recomputation(by_age: pa.Table, table: pa.Table) -> None:
    """The recomputation shares no formula with the table."""
    cells = mortality_cells(by_age, population_table(), department_table(), ["france", "region", "department"])
    keys = cells.keys.to_pylist()
    france = {(k["year"], k["sex"]): i for i, k in enumerate(keys) if k["level"] == "france"}
    of_france = [france[k["year"], k["sex"]] for k in keys]
    weights = {int(r["age"]): float(r["weight"]) for r in packaged("standard_population").to_pylist()}
    counts = {
        "deaths": cells.deaths,
        "unknown": cells.unknown,
        "coverage": table["coverage"].to_numpy(),
        "comparable": table["is_comparable"].to_numpy().astype(np.float64),
        "france_unknown": cells.unknown[of_france],
    }
    for n, age in enumerate(AGES):
        counts |= {
            f"d{age}": cells.by_age[:, n],
            f"p{age}": cells.population[:, n],
            f"fd{age}": cells.by_age[of_france, n],
            f"fp{age}": cells.population[of_france, n],
            f"w{age}": np.full(len(keys), weights[age]),
        }
    with np.errstate(divide="ignore", invalid="ignore"):
        figures = recomputed_mortality(counts)
    for name, values in figures.items():
        np.testing.assert_allclose(values, table[name].to_numpy().astype(np.float64), rtol=1e-9, err_msg=name)
    assert len(figures) == 4 + 13
