"""Indicator 7: deaths by region of the place of death, by year of death, sex and age.

Here: the declaration of this one table. Not here: how it is made (graph.step).
"""

import numpy as np
import pyarrow as pa

from chu_platform.dimensions.dim_region import dim_region
from chu_platform.facts.fact_death import fact_death
from chu_platform.kpis.intervals import garwood
from chu_platform.kpis.rates import finite
from chu_platform.tables.columns import BOOLEAN, DOUBLE, INTEGER, LONG, STRING, Column
from chu_platform.tables.rules import sums_to
from chu_platform.tables.sql import ALL, UNKNOWN
from chu_platform.tables.table import Layer, Layout, Query, Table, Zone


def with_rate(counted: pa.Table) -> pa.Table:
    """Add the crude rate per 1 000 inhabitants, with the exact interval of the count, where there is a population."""
    deaths = counted["deaths"].to_numpy().astype(np.float64)
    population = counted["population"].cast(pa.float64()).to_numpy(zero_copy_only=False)
    low, high = garwood(deaths)
    for name, values in (("rate_per_1000", deaths), ("rate_low", low), ("rate_high", high)):
        counted = counted.append_column(name, finite(1000 * values / population))
    return counted


kpi_deaths_by_region = Table(
    name="kpi_deaths_by_region",
    layer=Layer.KPIS,
    zone=Zone.PSEUDONYMISED,
    grain="one region in one year, by sex and age band, totals included",
    label="Décès par région",
    owner="team:kpis",
    columns=[
        Column("year", INTEGER, "year of death", "Année", key=True),
        Column("region_code", STRING, "INSEE code; 99 elsewhere or unknown", "Code région", key=True),
        Column("region_label", STRING, "name of the region", "Région", nullable=False),
        Column("sex", STRING, "F, M or all", "Sexe", key=True),
        Column("age_band", STRING, "five-year band, unknown or all", "Tranche d’âge", key=True),
        Column("is_partial", BOOLEAN, "the last year delivered", "Année incomplète", nullable=False),
        Column("deaths", LONG, "deaths whose date of death lies in the year", "Décès", nullable=False),
        Column("population", LONG, "inhabitants; 2019 only, all sexes and ages", "Population"),
        Column("rate_per_1000", DOUBLE, "deaths per 1 000 inhabitants", "Taux brut de mortalité (‰)"),
        Column("rate_low", DOUBLE, "lower limit, 95 %, exact Poisson", "Taux : borne basse"),
        Column("rate_high", DOUBLE, "upper limit, 95 %, exact Poisson", "Taux : borne haute"),
    ],
    reads={"death": fact_death, "region": dim_region},
    rows=Query(
        f"""
        WITH counted AS (
            SELECT death_year, region_key, coalesce(sex, '{ALL}') AS sex, coalesce(age_band, '{ALL}') AS age_band, count(*) AS deaths
            FROM {{death}}
            GROUP BY GROUPING SETS (
                (death_year, region_key), (death_year, region_key, sex), (death_year, region_key, age_band),
                (death_year, region_key, sex, age_band)
            )
        ),
        year AS (
            SELECT death_year, death_year = max(death_year) OVER () AS is_partial
            FROM (SELECT DISTINCT death_year FROM {{death}})
        ),
        cell AS (
            SELECT y.death_year, r.region_key, '{ALL}' AS sex, '{ALL}' AS age_band
            FROM year y CROSS JOIN {{region}} r WHERE r.region_key <> '{UNKNOWN}'
            UNION
            SELECT death_year, region_key, sex, age_band FROM counted WHERE sex <> 'unknown'
        )
        SELECT CAST(c.death_year AS INT) AS year, c.region_key AS region_code, r.region_label, c.sex, c.age_band, y.is_partial,
               coalesce(n.deaths, 0) AS deaths,
               CASE WHEN c.death_year = '2019' AND c.sex = '{ALL}' AND c.age_band = '{ALL}' THEN r.population_2019 END AS population
        FROM cell c
        JOIN year y ON y.death_year = c.death_year
        JOIN {{region}} r ON r.region_key = c.region_key
        LEFT JOIN counted n ON n.death_year = c.death_year AND n.region_key = c.region_key AND n.sex = c.sex AND n.age_band = c.age_band
        """,
        finish=with_rate,
        from_columns=dict.fromkeys(("rate_per_1000", "rate_low", "rate_high"), ("deaths", "population")),
    ),
    rules=[
        sums_to(
            "regions_sum_to_all_deaths",
            "SELECT sum(deaths) FROM {this} WHERE sex = 'all' AND age_band = 'all'",
            fact_death,
            "SELECT count(*) FROM {other}",
            "the deaths of the regions sum to all deaths",
        )
    ],
    layout=Layout(z_order_by=["year", "region_code"]),
)
