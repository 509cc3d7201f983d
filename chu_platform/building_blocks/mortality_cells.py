"""Deaths and inhabitants of each place, year and sex, by age group, as arrays for the computation of rates."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa

from chu_platform.building_blocks.life_tables import Floats, with_unknown_ages
from chu_platform.tables.duckdb_sql import sql_text
from chu_platform.tables.spark_sql import ALL, POPULATION_AGES

FRANCE: Final = "france"
METROPOLITAN: Final = "metropolitan"
REGION: Final = "region"
DEPARTMENT: Final = "department"
OVERSEAS: Final = "97"
# The columns of the inputs of `mortality_cells` that determine its cells, and its numbers.
CELLS_FROM: Final = (
    "by_age.death_year",
    "population.year",
    "population.department_code",
    "department.department_code",
    "department.region_code",
)
DEATHS_FROM: Final = tuple(
    f"by_age.{c}" for c in ("death_year", "region_key", "department_code", "sex", "age_group", "deaths")
)
POPULATION_FROM: Final = ("population.population", "population.age", "department.region_code")

# DuckDB SQL of the levels to which a row of a department belongs, and of its codes at these levels.
_LEVELS: Final = f"['{FRANCE}', if(is_metropolitan, '{METROPOLITAN}', NULL), '{REGION}', '{DEPARTMENT}']"
_CODES: Final = f"['{ALL}', '{ALL}', region_code, department_code]"
# DuckDB SQL that creates place(year, department_code, region_code, is_metropolitan) and region(year, region_code,
# is_metropolitan) of the inputs `population` and `department`: the places that have a population in a year.
PLACES: Final = f"""
    CREATE TABLE place AS
    SELECT DISTINCT year, department_code, region_code, left(department_code, 2) <> '{OVERSEAS}' AS is_metropolitan
    FROM population JOIN department USING (department_code) WHERE population.population IS NOT NULL;

    CREATE TABLE region AS SELECT DISTINCT year, region_code, is_metropolitan FROM place;
    """


@dataclass(frozen=True)
class MortalityCells:
    """The cells of the places that have a population, in the years that the register covers.

    Attributes:
        keys: Columns year, level, code and sex, a row for each cell. France is the level `france` with the code `all`,
            metropolitan France the level `metropolitan`. The sex `all` includes deaths of unknown sex.
        deaths: Number of deaths, without regard to age.
        unknown: Number of deaths of unknown age.
        by_age: Deaths by age group, those of unknown age distributed (shape: cells, groups).
        population: Inhabitants in the middle of the year by age group (shape: cells, groups).
        last_year: The last year of the register.
    """

    keys: pa.Table
    deaths: Floats
    unknown: Floats
    by_age: Floats
    population: Floats
    last_year: int


def mortality_cells(
    by_age: pa.Table, population: pa.Table, department: pa.Table, levels: Sequence[str]
) -> MortalityCells:
    """The cells of these levels: of the deaths `by_age` (fact_death_by_age) and of the reference `population`.

    A place counts in a year only if it has a population: in itself, in its region and in France, deaths and population
    alike. Where deaths of a region have no department (Corsica before 1976), its departments have no cell.
    """
    wanted = f"({', '.join(map(sql_text, levels))})"
    with duckdb.connect() as connection:
        connection.register("by_age", by_age)
        connection.register("population", population)
        connection.register("department", department)
        connection.execute(
            f"""
            CREATE TABLE counted AS
            SELECT death_year::INTEGER AS year, region_key, department_code, sex, age_group, deaths FROM by_age;

            {PLACES}

            CREATE TABLE inhabitants AS
            SELECT year, level, code, s.sex, age, sum(population.population) AS inhabitants
            FROM population JOIN place USING (year, department_code),
                LATERAL (SELECT unnest({_LEVELS}) AS level, unnest({_CODES}) AS code),
                LATERAL (SELECT unnest(['{ALL}', population.sex]) AS sex) s
            WHERE level IN {wanted} AND year <= (SELECT max(year) FROM counted)
            GROUP BY ALL;

            CREATE TABLE died AS
            SELECT year, level, code, s.sex, age_group, sum(deaths) AS deaths
            FROM (
                SELECT c.year, c.department_code, r.region_code, r.is_metropolitan, c.sex, c.age_group, c.deaths
                FROM counted c JOIN region r ON r.year = c.year AND r.region_code = c.region_key
                WHERE c.department_code IS NULL OR (c.year, c.department_code) IN (SELECT (year, department_code) FROM place)
            ) AS counted,
                LATERAL (SELECT unnest({_LEVELS}) AS level, unnest({_CODES}) AS code),
                LATERAL (SELECT unnest(if(counted.sex = 'unknown', ['{ALL}'], ['{ALL}', counted.sex])) AS sex) s
            WHERE level IN {wanted} AND code IS NOT NULL
            GROUP BY ALL
            """
        )
        groups = POPULATION_AGES
        found = connection.sql(
            f"""
            WITH lived AS (
                SELECT year, level, code, sex, {_by_group("inhabitants", "age")} FROM inhabitants GROUP BY ALL
            ),
            dead AS (
                SELECT year, level, code, sex, sum(deaths) AS deaths,
                    sum(deaths) FILTER (age_group IS NULL) AS unknown, {_by_group("deaths", "age_group")}
                FROM died GROUP BY ALL
            ),
            unplaced AS (
                SELECT DISTINCT c.year, d.department_code AS code
                FROM counted c JOIN department d ON d.region_code = c.region_key WHERE c.department_code IS NULL
            )
            SELECT lived.year, lived.level, lived.code, lived.sex, coalesce(deaths, 0) AS deaths,
                coalesce(unknown, 0) AS unknown, {", ".join(f"coalesce(dead.group_{g}, 0) AS deaths_{g}" for g in groups)},
                {", ".join(f"lived.group_{g} AS population_{g}" for g in groups)}
            FROM lived LEFT JOIN dead USING (year, level, code, sex)
            WHERE lived.level <> '{DEPARTMENT}' OR (lived.year, lived.code) NOT IN (SELECT (year, code) FROM unplaced)
            ORDER BY lived.year, lived.level, lived.code, lived.sex
            """
        ).to_arrow_table()
        last = connection.sql("SELECT max(year) FROM counted").fetchall()[0][0]
    deaths, unknown = (_numbers(found, name) for name in ("deaths", "unknown"))
    known = np.stack([_numbers(found, f"deaths_{g}") for g in groups], axis=-1)
    lived = np.stack([_numbers(found, f"population_{g}") for g in groups], axis=-1)
    keys = found.select(["year", "level", "code", "sex"])
    return MortalityCells(keys, deaths, unknown, with_unknown_ages(known, unknown), lived, last or 0)


def _by_group(number: str, age: str) -> str:
    return ", ".join(f"sum({number}) FILTER ({age} = {g}) AS group_{g}" for g in POPULATION_AGES)


def _numbers(table: pa.Table, column: str) -> Floats:
    numbers: Floats = table[column].cast(pa.float64()).to_numpy()
    return numbers
