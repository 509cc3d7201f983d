"""Indicator 7: deaths by region of the place of death, and in the 18 regions together, by year of death, sex and age."""

from dataclasses import replace
from typing import Final

import numpy as np
import pyarrow as pa

from chu_platform.dimensions.dim_region import dim_region
from chu_platform.facts.fact_death import fact_death
from chu_platform.facts.fact_death_coverage import fact_death_coverage
from chu_platform.indicators.deaths import NUMBER_OF_DEATHS, REGION_OF_DEATH
from chu_platform.indicators.indicator import FreeRange, Indicator, Summary
from chu_platform.indicators.intervals import garwood
from chu_platform.indicators.rates import finite
from chu_platform.indicators.use_of_care import AGE, POISSON, SEX
from chu_platform.recomputation.completed_figures import recomputed_death_rates
from chu_platform.recomputation.death_inputs import COUNTED_DEATH_KEYS, DEATH_KEYS
from chu_platform.recomputation.recomputation import InputSet, Recomputation, SourceRows
from chu_platform.references.department import department
from chu_platform.references.population import population
from chu_platform.tables.checks import none_in, sums_to
from chu_platform.tables.columns import BOOLEAN, DOUBLE, INTEGER, LONG, STRING, Column
from chu_platform.tables.indicator_questions import Count, IndicatorQuestion, Measure
from chu_platform.tables.partitions import DEATH_YEARS
from chu_platform.tables.period_sql import Periods
from chu_platform.tables.policies import PUBLIC_DEATHS
from chu_platform.tables.rows import Query
from chu_platform.tables.spark_sql import ALL, ELSEWHERE, UNKNOWN, age_band, spark_text
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
        resident AS (
            SELECT p.year, coalesce(d.region_code, '{ALL}') AS region_key, coalesce(p.sex, '{ALL}') AS sex,
                   coalesce(p.age_band, '{ALL}') AS age_band, sum(p.population) AS population
            FROM (SELECT year, department_code, sex, {age_band("age")} AS age_band, population FROM {{population}}
                  WHERE population IS NOT NULL) p
            JOIN {{department}} d ON d.department_code = p.department_code
            GROUP BY GROUPING SETS (
                (p.year), (p.year, p.sex), (p.year, p.age_band), (p.year, p.sex, p.age_band),
                (p.year, d.region_code), (p.year, d.region_code, p.sex), (p.year, d.region_code, p.age_band),
                (p.year, d.region_code, p.sex, p.age_band)
            )
        ),
        -- Deaths count in a rate where the population is known: in the rate of France, too.
        settled AS (SELECT DISTINCT year, region_key FROM resident WHERE region_key <> '{ALL}'),
        counted_twice AS (
            SELECT c.death_year, c.region_key, c.sex, c.age_band, c.deaths,
                   CASE WHEN s.region_key IS NOT NULL THEN c.deaths ELSE 0 END AS settled_deaths
            FROM cell c LEFT JOIN settled s ON s.year = {periods.calendar_year("c.death_year")} AND s.region_key = c.region_key
        ),
        placed AS (
            SELECT * FROM counted_twice
            UNION ALL
            SELECT death_year, '{ALL}', sex, age_band, sum(deaths), sum(settled_deaths) FROM counted_twice
            WHERE region_key <> '{ELSEWHERE}' GROUP BY death_year, sex, age_band
        ),
        place AS (
            SELECT region_key, region_label FROM {{region}}
            UNION ALL
            SELECT '{ALL}', 'France (18 régions)'
        )
        SELECT {periods.as_year("c.death_year")} AS year, c.region_key AS region_code, r.region_label, c.sex, c.age_band, y.is_partial,
               coalesce(v.is_comparable, false) AS is_comparable,
               CASE WHEN v.year IS NULL THEN {spark_text("aucune population connue de cette période")}
                    WHEN NOT v.is_comparable THEN v.reason
                    WHEN p.population IS NULL THEN {spark_text("aucune population connue pour ces décès")} END AS reason,
               c.deaths, CASE WHEN v.is_comparable AND p.population IS NOT NULL THEN c.settled_deaths END AS rated_deaths, p.population
        FROM placed c
        JOIN year y ON y.death_year = c.death_year
        JOIN place r ON r.region_key = c.region_key
        LEFT JOIN resident p ON p.year = {periods.calendar_year("c.death_year")} AND p.region_key = c.region_key
                            AND p.sex = c.sex AND p.age_band = c.age_band
        LEFT JOIN (SELECT * FROM {{coverage}} WHERE sex = '{ALL}' AND age_group = '{ALL}') v
            ON v.year = {periods.calendar_year("c.death_year")}
        """


def _with_rate(counted: pa.Table) -> pa.Table:
    """Add the crude rate per 1 000 inhabitants with its exact 95 % interval; null without deaths of a rate."""
    deaths, population = (
        counted[name].cast(pa.float64()).to_numpy(zero_copy_only=False) for name in ("rated_deaths", "population")
    )
    low, high = garwood(deaths)
    for name, values in (("rate_per_1000", deaths), ("rate_low", low), ("rate_high", high)):
        with np.errstate(divide="ignore", invalid="ignore"):
            rate = 1000 * values / population
        counted = counted.append_column(name, finite(rate))
    return counted


EXACT = Table(
    name=NAME,
    layer=Layer.KPIS,
    zone=Zone.PSEUDONYMISED,
    grain="une région, ou la France, dans une année, par sexe et tranche d’âge, totaux compris",
    label="Décès par région",
    owner="team:kpis",
    access=PUBLIC_DEATHS,
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
        Column(
            "is_comparable",
            BOOLEAN,
            "vrai si l’année est entière et le registre presque complet : couverture de 0,92 à 1,06 à tous les âges, et de 0,90 à 1,10 à 85 ans et plus",
            "Année comparable",
            nullable=False,
        ),
        Column("reason", STRING, "pourquoi il n’y a pas de taux ; vide s’il y en a un", "Motif"),
        Column("deaths", LONG, "nombre de décès dont la date est dans l’année", "Décès", nullable=False),
        Column(
            "rated_deaths",
            LONG,
            "décès des lieux dont la population est connue, dans une année comparable : numérateur du taux",
            "Décès du taux",
        ),
        Column("population", DOUBLE, "habitants au milieu de l’année ; vide si elle n’est pas connue", "Population"),
        Column(
            "rate_per_1000",
            DOUBLE,
            "nombre de décès pour 1 000 habitants ; vide si l’année n’est pas comparable",
            "Taux brut de mortalité (‰)",
        ),
        Column("rate_low", DOUBLE, "borne basse à 95 %, méthode exacte de Poisson", "Taux : borne basse"),
        Column("rate_high", DOUBLE, "borne haute à 95 %, méthode exacte de Poisson", "Taux : borne haute"),
    ],
    reads={
        "death": fact_death,
        "region": dim_region,
        "department": department,
        "population": population,
        "coverage": fact_death_coverage,
    },
    rows=Query.over(
        _counts,
        finish=_with_rate,
        from_columns=dict.fromkeys(("rate_per_1000", "rate_low", "rate_high"), ("rated_deaths", "population")),
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
    derives_from=["death", "coverage"],
    period_scheme=DEATH_YEARS,
    public_source="Insee",
)

# The recomputation by `chu trace` and `chu verify`.
RECOMPUTATION: Final = Recomputation(
    InputSet.DEATHS,
    rows=f"""
        SELECT d.year, r.region_code, s.sex, a.age_band, d.key AS row,
            (d.year, d.region) IN (SELECT (year, region) FROM settled) AS is_settled
        FROM death d, LATERAL (SELECT unnest(if(d.region = '{ELSEWHERE}', [d.region], [d.region, 'all'])) AS region_code) r,
            LATERAL (SELECT unnest(['all', d.sex]) AS sex) s,
            LATERAL (SELECT unnest(['all', d.band]) AS age_band) a
        """,
    counts="""
        SELECT year, region_code, sex, age_band, count(row) AS deaths,
            if(year IN (SELECT year FROM comparable) AND any_value(population) IS NOT NULL,
                count(row) FILTER (is_settled), NULL) AS rated_deaths,
            any_value(population) AS population
        FROM cell LEFT JOIN numerator USING (year, region_code, sex, age_band)
            LEFT JOIN region_resident USING (year, region_code, sex, age_band)
        GROUP BY year, region_code, sex, age_band
        """,
    sources=[SourceRows(table, "numerator", key, COUNTED_DEATH_KEYS) for table, key in DEATH_KEYS.items()],
    complete=recomputed_death_rates,
    years_before=0,
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
            REGION_OF_DEATH,
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
                Count("rated_deaths", "décès"),
                Count("population", "habitants"),
                "le taux brut de mortalité est de {value}{where}",
                2,
            ),
            NUMBER_OF_DEATHS,
        ),
        definition=(
            "Décès dont la date de décès est dans l’année, selon la région du lieu de décès : 18 régions, et une ligne « étranger, "
            "collectivités d’outre-mer ou inconnu ». La ligne « France » réunit les 18 régions ; avec les décès d’ailleurs, elle "
            "donne tous les décès. Les doublons exacts comptent une fois.",
            "Taux brut : décès pour 1 000 habitants, avec la population de l’Insee au milieu de l’année ; intervalle de Poisson exact à "
            "95 %. Dans le taux de la France comptent les lieux dont la population est connue (outre-mer depuis 1990, Mayotte depuis 2014). "
            "Les taux existent pour les années comparables seulement : celles où le registre est presque complet (voir « Mortalité »).",
        ),
        caution="Un taux brut dépend de l’âge de la population : une région à la population plus âgée a plus de décès, sans que les soins "
        "y soient moins bons. Le lieu est celui du décès, pas celui du domicile.",
        yearly=True,
        has_map=True,
        related=("deces-mois", "mortalite"),
    ),
    free_range=FreeRange(None, without=("year", "is_partial", "is_comparable"), sums_years=True),
    summary=Summary(
        where="year = 2019 AND sex = 'all' AND age_band = 'all' AND region_code <> 'all'",
        order="deaths DESC",
        rows=3,
        subject="region_label",
        measure="taux",
    ),
    recomputation=RECOMPUTATION,
)
