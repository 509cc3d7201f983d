"""The population of the demonstration pack, and the deaths that follow from it and from the mortality tables.

The population is that of Insee, scaled: so small that its deaths are those of the register of the pack.
"""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from chu_platform.building_blocks.life_tables import Floats, rates_of_groups
from chu_platform.building_blocks.packaged_references import packaged
from chu_platform.tables.spark_sql import POPULATION_AGES

FILE: Final = "population_department_sex_age.csv"
SEXES: Final = ("F", "M")
# The population is known from this year on, the mortality tables from the other.
FIRST_YEAR: Final = 1975
FIRST_TABLE: Final = 1977
# Deaths of August 2003 beyond those of other years, and the shares of them from this age on (Insee, Inserm).
HEAT_WAVE: Final = 2003
HEAT_DEATHS: Final = 15_000
HEAT_AGES: Final = {65: 0.06, 70: 0.09, 75: 0.15, 80: 0.18, 85: 0.24, 90: 0.28}


@dataclass(frozen=True)
class People:
    """Inhabitants on 1 January, by year, sex, age group and department (in this order of the axes).

    Before its first known year, a department has the population of that year; it is not `known` then.
    """

    years: range
    departments: tuple[str, ...]
    inhabitants: Floats
    known: NDArray[np.bool_]


@cache
def people() -> People:
    """Insee's population, in full size."""
    rows = packaged("population").to_pylist()
    years = range(FIRST_YEAR, max(int(r["year"]) for r in rows) + 1)
    departments = tuple(sorted({r["department_code"] for r in rows}))
    place = {code: number for number, code in enumerate(departments)}
    inhabitants = np.zeros((len(years), len(SEXES), len(POPULATION_AGES), len(departments)))
    for row in rows:
        at = (int(row["year"]) - FIRST_YEAR, SEXES.index(row["sex"]))
        inhabitants[at[0], at[1], :, place[row["department_code"]]] = [float(row[str(age)]) for age in POPULATION_AGES]
    known = inhabitants.sum(axis=(1, 2)) > 0
    for number in range(len(departments)):
        first = int(np.argmax(known[:, number]))
        inhabitants[:first, :, :, number] = inhabitants[first, :, :, number]
    return People(years, departments, inhabitants, known)


@cache
def expected_deaths(year: int) -> Floats:
    """Deaths of a year in full size by sex, age group and department: the population times Insee's mortality table.

    Years before the first table or the first population have those; the summer of 2003 is not included.
    """
    everybody = people()
    at = max(year, FIRST_YEAR) - FIRST_YEAR
    middle = (everybody.inhabitants[at] + everybody.inhabitants[at + 1]) / 2
    table = str(max(year, FIRST_TABLE))
    quotients = {r["sex"]: r for r in packaged("mortality_quotients").to_pylist() if r["year"] == table}
    rates = [rates_of_groups(np.array([float(quotients[sex][str(a)]) / 100_000 for a in range(100)])) for sex in SEXES]
    deaths: Floats = middle * np.stack(rates)[:, :, np.newaxis]
    return deaths


def heat_deaths() -> Floats:
    """Deaths of August 2003 beyond those of other years, in full size, by sex, age group and department."""
    usual = expected_deaths(HEAT_WAVE)
    shares = np.array([HEAT_DEATHS * HEAT_AGES.get(age, 0.0) for age in POPULATION_AGES])
    deaths: Floats = usual / usual.sum(axis=(0, 2), keepdims=True) * shares[np.newaxis, :, np.newaxis]
    return deaths


def in_whole_numbers(values: Floats, scale: float) -> NDArray[np.int64]:
    """Scaled values as integers whose sums, in the order of the array, are the rounded sums of the values."""
    reached = np.rint(scale * np.cumsum(values.ravel()))
    return np.diff(reached, prepend=0.0).astype(np.int64).reshape(values.shape)


def quotas(year: int, scale: float) -> pa.Table:
    """The deaths of a year by sex, age group and department, as consecutive numbers from 0.

    Columns: `until` (the number after the last one of a group), sex, age, department, is_heat. Numbers are in the order
    of the rows.
    """
    parts = [(expected_deaths(year), False), *([(heat_deaths(), True)] if year == HEAT_WAVE else [])]
    rows: dict[str, list[object]] = {name: [] for name in ("until", "sex", "age", "department", "is_heat")}
    until = 0
    for deaths, is_heat in parts:
        counts = in_whole_numbers(deaths, scale)
        for sex, age, place in zip(*np.nonzero(counts), strict=True):
            until += int(counts[sex, age, place])
            values = (until, SEXES[sex], POPULATION_AGES[age], people().departments[place], is_heat)
            for name, value in zip(rows, values, strict=True):
                rows[name].append(value)
    return pa.table(rows)


def deaths_of(year: int) -> float:
    """The deaths of a year in full size."""
    return float(expected_deaths(year).sum()) + (HEAT_DEATHS if year == HEAT_WAVE else 0)


def write(path: Path, scale: float) -> None:
    """Write the population on 1 January, scaled."""
    everybody = people()
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(["year", "department_code", "sex", *POPULATION_AGES])
        for at, year in enumerate(everybody.years):
            counts = in_whole_numbers(everybody.inhabitants[at] * everybody.known[at], scale)
            for number, department in enumerate(everybody.departments):
                for sex, name in enumerate(SEXES):
                    if everybody.known[at, number]:
                        lines.writerow([year, department, name, *counts[sex, :, number].tolist()])
