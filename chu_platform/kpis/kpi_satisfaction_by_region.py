"""Indicator 8: satisfaction of patients by region, for each survey.

Here: the declaration of this one table. Not here: how it is made (graph.step).
"""

import numpy as np
import pyarrow as pa

from chu_platform.building_blocks.intervals import student_mean
from chu_platform.building_blocks.rates import finite
from chu_platform.dimensions.dim_region import dim_region
from chu_platform.facts.fact_satisfaction import fact_satisfaction
from chu_platform.tables.checks import none_in
from chu_platform.tables.columns import DOUBLE, INTEGER, LONG, STRING, Column
from chu_platform.tables.rows import Query
from chu_platform.tables.spark_sql import ALL
from chu_platform.tables.table import Layer, Table, Zone


def _with_interval(summed: pa.Table) -> pa.Table:
    """Replace the list of site scores by Student's interval of their mean."""
    limits = [student_mean(np.array(scores or [], dtype=np.float64)) for scores in summed["scores"].to_pylist()]
    lows, highs = np.array(limits, dtype=np.float64).reshape(-1, 2).T
    return (
        summed.drop_columns(["scores"])
        .append_column("score_low", finite(lows))
        .append_column("score_high", finite(highs))
    )


kpi_satisfaction_by_region = Table(
    name="kpi_satisfaction_by_region",
    layer=Layer.KPIS,
    zone=Zone.PSEUDONYMISED,
    grain="une région, ou la France, dans une campagne d’une enquête",
    label="Satisfaction par région",
    owner="team:kpis",
    columns=[
        Column("year", INTEGER, "année de la campagne", "Année", key=True),
        Column("survey", STRING, "48h_mco ou ca_mco", "Enquête", key=True),
        Column("region_code", STRING, "code Insee de la région ; all : France", "Code région", key=True),
        Column("region_label", STRING, "nom de la région", "Région", nullable=False),
        Column("sites", LONG, "nombre de sites du fichier", "Sites", nullable=False),
        Column("sites_scored", LONG, "nombre de sites avec un score", "Sites avec score", nullable=False),
        Column("answers", LONG, "nombre de réponses dont les scores sont tirés", "Réponses", nullable=False),
        Column(
            "score_weighted",
            DOUBLE,
            "moyenne des scores des sites, pondérée par leurs réponses, de 0 à 100",
            "Score moyen pondéré",
        ),
        Column("score_mean", DOUBLE, "moyenne non pondérée des scores des sites", "Score moyen"),
        Column(
            "score_low",
            DOUBLE,
            "borne basse à 95 % de la moyenne non pondérée, loi de Student",
            "Score moyen : borne basse",
        ),
        Column(
            "score_high",
            DOUBLE,
            "borne haute à 95 % de la moyenne non pondérée, loi de Student",
            "Score moyen : borne haute",
        ),
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
    rows=Query(
        f"""
        WITH site AS (
            SELECT campaign_year, survey, class, score, recommendation_rate,
                   CASE WHEN score IS NOT NULL THEN coalesce(answers, 0) ELSE 0 END AS answers,
                   CASE WHEN recommendation_rate IS NOT NULL THEN coalesce(recommendation_answers, 0) ELSE 0 END AS opinions,
                   explode(array(region_key, '{ALL}')) AS region_key
            FROM {{satisfaction}}
        ),
        summed AS (
            -- Exact decimal sums: those of binary fractions depend on the order of the rows.
            SELECT campaign_year, survey, region_key, count(*) AS sites, count(score) AS sites_scored, sum(answers) AS answers,
                   CAST(sum(CAST(score AS DECIMAL(18, 8)) * answers) AS DOUBLE) AS score_sum,
                   CAST(sum(CAST(score AS DECIMAL(18, 8))) AS DOUBLE) AS plain_sum,
                   sort_array(collect_list(score)) AS scores,
                   count(*) FILTER (WHERE class = 'A') AS class_a, count(*) FILTER (WHERE class = 'B') AS class_b,
                   count(*) FILTER (WHERE class = 'C') AS class_c, count(*) FILTER (WHERE class = 'D') AS class_d,
                   CAST(sum(CAST(recommendation_rate AS DECIMAL(18, 8)) * opinions) AS DOUBLE) AS opinion_sum,
                   sum(opinions) AS recommendation_answers
            FROM site GROUP BY campaign_year, survey, region_key
        )
        SELECT CAST(s.campaign_year AS INT) AS year, s.survey, s.region_key AS region_code,
               coalesce(r.region_label, 'France') AS region_label, s.sites, s.sites_scored, s.answers,
               CASE WHEN s.answers > 0 THEN s.score_sum / s.answers END AS score_weighted,
               CASE WHEN s.sites_scored > 0 THEN s.plain_sum / s.sites_scored END AS score_mean, s.scores,
               s.class_a, s.class_b, s.class_c, s.class_d,
               CASE WHEN s.recommendation_answers > 0 THEN s.opinion_sum / s.recommendation_answers END AS recommendation_rate,
               s.recommendation_answers
        FROM summed s LEFT JOIN {{region}} r ON r.region_key = s.region_key
        """,
        finish=_with_interval,
        from_columns=dict.fromkeys(("score_low", "score_high"), ("scores",)),
    ),
    checks=[
        none_in(
            "regions_sum_to_france",
            "SELECT count(*) FROM (SELECT sum(CASE region_code WHEN 'all' THEN -sites ELSE sites END) AS gap FROM {this} GROUP BY year, survey HAVING gap <> 0)",
            "la somme des sites des régions est le nombre de sites de la France",
        )
    ],
)
