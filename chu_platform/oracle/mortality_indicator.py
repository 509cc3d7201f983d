"""Indicator 9: mortality by year, place and sex, computed cell by cell in Python."""

import csv
import gzip
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from math import log, nan
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

GROUPS = range(19)
# Eurostat 2013, by five years of age, 90 and over.
STANDARD = (50, 55, 55, 55, 60, 60, 65, 70, 70, 70, 70, 65, 60, 55, 50, 40, 25, 15, 10)
Key = tuple[int, str, str, str]


@dataclass
class Cell:
    """Deaths and inhabitants of a place by age group, and its deaths of unknown age."""

    lived: list[float] = field(default_factory=lambda: [0.0] * 19)
    died: list[float] = field(default_factory=lambda: [0.0] * 19)
    unknown: int = 0

    @property
    def deaths(self) -> int:
        """All deaths."""
        return round(sum(self.died)) + self.unknown

    def aged(self) -> list[float]:
        """The deaths by age group, those of unknown age distributed like the others."""
        known = sum(self.died)
        if not self.unknown:
            return self.died
        return [d * (known + self.unknown) / known if known else nan for d in self.died]

    def rates(self) -> list[float]:
        """Deaths per inhabitant by age group, NaN for deaths without inhabitants."""
        return [(d / p if p else nan) if d else 0.0 for d, p in zip(self.aged(), self.lived, strict=True)]


def compute(connection: duckdb.DuckDBPyConnection, people: Mapping[tuple[int, str, str], Sequence[float]]) -> pa.Table:
    """The indicator from `dated_death` (`death_indicator`), `department` and the population (`middle_of_years`)."""
    regions = dict(connection.sql("SELECT code, region FROM department").fetchall())
    dead = connection.sql(
        "SELECT year, region_code, department, sex, if(age >= 90, 18, age // 5), count(*) FROM dated_death GROUP BY ALL"
    ).fetchall()
    last = max(row[0] for row in dead)
    cells, unplaced = _cells(people, dead, regions, last)
    expected = _expected(cells)
    rows = []
    for key, cell in cells.items():
        year, level, code, sex = key
        if level == "mainland" or (level == "department" and (year, regions[code]) in unplaced):
            continue
        mainland = cells[year, "mainland", "all", sex]
        comparable = year < last and _is_complete(cells, expected, year)
        rows.append(
            {
                "year": year,
                "level": level,
                "code": code,
                "sex": sex,
                "is_partial": year == last,
                "is_comparable": comparable,
                "deaths": cell.deaths,
                "population": sum(cell.lived),
                "unknown_age_share": cell.unknown / cell.deaths if cell.deaths else 0.0,
                "coverage": mainland.deaths / sum(expected[year, sex]) if (year, sex) in expected else None,
                **_rates(cell, cells[year, "france", "all", sex], comparable),
            }
        )
    names = ("year", "level", "code", "sex")
    return pa.Table.from_pylist(sorted(rows, key=lambda r: tuple(r[n] for n in names)))


def middle_of_years(pack: Path) -> Mapping[tuple[int, str, str], Sequence[float]]:
    """The population in the middle of each year, by year, department and sex."""
    with (pack / "Population" / "population_department_sex_age.csv").open(encoding="utf-8", newline="") as lines:
        january = {
            (int(r["year"]), r["department_code"], r["sex"]): [int(r[str(5 * g)]) for g in GROUPS]
            for r in csv.DictReader(lines)
        }
    return {
        (year, department, sex): [(a + b) / 2 for a, b in zip(counts, january[year + 1, department, sex], strict=True)]
        for (year, department, sex), counts in january.items()
        if (year + 1, department, sex) in january
    }


def _cells(
    people: Mapping[tuple[int, str, str], Sequence[float]],
    dead: Sequence[tuple[int, str, str | None, str | None, int | None, int]],
    regions: Mapping[str, str],
    last: int,
) -> tuple[Mapping[Key, Cell], set[tuple[int, str]]]:
    """The cells of all places, and the years and regions with deaths of which the department is not known."""
    cells: dict[Key, Cell] = defaultdict(Cell)
    settled: dict[int, set[str]] = defaultdict(set)
    for (year, department, sex), counts in people.items():
        if year <= last:
            settled[year] |= {department, f"region {regions[department]}"}
            for level, code in _places(department, regions[department]):
                for of in (sex, "all"):
                    lived = cells[year, level, code, of].lived
                    for group in GROUPS:
                        lived[group] += counts[group]
    mainland = {region for code, region in regions.items() if code[:2] != "97"}
    unplaced: set[tuple[int, str]] = set()
    for year, region, place, known_sex, age_group, count in dead:
        if place is None and region in mainland:
            unplaced.add((year, region))
        if (place or f"region {region}") not in settled[year]:
            continue
        for level, code in _places(place, region, region in mainland):
            for of in ("all", *([known_sex] if known_sex else [])):
                cell = cells[year, level, code, of]
                if age_group is None:
                    cell.unknown += count
                else:
                    cell.died[age_group] += count
    return cells, unplaced


def _places(department: str | None, region: str, is_mainland: bool | None = None) -> list[tuple[str, str]]:
    found = [("france", "all"), ("region", region)]
    if department:
        found.append(("department", department))
    if (department or "")[:2] != "97" if is_mainland is None else is_mainland:
        found.append(("mainland", "all"))
    return found


def _expected(cells: Mapping[Key, Cell]) -> Mapping[tuple[int, str], Sequence[float]]:
    """The deaths of metropolitan France that its population and the mortality tables imply, by age group."""
    found: dict[tuple[int, str], list[float]] = {}
    with gzip.open(str(files("chu_platform") / "building_blocks/data/mortality_quotients.csv.gz"), "rt") as lines:
        next(lines)
        for row in csv.DictReader(lines):
            year, sex = int(row["year"]), row["sex"]
            if (year, "mainland", "all", sex) not in cells:
                continue
            lived = cells[year, "mainland", "all", sex].lived
            rates = _table_rates([int(row[str(age)]) / 100_000 for age in range(100)])
            found[year, sex] = [p * m for p, m in zip(lived, rates, strict=True)]
            both = found.setdefault((year, "all"), [0.0] * 19)
            found[year, "all"] = [a + b for a, b in zip(both, found[year, sex], strict=True)]
    return found


def _table_rates(quotients: Sequence[float]) -> list[float]:
    """The death rates of the age groups in the stationary population of a mortality table."""
    alive, died, lived = 1.0, [0.0] * 19, [0.0] * 19
    for age, quotient in enumerate(quotients):
        group = min(age // 5, 18)
        died[group] += alive * quotient
        lived[group] += alive * (1 - quotient * (0.5 if age else 0.9))
        alive *= 1 - quotient
    died[18] += alive
    lived[18] += alive / -log(1 - quotients[99])
    return [d / y for d, y in zip(died, lived, strict=True)]


def _is_complete(cells: Mapping[Key, Cell], expected: Mapping[tuple[int, str], Sequence[float]], year: int) -> bool:
    if (year, "all") not in expected:
        return False
    of_all, cell = expected[year, "all"], cells[year, "mainland", "all", "all"]
    return 0.92 <= cell.deaths / sum(of_all) <= 1.06 and 0.90 <= sum(cell.aged()[17:]) / sum(of_all[17:]) <= 1.10


def _rates(cell: Cell, france: Cell, comparable: bool) -> Mapping[str, float | None]:
    names = ("crude_rate", "standardised_rate", "comparative_index", "life_expectancy_0", "life_expectancy_65")
    if not comparable:
        return dict.fromkeys(names)
    rates = cell.rates()
    inhabited = [g for g in GROUPS if cell.lived[g]]
    weight = sum(STANDARD[g] for g in inhabited)
    awaited = sum(p * m for p, m in zip(cell.lived, france.rates(), strict=True))
    figures: tuple[Any, ...] = (
        1000 * cell.deaths / sum(cell.lived),
        100_000 * sum(STANDARD[g] * rates[g] for g in inhabited) / weight,
        100 * cell.deaths / awaited if awaited else None,
        _life_expectancy(rates, 0),
        _life_expectancy(rates, 13),
    )
    return {
        name: None if value is None or value != value else value for name, value in zip(names, figures, strict=True)
    }


def _life_expectancy(rates: Sequence[float], first: int) -> float | None:
    """Years to live from the start of an age group on."""
    if not rates[18]:
        return None
    alive, years = 1.0, 0.0
    for group in range(first, 18):
        lived_by_dying = 2.5 if group else 0.5
        dying = min(5 * rates[group] / (1 + (5 - lived_by_dying) * rates[group]), 1)
        years += alive * (5 * (1 - dying) + lived_by_dying * dying)
        alive *= 1 - dying
    return years + alive / rates[18]
