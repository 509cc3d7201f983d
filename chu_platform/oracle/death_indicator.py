"""Indicator 7: deaths by year and by region of the place of death."""

from collections.abc import Mapping, Sequence

import duckdb
import pyarrow as pa

from chu_platform.oracle.care_indicators import AGE_BANDS, query_table

ELSEWHERE = "99"
# Whether the population of a region is known in the year.
SETTLED = "(year, region_code) IN (SELECT (year, region_code) FROM inhabited)"


def create_deaths(connection: duckdb.DuckDBPyConnection) -> None:
    """Create dated_death(year, month, region_code, department, sex, age) from the distinct rows `death`.

    Uses the macro `age` of `care_indicators`.
    Deaths without a valid date are left out. An unknown day of birth or death is replaced with the 15th, an unknown
    month with 1 July. If the year of birth is unknown, or the date is invalid or after the death, the age is unknown.
    Corsican codes of before 1976 have no department. A month is null if it is unknown.
    """
    connection.execute(
        f"""
        CREATE TABLE dated_death AS
        WITH dated AS (
            SELECT try_cast(CASE WHEN regexp_full_match(date_deces, '[0-9]{{4}}(-00-00)?')
                    THEN left(date_deces, 4) || '-07-01'
                     WHEN regexp_full_match(date_deces, '[0-9]{{4}}-[0-9]{{2}}(-00)?')
                         THEN left(date_deces, 7) || '-15'
                     ELSE date_deces END AS DATE) AS died,
                substr(date_deces, 6, 2) IN ('', '00') AS is_month_unknown,
                CASE sexe WHEN '1' THEN 'M' WHEN '2' THEN 'F' END AS sex,
                CASE WHEN regexp_full_match(date_naissance, '[0-9]{{4}}(-00-[0-9]{{2}})?')
                    THEN left(date_naissance, 4) || '-07-01'
                     WHEN regexp_full_match(date_naissance, '[0-9]{{4}}-[0-9]{{2}}-00')
                         THEN left(date_naissance, 8) || '15'
                     ELSE date_naissance END AS birth_text,
                CASE WHEN substr(code_lieu_deces, 3) IN ('352', '353', '354')
                        AND left(code_lieu_deces, 2) BETWEEN '91' AND '94' THEN NULL
                     WHEN code_lieu_deces IN ('97123', '97127') THEN NULL
                     WHEN regexp_full_match(code_lieu_deces, '[0-9]{{4}}') THEN '0' || left(code_lieu_deces, 1)
                     WHEN left(code_lieu_deces, 3) = '985' THEN '976'
                     WHEN code_lieu_deces = '98405' THEN '974'
                     WHEN left(code_lieu_deces, 2) = '20' THEN '2A'
                     WHEN left(code_lieu_deces, 2) IN ('97', '98') THEN left(code_lieu_deces, 3)
                     ELSE upper(left(code_lieu_deces, 2)) END AS department,
                left(code_lieu_deces, 2) = '20' AS is_somewhere_in_corsica
            FROM death
        ), placed AS (
            SELECT year(died) AS year, CASE WHEN NOT is_month_unknown THEN month(died) END AS month, died, sex,
                coalesce(d.region, '{ELSEWHERE}') AS region_code,
                CASE WHEN d.region IS NOT NULL AND NOT is_somewhere_in_corsica THEN dated.department END AS department,
                CASE WHEN left(birth_text, 4) <> '0000' THEN try_cast(birth_text AS DATE) END AS birth
            FROM dated LEFT JOIN department d ON d.code = dated.department
            WHERE died IS NOT NULL
        )
        SELECT year, month, region_code, department, sex,
            CASE WHEN birth IS NULL OR birth > died THEN NULL ELSE age(birth, died) END AS age
        FROM placed
        """
    )


def compute(
    connection: duckdb.DuckDBPyConnection, people: Mapping[tuple[int, str, str], Sequence[float]], comparable: set[int]
) -> pa.Table:
    """Table 7 from `dated_death`; the region `all` is the 18 regions.

    `people` are the inhabitants in the middle of each year by year, department and sex, in groups of five years of age.
    Rates exist for the `comparable` years; deaths count in them where the population is known.
    """
    bands = [*AGE_BANDS, AGE_BANDS[-1]]
    connection.execute("CREATE TABLE lives(year INTEGER, department VARCHAR, sex VARCHAR, age_band VARCHAR, n DOUBLE)")
    columns = list(
        zip(
            *(
                (year, department, sex, band, n)
                for (year, department, sex), counts in people.items()
                for band, n in zip(bands, counts, strict=True)
            ),
            strict=True,
        )
    )
    listed = pa.table(dict(zip(("year", "department", "sex", "age_band", "n"), map(list, columns), strict=True)))
    connection.register("listed", listed)
    connection.execute("INSERT INTO lives FROM listed")
    connection.unregister("listed")
    return query_table(
        connection,
        f"""
        WITH banded AS (
            SELECT year, region_code, sex, CASE WHEN age IS NULL THEN 'unknown'
                ELSE ({AGE_BANDS!r})[least(age // 5, 17) + 1] END AS age_band
            FROM dated_death
        ), inhabited AS (
            SELECT year, CASE GROUPING(d.region) WHEN 1 THEN 'all' ELSE d.region END AS region_code,
                CASE GROUPING(sex) WHEN 1 THEN 'all' ELSE sex END AS sex,
                CASE GROUPING(age_band) WHEN 1 THEN 'all' ELSE age_band END AS age_band, sum(n) AS population
            FROM lives l JOIN department d ON d.code = l.department GROUP BY year, CUBE (d.region, sex, age_band)
        ), counted AS (
            SELECT year, region_code, CASE GROUPING(sex) WHEN 1 THEN 'all' ELSE sex END AS sex,
                CASE GROUPING(age_band) WHEN 1 THEN 'all' ELSE age_band END AS age_band, count(*) AS deaths
            FROM banded GROUP BY year, region_code, CUBE (sex, age_band)
        ), placed AS (
            SELECT *, if({SETTLED}, deaths, 0) AS inside FROM counted
            UNION ALL
            SELECT year, 'all', sex, age_band, sum(deaths)::BIGINT, sum(if({SETTLED}, deaths, 0))::BIGINT
            FROM counted WHERE region_code <> '{ELSEWHERE}' GROUP BY year, sex, age_band
        ), every AS (
            SELECT year, region_code, 'all' AS sex, 'all' AS age_band
            FROM (SELECT DISTINCT year FROM banded),
                 (SELECT DISTINCT region AS region_code FROM department UNION ALL SELECT unnest(['all', '{ELSEWHERE}']))
        ), complete AS (
            SELECT year, region_code, sex, age_band, coalesce(deaths, 0) AS deaths, coalesce(inside, 0) AS inside
            FROM placed FULL JOIN every USING (year, region_code, sex, age_band)
            WHERE sex IS NOT NULL
        )
        SELECT year, region_code, sex, age_band, year = max(year) OVER () AS is_partial,
            list_contains({sorted(comparable)}::INTEGER[], year) AS is_comparable, deaths,
            CASE WHEN is_comparable AND population IS NOT NULL THEN inside END AS rated_deaths, population,
            1000.0 * rated_deaths / nullif(population, 0) AS rate_per_1000
        FROM complete LEFT JOIN inhabited USING (year, region_code, sex, age_band)
        ORDER BY ALL
        """,
    )
