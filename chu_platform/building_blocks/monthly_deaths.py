"""Deaths of each month by region and sex, with those of the same month in the years that it is compared with."""

from dataclasses import dataclass
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from chu_platform.building_blocks.life_tables import Floats
from chu_platform.building_blocks.mortality_cells import PLACES
from chu_platform.tables.spark_sql import ALL

# A month is compared with the same month of the latest comparable years among those before it.
REFERENCE_YEARS: Final = 5
YEARS_BEFORE: Final = 7
TOO_FEW: Final = "moins de cinq années comparables, à population connue, parmi les sept qui précèdent"
# The columns of the inputs of `monthly_deaths` that determine its cells, and its numbers.
CELLS_FROM: Final = (
    "by_month.death_year",
    "by_month.death_month",
    "population.year",
    "population.department_code",
    "department.department_code",
    "department.region_code",
)
DEATHS_FROM: Final = tuple(
    f"by_month.{c}" for c in ("death_year", "death_month", "region_key", "department_code", "sex", "deaths")
)
PEOPLE_FROM: Final = ("population.population", "population.sex", "department.region_code")


@dataclass(frozen=True)
class MonthlyDeaths:
    """The months of the regions that have a population in the year, and of France: all these regions together.

    Attributes:
        keys: Columns year, month, region_code (`all`: France), sex (`all` includes deaths of unknown sex), is_partial,
            is_comparable, reason (why nothing is expected) and reference_years (text), a row for each cell.
        deaths: Number of deaths.
        population: Inhabitants in the middle of the year.
        exposure: Days of the month x inhabitants.
        has_reference: Whether there are enough reference years; the arrays of years have no other cells.
        reference_deaths, reference_exposure: Those of the same month in the reference years (shape: cells, years).
        ordinary_deaths, ordinary_exposure: Those of the same month in ordinary years, without a known episode in this
            month (same shape; NaN in place of years that there are not).
    """

    keys: pa.Table
    deaths: Floats
    population: Floats
    exposure: Floats
    has_reference: NDArray[np.bool_]
    reference_deaths: Floats
    reference_exposure: Floats
    ordinary_deaths: Floats
    ordinary_exposure: Floats


def monthly_deaths(
    by_month: pa.Table, population: pa.Table, department: pa.Table, coverage: pa.Table, episode: pa.Table
) -> MonthlyDeaths:
    """The months of the deaths `by_month` (fact_death_by_month), up to the last month with a death.

    `coverage` (fact_death_coverage) says which years are comparable, `episode` (mortality_episode) which months are
    exceptional. Ordinary years are the latest comparable ones, like the reference years, where the month is not.
    Deaths of unknown month are in no month.
    """
    with duckdb.connect() as connection:
        for name, table in (
            ("by_month", by_month),
            ("population", population),
            ("department", department),
            ("coverage", coverage),
            ("episode", episode),
        ):
            connection.register(name, table)
        connection.execute(
            f"""
            CREATE TABLE counted AS
            SELECT death_year::INTEGER AS year, death_month AS month, region_key, department_code, sex, deaths
            FROM by_month WHERE death_month IS NOT NULL;

            {PLACES}

            CREATE TABLE inhabitants AS
            SELECT year, r.region_code, s.sex, sum(population.population) AS population
            FROM population JOIN place USING (year, department_code),
                LATERAL (SELECT unnest(['{ALL}', place.region_code]) AS region_code) r,
                LATERAL (SELECT unnest(['{ALL}', population.sex]) AS sex) s
            GROUP BY ALL;

            CREATE TABLE died AS
            SELECT c.year, c.month, r.region_code, s.sex, sum(c.deaths) AS deaths
            FROM counted c JOIN region p ON p.year = c.year AND p.region_code = c.region_key,
                LATERAL (SELECT unnest(['{ALL}', c.region_key]) AS region_code) r,
                LATERAL (SELECT unnest(if(c.sex = 'unknown', ['{ALL}'], ['{ALL}', c.sex])) AS sex) s
            WHERE c.department_code IS NULL OR (c.year, c.department_code) IN (SELECT (year, department_code) FROM place)
            GROUP BY ALL;

            CREATE TABLE register AS
            SELECT year, is_comparable, reason FROM coverage WHERE sex = '{ALL}' AND age_group = '{ALL}';

            CREATE TABLE cell AS
            SELECT year, month, region_code, sex, coalesce(deaths, 0) AS deaths, population,
                population * day(last_day(make_date(year, month, 1))) AS exposure,
                coalesce(is_comparable, false) AS is_comparable, reason
            FROM inhabitants CROSS JOIN (SELECT unnest(range(1, 13))::INTEGER AS month)
                LEFT JOIN died USING (year, month, region_code, sex)
                LEFT JOIN register USING (year)
            WHERE 12 * year + month <= (SELECT max(12 * year + month) FROM counted);

            CREATE TABLE reference AS
            SELECT year, month, region_code, sex, {_latest("of_year")} AS years, {_latest("deaths")} AS deaths,
                {_latest("exposure")} AS exposures, {_latest_ordinary("deaths")} AS ordinary_deaths,
                {_latest_ordinary("exposure")} AS ordinary_exposures
            FROM (
                SELECT c.year, c.month, c.region_code, c.sex, b.year AS of_year, b.deaths::DOUBLE AS deaths, b.exposure,
                    NOT EXISTS (
                        FROM episode WHERE make_date(b.year, b.month, 1) BETWEEN first_month AND last_month
                    ) AS is_ordinary
                FROM cell c JOIN cell b USING (month, region_code, sex)
                WHERE c.is_comparable AND c.exposure > 0 AND b.is_comparable AND b.exposure > 0
                    AND b.year BETWEEN c.year - {YEARS_BEFORE} AND c.year - 1
            )
            GROUP BY ALL HAVING count(*) >= {REFERENCE_YEARS}
            """
        )
        found = connection.sql(
            """
            SELECT c.year, c.month, c.region_code, c.sex,
                c.year = (SELECT max(death_year::INTEGER) FROM by_month) AS is_partial, c.is_comparable,
                CASE WHEN r.years IS NULL THEN coalesce(c.reason, $too_few) END AS reason,
                array_to_string(r.years, ', ') AS reference_years, c.deaths, c.population, c.exposure,
                r.deaths AS reference_deaths, r.exposures AS reference_exposures, r.ordinary_deaths, r.ordinary_exposures
            FROM cell c LEFT JOIN reference r USING (year, month, region_code, sex)
            ORDER BY c.year, c.month, c.region_code, c.sex
            """,
            params={"too_few": TOO_FEW},
        ).to_arrow_table()
    has_reference = found["reference_years"].is_valid().to_numpy()
    names = ("year", "month", "region_code", "sex", "is_partial", "is_comparable", "reason", "reference_years")
    return MonthlyDeaths(
        found.select(names),
        _numbers(found, "deaths"),
        _numbers(found, "population"),
        _numbers(found, "exposure"),
        has_reference,
        _lists(found, "reference_deaths"),
        _lists(found, "reference_exposures"),
        _lists(found, "ordinary_deaths"),
        _lists(found, "ordinary_exposures"),
    )


def _latest(column: str, condition: str = "true") -> str:
    """SQL: the values of a column in the latest years that meet the condition, from the earliest one on."""
    values = f"array_agg({column} ORDER BY of_year DESC) FILTER ({condition})"
    return f"list_reverse(({values})[:{REFERENCE_YEARS}])"


def _latest_ordinary(column: str) -> str:
    """SQL: the values of a column in the latest ordinary years; after them NaN for those that there are not."""
    found = f"coalesce({_latest(column, 'is_ordinary')}, [])"
    return f"list_resize({found}, {REFERENCE_YEARS}, 'nan'::DOUBLE)"


def _numbers(table: pa.Table, column: str) -> Floats:
    numbers: Floats = table[column].cast(pa.float64()).to_numpy()
    return numbers


def _lists(table: pa.Table, column: str) -> Floats:
    values = table[column].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return np.asarray(values, np.float64).reshape(-1, REFERENCE_YEARS)
