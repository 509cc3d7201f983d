"""Indicator 7: deaths by year and by region of the place of death."""

import duckdb
import pyarrow as pa

from chu_platform.oracle.care_indicators import AGE_BANDS, query_table

ELSEWHERE = "99"
# Census populations of 2019 (Mayotte: of 2017), INSEE.
POPULATIONS = {
    "01": 384_239,
    "02": 364_508,
    "03": 281_678,
    "04": 861_210,
    "06": 256_518,
    "11": 12_262_544,
    "24": 2_573_180,
    "27": 2_805_580,
    "28": 3_325_032,
    "32": 6_004_947,
    "44": 5_556_219,
    "52": 3_806_461,
    "53": 3_354_854,
    "75": 6_010_289,
    "76": 5_933_185,
    "84": 8_042_936,
    "93": 5_081_101,
    "94": 340_440,
}


def compute(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """Table 7 from the distinct rows `death`; the region `all` is the 18 regions.

    Uses the macro `age` of `care_indicators`.
    Deaths without a valid date are left out. An unknown day of birth or death is replaced with the 15th, an unknown
    month with 1 July. If the year of birth is unknown, or the date is invalid or after the death, the age is unknown.

    Creates dated_death(year, region_code, department, sex, age). Corsican codes of before 1976 have no department.
    """
    connection.execute("CREATE TABLE inhabitants(region VARCHAR, inhabitants BIGINT)")
    populations = [*POPULATIONS.items(), ("all", sum(POPULATIONS.values()))]
    connection.executemany("INSERT INTO inhabitants VALUES (?, ?)", populations)
    connection.execute(
        f"""
        CREATE TABLE dated_death AS
        WITH dated AS (
            SELECT try_cast(CASE WHEN regexp_full_match(date_deces, '[0-9]{{4}}(-00-00)?')
                    THEN left(date_deces, 4) || '-07-01'
                     WHEN regexp_full_match(date_deces, '[0-9]{{4}}-[0-9]{{2}}(-00)?')
                         THEN left(date_deces, 7) || '-15'
                     ELSE date_deces END AS DATE) AS died,
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
            SELECT year(died) AS year, died, sex, coalesce(d.region, '{ELSEWHERE}') AS region_code,
                CASE WHEN d.region IS NOT NULL AND NOT is_somewhere_in_corsica THEN dated.department END AS department,
                CASE WHEN left(birth_text, 4) <> '0000' THEN try_cast(birth_text AS DATE) END AS birth
            FROM dated LEFT JOIN department d ON d.code = dated.department
            WHERE died IS NOT NULL
        )
        SELECT year, region_code, department, sex,
            CASE WHEN birth IS NULL OR birth > died THEN NULL ELSE age(birth, died) END AS age
        FROM placed
        """
    )
    return query_table(
        connection,
        f"""
        WITH banded AS (
            SELECT year, region_code, sex, CASE WHEN age IS NULL THEN 'unknown'
                ELSE ({AGE_BANDS!r})[least(age // 5, 17) + 1] END AS age_band
            FROM dated_death
        ), counted AS (
            SELECT year, region_code, CASE GROUPING(sex) WHEN 1 THEN 'all' ELSE sex END AS sex,
                CASE GROUPING(age_band) WHEN 1 THEN 'all' ELSE age_band END AS age_band, count(*) AS deaths
            FROM banded GROUP BY year, region_code, CUBE (sex, age_band)
        ), placed AS (
            FROM counted
            UNION ALL
            SELECT year, 'all', sex, age_band, sum(deaths)::BIGINT FROM counted
            WHERE region_code <> '{ELSEWHERE}' GROUP BY year, sex, age_band
        ), every AS (
            SELECT year, region_code, 'all' AS sex, 'all' AS age_band
            FROM (SELECT DISTINCT year FROM banded),
                 (SELECT region AS region_code FROM inhabitants UNION ALL SELECT '{ELSEWHERE}')
        ), complete AS (
            SELECT year, region_code, sex, age_band, coalesce(deaths, 0) AS deaths
            FROM placed FULL JOIN every USING (year, region_code, sex, age_band)
            WHERE sex IS NOT NULL
        )
        SELECT c.year, region_code, sex, age_band, c.year = max(c.year) OVER () AS is_partial, deaths,
            inhabitants AS population, 1000.0 * deaths / inhabitants AS rate_per_1000
        FROM complete c
        LEFT JOIN inhabitants p ON p.region = region_code AND c.year = 2019 AND sex = 'all'
            AND age_band = 'all'
        ORDER BY ALL
        """,
    )
