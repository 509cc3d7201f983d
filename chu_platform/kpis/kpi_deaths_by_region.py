"""Indicator 7: deaths by region of the place of death, by year of death, sex and age.

Here: the declaration of this one table. Not here: how it is made (graph.step).
"""

import numpy as np
import pyarrow as pa

from chu_platform.building_blocks.intervals import garwood
from chu_platform.building_blocks.rates import finite
from chu_platform.dimensions.dim_region import dim_region
from chu_platform.facts.fact_death import fact_death
from chu_platform.tables.checks import sums_to
from chu_platform.tables.columns import BOOLEAN, DOUBLE, INTEGER, LONG, STRING, Column
from chu_platform.tables.rows import Query
from chu_platform.tables.spark_sql import ALL, UNKNOWN
from chu_platform.tables.table import Layer, Layout, Table, Zone


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
    grain="une région dans une année, par sexe et tranche d’âge, totaux compris",
    label="Décès par région",
    owner="team:kpis",
    columns=[
        Column("year", INTEGER, "année du décès", "Année", key=True),
        Column("region_code", STRING, "code Insee de la région ; 99 : ailleurs ou inconnue", "Code région", key=True),
        Column("region_label", STRING, "nom de la région", "Région", nullable=False),
        Column("sex", STRING, "F, M ou all (ensemble)", "Sexe", key=True),
        Column(
            "age_band",
            STRING,
            "tranche de cinq ans, unknown (âge inconnu) ou all (ensemble)",
            "Tranche d’âge",
            key=True,
        ),
        Column("is_partial", BOOLEAN, "vrai pour la dernière année livrée", "Année incomplète", nullable=False),
        Column("deaths", LONG, "nombre de décès dont la date est dans l’année", "Décès", nullable=False),
        Column("population", LONG, "habitants ; seulement en 2019, tous sexes et âges ensemble", "Population"),
        Column("rate_per_1000", DOUBLE, "nombre de décès pour 1 000 habitants", "Taux brut de mortalité (‰)"),
        Column("rate_low", DOUBLE, "borne basse à 95 %, méthode exacte de Poisson", "Taux : borne basse"),
        Column("rate_high", DOUBLE, "borne haute à 95 %, méthode exacte de Poisson", "Taux : borne haute"),
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
    checks=[
        sums_to(
            "regions_sum_to_all_deaths",
            "SELECT sum(deaths) FROM {this} WHERE sex = 'all' AND age_band = 'all'",
            fact_death,
            "SELECT count(*) FROM {other}",
            "la somme des décès des régions est le nombre de tous les décès",
        )
    ],
    layout=Layout(z_order_by=["year", "region_code"]),
)
