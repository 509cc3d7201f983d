"""Input tables of mortality: inhabitants and deaths of each place by age, and how complete the register is."""

from typing import Final

import duckdb

from chu_platform.recomputation.death_inputs import DEATH_KEYS

# First ages of the groups of five years; the last one, 90, has no upper limit.
AGES: Final = tuple(range(0, 91, 5))
# For FROM: each death `d` in each of its places `p`, for its sex and all together (`s.sex`).
PLACED_DEATHS: Final = """
    death d JOIN death_place p ON p.year = d.year AND p.region = d.region
        AND p.department IS NOT DISTINCT FROM d.department,
    LATERAL (SELECT unnest(['all', d.sex]) AS sex) s
    """
LEVELS: Final = "unnest(['france', 'region', 'department']) AS level, unnest(['all', region, department]) AS code"


def create_mortality(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the tables of mortality from `death`, the views `raw_<reference>` and `whole_<source of deaths>`.

    death_place(year, region, department, level, code): the places in which a death counts, of the departments with a
    population in the year, and of regions in which a death has no department. resident(year, level, code, sex, p0,
    ...): inhabitants by age group. region_resident(year, region_code, sex, age_band, population): the same by band.
    region_month(year, month, region_code, sex, deaths): deaths of known month. national(year, sex, unknown, d0, ...):
    deaths of France. covered(year, sex, coverage) and comparable(year): the part of the expected deaths that the
    register has.
    """
    years = " UNION ALL ".join(f'SELECT death_year FROM "whole_{table.name}"' for table in DEATH_KEYS)
    connection.execute(
        f"""
        CREATE TABLE settled AS
        SELECT DISTINCT year, department_code AS department, region_code AS region
        FROM raw_population JOIN raw_department USING (department_code) WHERE population IS NOT NULL;

        CREATE TABLE death_place AS
        SELECT year, region, department, level, code FROM settled, LATERAL (SELECT {LEVELS})
        UNION ALL
        SELECT DISTINCT year, region, NULL, level, code
        FROM settled, LATERAL (SELECT unnest(['france', 'region']) AS level, unnest(['all', region]) AS code);

        CREATE VIEW people AS
        SELECT p.year, department, region, p.sex, age, population
        FROM raw_population p JOIN settled s ON s.department = p.department_code AND s.year = p.year;

        CREATE TABLE resident AS
        SELECT year, level, code, s.sex, {_by_age("population", "age", "p")}
        FROM people, LATERAL (SELECT {LEVELS}), LATERAL (SELECT unnest(['all', people.sex]) AS sex) s
        GROUP BY ALL;

        CREATE TABLE region_resident AS
        SELECT year, r.region_code, s.sex, b.age_band, sum(population) AS population
        FROM people, LATERAL (SELECT unnest(['all', region]) AS region_code) r,
            LATERAL (SELECT unnest(['all', people.sex]) AS sex) s,
            LATERAL (SELECT unnest(['all', band_of_age(age)]) AS age_band) b
        GROUP BY ALL;

        CREATE TABLE region_month AS
        SELECT d.year, d.month, p.code AS region_code, s.sex, count(*) AS deaths
        FROM {PLACED_DEATHS} WHERE d.month IS NOT NULL AND p.level <> 'department'
        GROUP BY ALL;

        CREATE TABLE national AS
        SELECT d.year, s.sex, count(*) FILTER (age_group IS NULL) AS unknown, {_by_age("1", "age_group", "d")}
        FROM {PLACED_DEATHS} WHERE p.level = 'france'
        GROUP BY ALL;

        CREATE TABLE expected AS
        WITH alive AS (
            SELECT *, exp(coalesce(sum(ln(1 - quotient)) OVER (
                PARTITION BY year, sex ORDER BY age ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)) AS reached
            FROM raw_mortality_quotients
        ), rate AS (
            SELECT year, sex, least(age // 5 * 5, 90) AS age_group,
                sum(if(age = 99, reached, reached * quotient))
                    / sum(reached * (1 - quotient * if(age = 0, 0.9, 0.5))
                          + if(age = 99, reached * (1 - quotient) / -ln(1 - quotient), 0)) AS rate
            FROM alive GROUP BY ALL
        )
        SELECT p.year, s.sex, sum(population * rate) AS expected,
            sum(population * rate) FILTER (age >= 85) AS expected_of_oldest
        FROM raw_population p JOIN rate r ON r.year = p.year AND r.sex = p.sex AND r.age_group = p.age,
            LATERAL (SELECT unnest(['all', p.sex]) AS sex) s
        WHERE left(department_code, 2) <> '97' AND population IS NOT NULL
        GROUP BY ALL;

        CREATE TABLE covered AS
        WITH mainland AS (
            SELECT DISTINCT region_code AS region FROM raw_department WHERE left(department_code, 2) <> '97'
        ), counted AS (
            SELECT year, s.sex, count(*) AS deaths, count(age_group) AS aged,
                count(*) FILTER (age_group >= 85) AS oldest
            FROM death SEMI JOIN mainland USING (region), LATERAL (SELECT unnest(['all', death.sex]) AS sex) s
            GROUP BY ALL
        )
        SELECT year, sex, coalesce(deaths, 0) / expected AS coverage,
            coalesce(oldest * deaths / aged, 0) / expected_of_oldest AS coverage_of_oldest
        FROM expected LEFT JOIN counted USING (year, sex);

        CREATE TABLE comparable AS
        SELECT year FROM covered
        WHERE sex = 'all' AND coverage BETWEEN 0.92 AND 1.06 AND coverage_of_oldest BETWEEN 0.90 AND 1.10
            AND year < (SELECT max(death_year::INTEGER) FROM ({years}))
        """
    )


def _by_age(number: str, age: str, prefix: str) -> str:
    return ", ".join(f"coalesce(sum({number}) FILTER ({age} = {a}), 0) AS {prefix}{a}" for a in AGES)
