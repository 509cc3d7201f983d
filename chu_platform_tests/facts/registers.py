"""Registers of deaths that follow Insee's mortality tables, as counts by age: what the real register should have."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from chu_platform.building_blocks.packaged_references import packaged
from chu_platform.references import mortality_quotients, population

AGES = range(0, 95, 5)
# What a register has of the expected deaths of a year and of the group that begins at an age.
Share = Callable[[int, int], float]
NOTHING = pa.table({})


@cache
def population_table() -> pa.Table:
    return population.population.rows.function(delivered=NOTHING)  # type: ignore[attr-defined]


@cache
def quotients_table() -> pa.Table:
    return mortality_quotients.mortality_quotients.rows.function(delivered=NOTHING)  # type: ignore[attr-defined]


def department_table() -> pa.Table:
    return packaged("departments")


@cache
def tables() -> dict[tuple[int, str], list[float]]:
    """The quotients of each mortality table by age, by year and sex."""
    found: dict[tuple[int, str], list[float]] = {}
    for row in quotients_table().sort_by("age").to_pylist():
        found.setdefault((row["year"], row["sex"]), []).append(row["quotient"])
    return found


@cache
def rates(year: int, sex: str) -> Sequence[float]:
    """Death rates by age group in the stationary population of the table, age by age (1977 in the years before)."""
    table = tables()[max(year, 1977), sex]
    reached = [1.0]
    for quotient in table:
        reached.append(reached[-1] * (1 - quotient))
    found = []
    for first in AGES:
        ages = range(first, first + 5 if first < 90 else 100)
        lived = sum((reached[a] + reached[a + 1]) / 2 if a else reached[1] + 0.1 * (1 - reached[1]) for a in ages)
        died = reached[first] - reached[ages[-1] + 1]
        if first == 90:
            # Who reaches 100 dies at the rate of the age of 99.
            died = reached[first]
            lived += _years_after(table[-1], reached[100])
        found.append(died / lived)
    return found


def _years_after(quotient: float, alive: float) -> float:
    """Years lived by those alive at 100 who die at the rate of this yearly probability, in small steps."""
    years, step = 0.0, 1 / 1000
    survival = (1 - quotient) ** step
    while alive > 1e-12:
        years += step * alive * (1 + survival) / 2
        alive *= survival
    return years


def register(years: Sequence[int], share: Share = lambda _year, _age: 1.0) -> pa.Table:
    """The counts of deaths by age of a register (the columns of fact_death_by_age), rounded to whole deaths."""
    regions = {d["department_code"]: d["region_code"] for d in department_table().to_pylist()}
    rows: list[dict[str, Any]] = [
        {
            "death_year": str(p["year"]),
            "region_key": regions[p["department_code"]],
            "department_code": p["department_code"],
            "sex": p["sex"],
            "age_group": p["age"],
            "deaths": round(p["population"] * rates(p["year"], p["sex"])[p["age"] // 5] * share(p["year"], p["age"])),
        }
        for p in population_table()
        .filter(pc.is_in(population_table()["year"], pa.array(years, pa.int32())))
        .to_pylist()
    ]
    return pa.Table.from_pylist(rows)
