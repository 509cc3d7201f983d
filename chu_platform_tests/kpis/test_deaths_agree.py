"""The three indicators of deaths count the same deaths."""

import duckdb
import pytest

from chu_platform.facts.fact_death import fact_death
from chu_platform.facts.fact_death_by_month import fact_death_by_month
from chu_platform.kpis.kpi_deaths_by_month import kpi_deaths_by_month
from chu_platform.kpis.kpi_deaths_by_region import kpi_deaths_by_region
from chu_platform.kpis.kpi_mortality import kpi_mortality
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import rows

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def counted(made: Home) -> duckdb.DuckDBPyConnection:
    """`monthly` and `yearly` sums of deaths by year, region and sex, and `undated`: those whose month is unknown."""
    connection = duckdb.connect()
    for name, table in (
        ("by_month", kpi_deaths_by_month.masked),
        ("by_region", kpi_deaths_by_region.masked),
        ("mortality", kpi_mortality.masked),
        ("fact", fact_death_by_month),
    ):
        connection.register(name, rows(made.lake, table))
    connection.execute(
        """
        CREATE TABLE monthly AS
        SELECT year(period_start) AS year, region_code, sex, sum(deaths) AS deaths FROM by_month GROUP BY ALL;
        CREATE TABLE undated AS
        SELECT death_year::INTEGER AS year, region_key AS region_code, s.sex, sum(deaths) AS deaths
        FROM fact, LATERAL (SELECT unnest(['all', fact.sex]) AS sex) s WHERE death_month IS NULL GROUP BY ALL
        """
    )
    return connection


@pytest.mark.parametrize(
    "yearly",
    [
        "SELECT year, region_code, sex, deaths FROM by_region WHERE age_band = 'all' AND region_code <> 'all'",
        "SELECT year, code AS region_code, sex, deaths FROM mortality WHERE level = 'region'",
    ],
    ids=["by region", "mortality"],
)
def test_months_of_a_region_add_up_to_its_year(counted: duckdb.DuckDBPyConnection, yearly: str) -> None:
    """But for deaths whose month is unknown, which are in the year only."""
    found, wrong = counted.sql(
        f"""
        SELECT count(*), count(*) FILTER (monthly.deaths + coalesce(undated.deaths, 0) <> yearly.deaths)
        FROM monthly JOIN ({yearly}) yearly USING (year, region_code, sex)
            LEFT JOIN undated USING (year, region_code, sex)
        """
    ).fetchall()[0]
    assert found > 1_500 and wrong == 0


def test_months_of_france_add_up_to_its_mortality(counted: duckdb.DuckDBPyConnection) -> None:
    gaps = counted.sql(
        """
        SELECT m.year, m.sex, y.deaths - m.deaths AS gap FROM monthly m
        JOIN (FROM mortality WHERE level = 'france') y ON y.year = m.year AND y.sex = m.sex WHERE m.region_code = 'all'
        """
    ).fetchall()
    settled = dict(
        counted.sql(
            "SELECT (u.year, u.sex), sum(u.deaths) FROM undated u "
            "SEMI JOIN monthly USING (year, region_code, sex) GROUP BY ALL"
        ).fetchall()
    )
    assert len(gaps) > 100
    assert {(year, sex): gap for year, sex, gap in gaps if gap} == {key: n for key, n in settled.items() if n}


def test_the_fact_counts_every_death_in_its_month(made: Home, counted: duckdb.DuckDBPyConnection) -> None:
    counted.register("death", rows(made.lake, fact_death))
    assert counted.sql(
        """
        SELECT count(*) FILTER (death_date IS NOT NULL AND death_month <> month(death_date)),
            count(*) FILTER (death_date IS NOT NULL AND death_month IS NULL),
            count(*) FILTER (death_date IS NULL AND death_month IS NOT NULL) > 0,
            count(*) FILTER (death_month IS NULL) > 0
        FROM death
        """
    ).fetchall() == [(0, 0, True, True)]
