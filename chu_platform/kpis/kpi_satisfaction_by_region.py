"""Indicator 8: satisfaction of patients by region, for each survey."""

from typing import Final

from chu_platform.dimensions.dim_region import dim_region
from chu_platform.facts.fact_satisfaction import fact_satisfaction
from chu_platform.indicators.indicator import FreeRange, Indicator, Summary
from chu_platform.indicators.satisfaction import (
    LIMITS_FROM,
    SCORE_COLUMNS,
    SCORE_FIGURES,
    SCORE_MEASURES,
    SCORE_SUMS,
    SCORED_ANSWERS,
    SURVEYS,
    with_score_limits,
)
from chu_platform.recomputation.completed_figures import recomputed_score_limits
from chu_platform.recomputation.recomputation import InputSet, Recomputation
from chu_platform.recomputation.survey_inputs import NUMERATOR_SOURCES, SCORE_COUNTS
from chu_platform.tables.checks import none_in
from chu_platform.tables.columns import DOUBLE, INTEGER, LONG, STRING, Column
from chu_platform.tables.indicator_questions import Count, IndicatorQuestion, Measure, Parameter
from chu_platform.tables.partitions import YEARS
from chu_platform.tables.period_sql import Periods
from chu_platform.tables.policies import REFERENCES
from chu_platform.tables.rows import Query
from chu_platform.tables.spark_sql import ALL
from chu_platform.tables.table import Layer, Layout, Table, Zone

NAME: Final = "kpi_satisfaction_by_region"


def _scores(periods: Periods) -> str:
    return f"""
        WITH site AS (
            SELECT campaign_year, survey, class, score, recommendation_rate,
                   {SCORED_ANSWERS},
                   CASE WHEN recommendation_rate IS NOT NULL THEN coalesce(recommendation_answers, 0) ELSE 0 END AS opinions,
                   explode(array(region_key, '{ALL}')) AS region_key
            FROM {{satisfaction}} WHERE {periods.campaigns("campaign_year")}
        ),
        summed AS (
            SELECT campaign_year, survey, region_key, {SCORE_SUMS},
                   count(*) FILTER (WHERE class = 'A') AS class_a, count(*) FILTER (WHERE class = 'B') AS class_b,
                   count(*) FILTER (WHERE class = 'C') AS class_c, count(*) FILTER (WHERE class = 'D') AS class_d,
                   CAST(sum(CAST(recommendation_rate AS DECIMAL(18, 8)) * opinions) AS DOUBLE) AS opinion_sum,
                   sum(opinions) AS recommendation_answers
            FROM site GROUP BY campaign_year, survey, region_key
        )
        SELECT CAST(s.campaign_year AS INT) AS year, s.survey, s.region_key AS region_code,
               coalesce(r.region_label, 'France') AS region_label, {SCORE_FIGURES},
               s.class_a, s.class_b, s.class_c, s.class_d,
               CASE WHEN s.recommendation_answers > 0 THEN s.opinion_sum / s.recommendation_answers END AS recommendation_rate,
               s.recommendation_answers
        FROM summed s LEFT JOIN {{region}} r ON r.region_key = s.region_key
        """


EXACT = Table(
    name=NAME,
    layer=Layer.KPIS,
    zone=Zone.PSEUDONYMISED,
    grain="une région, ou la France, dans une campagne d’une enquête",
    label="Satisfaction par région",
    owner="team:kpis",
    access=REFERENCES,
    columns=[
        Column("year", INTEGER, "année de la campagne", "Année", key=True),
        Column("survey", STRING, "48h_mco ou ca_mco", "Enquête", key=True),
        Column("region_code", STRING, "code Insee de la région ; all : France", "Code région", key=True),
        Column("region_label", STRING, "nom de la région", "Région", nullable=False),
        *SCORE_COLUMNS,
        Column("class_a", LONG, "nombre de sites de classe A", "Sites de classe A", nullable=False),
        Column("class_b", LONG, "nombre de sites de classe B", "Sites de classe B", nullable=False),
        Column("class_c", LONG, "nombre de sites de classe C", "Sites de classe C", nullable=False),
        Column("class_d", LONG, "nombre de sites de classe D", "Sites de classe D", nullable=False),
        Column(
            "recommendation_rate",
            DOUBLE,
            "part des réponses qui recommandent le site, pondérée par leur nombre, en %",
            "Taux de recommandation (%)",
        ),
        Column(
            "recommendation_answers",
            LONG,
            "nombre de réponses à la question de la recommandation",
            "Réponses à la recommandation",
            nullable=False,
        ),
    ],
    reads={"satisfaction": fact_satisfaction, "region": dim_region},
    rows=Query.over(
        _scores,
        finish=with_score_limits,
        from_columns=LIMITS_FROM,
    ),
    checks=[
        none_in(
            "regions_sum_to_france",
            "SELECT count(*) FROM (SELECT sum(CASE region_code WHEN 'all' THEN -sites ELSE sites END) AS gap FROM {this} GROUP BY year, survey HAVING gap <> 0)",
            "la somme des sites des régions est le nombre de sites de la France",
            by_partition=True,
        )
    ],
    layout=Layout(partition_by=["year"]),
    derives_from=["satisfaction"],
    period_scheme=YEARS,
    public_source="HAS",
)

# The recomputation by `chu trace` and `chu verify`.
RECOMPUTATION: Final = Recomputation(
    InputSet.SURVEYS,
    rows="""
        SELECT s.year, s.survey, r.region_code, s.key AS row, s.score, s.class, s.opinion,
            if(s.score IS NULL, 0, coalesce(s.answers, 0)) AS answers,
            if(s.opinion IS NULL, 0, coalesce(s.opinions, 0)) AS opinions
        FROM site s, LATERAL (SELECT unnest(['all', s.region]) AS region_code) r
        """,
    counts=f"""
        SELECT year, survey, region_code, {SCORE_COUNTS},
            {", ".join(f"count_if(class = '{c}') AS class_{c.lower()}" for c in "ABCD")},
            sum(opinion * opinions) / nullif(sum(opinions), 0) AS recommendation_rate,
            sum(opinions) AS recommendation_answers
        FROM cell LEFT JOIN numerator USING (year, survey, region_code) GROUP BY year, survey, region_code
        """,
    sources=NUMERATOR_SOURCES,
    complete=recomputed_score_limits,
)

kpi_satisfaction_by_region = Indicator(
    exact=EXACT,
    fact=fact_satisfaction,
    # Public: HAS publishes the scores of each site.
    release=None,
    question=IndicatorQuestion(
        number=8,
        slug="satisfaction-region",
        title="Quelle satisfaction des patients dans chaque région ?",
        short="Satisfaction par région",
        parameters=(
            Parameter(
                "region",
                "Région",
                ("region_code",),
                "all",
                options={"region": "region_code = $value"},
                overview="region_code <> 'all'",
            ),
            Parameter("enquete", "Enquête", ("survey",), "48h_mco", SURVEYS),
        ),
        measures=(
            *SCORE_MEASURES,
            Measure(
                "recommandation",
                "Taux de recommandation",
                "%",
                "recommendation_rate",
                None,
                None,
                "aucun intervalle n’est publié pour la recommandation",
                Count("recommendation_answers", "réponses"),
                None,
                "{value} des réponses recommandent l’établissement{where}",
                better="higher",
            ),
        ),
        definition=(
            "Score e-Satis de chaque site, de 0 à 100 ; la moyenne d’une région est pondérée par le nombre de réponses de chaque "
            "site. La moyenne simple donne le même poids à chaque site. Chacune a un intervalle (Student, limité à 0 et à 100), à "
            "partir de cinq sites avec score : il dit ce qu’une région de sites semblables aurait pu obtenir. Celui de la moyenne "
            "pondérée est fait des écarts des sites, chacun avec son poids (variance linéarisée d’un quotient).",
            "L’océan Indien est partagé entre La Réunion et Mayotte. Les deux enquêtes ne sont jamais additionnées.",
        ),
        caution="Les patients qui répondent ne sont pas tous les patients ; les sites sans score ne sont pas de mauvais sites.",
        yearly=True,
        has_map=True,
    ),
    free_range=FreeRange(None, without=(), order="survey, year, region_code"),
    summary=Summary(
        where="year = (SELECT max(year) FROM {this}) AND region_code = 'all'",
        order="survey",
        rows=2,
        subject="concat(region_label, CASE survey WHEN '48h_mco' THEN ', plus de 48 h' ELSE ', ambulatoire' END)",
        measure="score",
    ),
    recomputation=RECOMPUTATION,
)
