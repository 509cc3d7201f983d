"""Indicator 7: deaths by region of the place of death, and in the 18 regions together, by year of death, sex and age."""

from dataclasses import replace
from typing import Final

import numpy as np
import pyarrow as pa

from chu_platform.dimensions.dim_region import dim_region
from chu_platform.facts.fact_death import fact_death
from chu_platform.indicators.indicator import FreeRange, Indicator, Summary
from chu_platform.indicators.intervals import garwood
from chu_platform.indicators.rates import finite
from chu_platform.indicators.use_of_care import AGE, POISSON, SEX
from chu_platform.recomputation.completed_figures import recomputed_death_rates
from chu_platform.recomputation.death_inputs import COUNTED_DEATH_KEYS, DEATH_KEYS
from chu_platform.recomputation.recomputation import InputSet, Recomputation, SourceRows
from chu_platform.tables.checks import none_in, sums_to
from chu_platform.tables.columns import BOOLEAN, DOUBLE, INTEGER, LONG, STRING, Column
from chu_platform.tables.indicator_questions import Count, IndicatorQuestion, Measure, Parameter
from chu_platform.tables.partitions import DEATH_YEARS
from chu_platform.tables.period_sql import Periods
from chu_platform.tables.rows import Query
from chu_platform.tables.spark_sql import ALL, ELSEWHERE, UNKNOWN
from chu_platform.tables.table import Layer, Layout, Table, Zone

NAME: Final = "kpi_deaths_by_region"


def _counts(periods: Periods) -> str:
    return f"""
        WITH died AS (
            SELECT {periods.year("death_year")} AS death_year, region_key, sex, age_band, count(*) AS deaths FROM {{death}}
            WHERE {periods.within_years("death_year", "death_date")}
            GROUP BY {periods.year("death_year")}, region_key, sex, age_band
        ),
        year AS (
            SELECT death_year, death_year = max(death_year) OVER () AS is_partial
            FROM (SELECT DISTINCT {periods.year("death_year")} AS death_year FROM {{death}})
        ),
        counted AS (
            SELECT death_year, region_key, coalesce(sex, '{ALL}') AS sex, coalesce(age_band, '{ALL}') AS age_band, sum(deaths) AS deaths
            FROM died
            GROUP BY GROUPING SETS (
                (death_year, region_key), (death_year, region_key, sex), (death_year, region_key, age_band),
                (death_year, region_key, sex, age_band)
            )
        ),
        cell AS (
            SELECT death_year, region_key, sex, age_band, sum(deaths) AS deaths
            FROM (
                SELECT * FROM counted WHERE sex <> 'unknown'
                UNION ALL
                -- Every region has a total in every year, also without deaths.
                SELECT y.death_year, r.region_key, '{ALL}', '{ALL}', 0
                FROM year y CROSS JOIN {{region}} r WHERE r.region_key <> '{UNKNOWN}'
            )
            GROUP BY death_year, region_key, sex, age_band
        ),
        placed AS (
            SELECT * FROM cell
            UNION ALL
            SELECT death_year, '{ALL}', sex, age_band, sum(deaths) FROM cell
            WHERE region_key <> '{ELSEWHERE}' GROUP BY death_year, sex, age_band
        ),
        place AS (
            SELECT region_key, region_label, population_2019 FROM {{region}}
            UNION ALL
            SELECT '{ALL}', 'France (18 régions)', sum(population_2019) FROM {{region}}
        )
        SELECT {periods.as_year("c.death_year")} AS year, c.region_key AS region_code, r.region_label, c.sex, c.age_band, y.is_partial, c.deaths,
               CASE WHEN {periods.is_year("c.death_year", 2019)} AND c.sex = '{ALL}' AND c.age_band = '{ALL}' THEN r.population_2019 END AS population
        FROM placed c
        JOIN year y ON y.death_year = c.death_year
        JOIN place r ON r.region_key = c.region_key
        """


def _with_rate(counted: pa.Table) -> pa.Table:
    """Add the crude rate per 1 000 inhabitants with its exact 95 % interval; null without a population."""
    deaths = counted["deaths"].to_numpy().astype(np.float64)
    population = counted["population"].cast(pa.float64()).to_numpy(zero_copy_only=False)
    low, high = garwood(deaths)
    for name, values in (("rate_per_1000", deaths), ("rate_low", low), ("rate_high", high)):
        counted = counted.append_column(name, finite(1000 * values / population))
    return counted


EXACT = Table(
    name=NAME,
    layer=Layer.KPIS,
    zone=Zone.PSEUDONYMISED,
    grain="une région, ou la France, dans une année, par sexe et tranche d’âge, totaux compris",
    label="Décès par région",
    owner="team:kpis",
    columns=[
        Column("year", INTEGER, "année du décès", "Année", key=True),
        Column(
            "region_code",
            STRING,
            "code Insee de la région ; 99 : ailleurs ou inconnue ; all : France, les 18 régions",
            "Code région",
            key=True,
        ),
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
    rows=Query.over(
        _counts,
        finish=_with_rate,
        from_columns=dict.fromkeys(("rate_per_1000", "rate_low", "rate_high"), ("deaths", "population")),
    ),
    checks=[
        sums_to(
            "regions_sum_to_all_deaths",
            "SELECT sum(deaths) FROM {this} WHERE sex = 'all' AND age_band = 'all' AND region_code <> 'all'",
            fact_death,
            "SELECT count(*) FROM {other}",
            "la somme des décès des régions et d’ailleurs est le nombre de tous les décès",
        ),
        none_in(
            "regions_sum_to_france",
            f"SELECT count(*) FROM (SELECT sum(CASE region_code WHEN '{ALL}' THEN -deaths ELSE deaths END) AS gap "
            f"FROM {{this}} WHERE region_code <> '{ELSEWHERE}' GROUP BY year, sex, age_band HAVING gap <> 0)",
            "la somme des décès des 18 régions est le nombre de décès de la France",
            by_partition=True,
        ),
    ],
    layout=Layout(partition_by=["year"], z_order_by=["region_code"]),
    derives_from=["death"],
    period_scheme=DEATH_YEARS,
    public_source="Insee",
)

# The recomputation by `chu trace` and `chu verify`.
RECOMPUTATION: Final = Recomputation(
    InputSet.DEATHS,
    rows=f"""
        SELECT d.year, r.region_code, s.sex, a.age_band, d.key AS row
        FROM death d, LATERAL (SELECT unnest(if(d.region = '{ELSEWHERE}', [d.region], [d.region, 'all'])) AS region_code) r,
            LATERAL (SELECT unnest(['all', d.sex]) AS sex) s,
            LATERAL (SELECT unnest(['all', d.band]) AS age_band) a
        """,
    # The population is known for 2019 only, for all sexes and ages together.
    counts="""
        SELECT year, region_code, sex, age_band, count(row) AS deaths,
            any_value(if((year, sex, age_band) = (2019, 'all', 'all'), population_2019, NULL)) AS population
        FROM cell LEFT JOIN numerator USING (year, region_code, sex, age_band)
            LEFT JOIN (
                SELECT region_code, population_2019 FROM raw_region
                UNION ALL SELECT 'all', sum(population_2019) FROM raw_region
            ) USING (region_code)
        GROUP BY year, region_code, sex, age_band
        """,
    sources=[SourceRows(table, "numerator", key, COUNTED_DEATH_KEYS) for table, key in DEATH_KEYS.items()],
    complete=recomputed_death_rates,
)

kpi_deaths_by_region = Indicator(
    exact=EXACT,
    fact=fact_death,
    # Public: Insee publishes each death.
    release=None,
    question=IndicatorQuestion(
        number=7,
        slug="deces-region",
        title="Combien de décès dans chaque région ?",
        short="Décès par région",
        parameters=(
            Parameter("region", "Région du décès", ("region_code",), ALL, options={"region": "region_code = $value"}),
            replace(SEX, overview="sex = 'all'"),
            replace(AGE, overview="age_band = 'all'"),
        ),
        measures=(
            Measure(
                "taux",
                "Taux brut de mortalité",
                "‰",
                "rate_per_1000",
                "rate_low",
                "rate_high",
                POISSON,
                Count("deaths", "décès"),
                Count("population", "habitants"),
                "le taux brut de mortalité est de {value}{where}",
                2,
            ),
            Measure(
                "deces",
                "Nombre de décès",
                "décès",
                "deaths",
                None,
                None,
                "le nombre de décès est compté et non estimé : il n’a pas d’intervalle",
                Count("deaths", "décès"),
                None,
                "on compte {value}{where}",
                0,
            ),
        ),
        definition=(
            "Décès dont la date de décès est dans l’année, selon la région du lieu de décès : 18 régions, et une ligne « étranger, "
            "collectivités d’outre-mer ou inconnu ». La ligne « France » réunit les 18 régions ; avec les décès d’ailleurs, elle "
            "donne tous les décès. Les doublons exacts comptent une fois.",
            "Taux brut : décès pour 1 000 habitants, avec la population de 2019, seule année dont la population est disponible ; "
            "intervalle de Poisson exact à 95 %.",
        ),
        caution="Un taux brut dépend de l’âge de la population : une région à la population plus âgée a plus de décès, sans que les soins "
        "y soient moins bons. Le lieu est celui du décès, pas celui du domicile.",
        yearly=True,
        has_map=True,
    ),
    free_range=FreeRange(None, without=("year", "is_partial"), sums_years=True),
    summary=Summary(
        where="year = 2019 AND sex = 'all' AND age_band = 'all' AND region_code <> 'all'",
        order="deaths DESC",
        rows=3,
        subject="region_label",
        measure="taux",
    ),
    recomputation=RECOMPUTATION,
)
