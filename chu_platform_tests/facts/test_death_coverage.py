"""Which years of a register of deaths are comparable, and why the others are not."""

from typing import Any

import pyarrow as pa
import pytest

from chu_platform.facts import fact_death_coverage
from chu_platform.facts.fact_death_coverage import BOUNDS, reason
from chu_platform_tests.facts.registers import department_table, population_table, quotients_table, rates, register

pytestmark = pytest.mark.unit

YEARS = (1976, 1977, 1987, 1988, 1999, 2003, 2019)


def coverage(by_age: pa.Table) -> dict[tuple[int, str, str], dict[str, Any]]:
    found = fact_death_coverage._rows(by_age, population_table(), department_table(), quotients_table())
    return {(r["year"], r["sex"], r["age_group"]): r for r in found.to_pylist()}


def defects(year: int, age: int) -> float:
    """A year cut by a fifth, one doubled, one without the oldest."""
    return {1987: 0.8, 1988: 2.0}.get(year, 0.0 if year == 1999 and age >= 85 else 1.0)


@pytest.fixture(scope="module")
def found() -> dict[tuple[int, str, str], dict[str, Any]]:
    return coverage(register(YEARS, defects))


def test_a_register_with_the_deaths_of_the_mortality_tables_is_complete(
    found: dict[tuple[int, str, str], dict[str, Any]],
) -> None:
    for year in (1977, 2003):
        rows = [r for (y, _, _), r in found.items() if y == year]
        assert len(rows) == 15
        assert [r["coverage"] for r in rows] == pytest.approx([1] * 15, abs=0.01)
        assert {(r["is_comparable"], r["reason"]) for r in rows} == {(True, None)}


def test_the_expected_deaths_equal_a_second_computation(found: dict[tuple[int, str, str], dict[str, Any]]) -> None:
    metropolitan = [r for r in population_table().to_pylist() if r["year"] == 2003 and r["department_code"][:2] != "97"]
    for sexes, sex in (("F", "F"), ("FM", "all")):
        expected = sum(
            r["population"] * rates(2003, r["sex"])[r["age"] // 5]
            for r in metropolitan
            if r["sex"] in sexes and r["age"] >= 85
        )
        assert found[2003, sex, "85+"]["expected"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("year", "words"),
    [
        (1976, "aucune table de mortalité de cette année"),
        (1987, "80,0\u00a0% des décès attendus à tous les âges"),
        (1988, "200,0\u00a0% des décès attendus à tous les âges"),
        (1999, "0,0\u00a0% des décès attendus à 85 ans et plus"),
        (2019, "dernière année livrée"),
    ],
)
def test_other_years_are_not_comparable_and_say_why(
    found: dict[tuple[int, str, str], dict[str, Any]], year: int, words: str
) -> None:
    rows = [r for (y, _, _), r in found.items() if y == year]
    assert {r["is_comparable"] for r in rows} == {False}
    assert all(words in r["reason"] for r in rows)


def test_a_year_at_the_bounds_is_comparable() -> None:
    whole, oldest = BOUNDS
    assert reason({whole: 0.92, oldest: 1.10}, is_last=False) is None
    assert "119" in (reason({whole: 1.0, oldest: 1.19}, is_last=False) or "")
    assert "91,9" in (reason({whole: 0.919, oldest: 1.0}, is_last=False) or "")


def test_deaths_overseas_and_of_unknown_places_do_not_count_and_old_codes_of_corsica_do() -> None:
    def row(region: str, department: str | None, sex: str, age: int | None, deaths: int) -> dict[str, Any]:
        return {
            "death_year": "1985",
            "region_key": region,
            "department_code": department,
            "sex": sex,
            "age_group": age,
            "deaths": deaths,
        }

    listed = [
        row("53", "35", "F", 70, 8),
        row("53", "35", "M", None, 2),
        row("53", "35", "unknown", 70, 1),
        row("94", None, "F", 20, 4),
        row("04", "974", "F", 70, 1000),
        row("99", None, "F", 70, 1000),
    ]
    found = coverage(pa.Table.from_pylist(listed, register([1985]).slice(0, 0).schema))
    assert found[1985, "F", "all"]["deaths"] == 12
    assert found[1985, "M", "all"]["deaths"] == 2
    assert found[1985, "M", "0-59"]["deaths"] is None, "nothing tells the age of the two"
    assert found[1985, "all", "all"]["deaths"] == 15
    # 13 deaths of known age share the two of unknown age.
    assert found[1985, "all", "60-74"]["deaths"] == pytest.approx(9 * 15 / 13)
