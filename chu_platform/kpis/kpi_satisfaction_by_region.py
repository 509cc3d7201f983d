"""Indicator 8: satisfaction of patients by region, for each survey.

Here: the declaration of this one table. Not here: how it is made (graph.step).
"""

import numpy as np
import pyarrow as pa

from chu_platform.dimensions.dim_region import dim_region
from chu_platform.facts.fact_satisfaction import fact_satisfaction
from chu_platform.kpis.intervals import student_mean
from chu_platform.kpis.rates import finite
from chu_platform.tables.columns import DOUBLE, INTEGER, LONG, STRING, Column
from chu_platform.tables.rules import none_in
from chu_platform.tables.sql import ALL
from chu_platform.tables.table import Layer, Query, Table, Zone


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
    grain="one region, or France, in one campaign of one survey",
    label="Satisfaction par région",
    owner="team:kpis",
    columns=[
        Column("year", INTEGER, "year of the campaign", "Année", key=True),
        Column("survey", STRING, "48h_mco or ca_mco", "Enquête", key=True),
        Column("region_code", STRING, "INSEE code; all for France", "Code région", key=True),
        Column("region_label", STRING, "name of the region", "Région", nullable=False),
        Column("sites", LONG, "sites in the file", "Sites", nullable=False),
        Column("sites_scored", LONG, "sites with a score", "Sites avec score", nullable=False),
        Column("answers", LONG, "answers that make the scores", "Réponses", nullable=False),
        Column(
            "score_weighted",
            DOUBLE,
            "mean of the site scores, weighted by their answers, 0 to 100",
            "Score moyen pondéré",
        ),
        Column("score_mean", DOUBLE, "unweighted mean of the site scores", "Score moyen"),
        Column(
            "score_low",
            DOUBLE,
            "lower limit of the unweighted mean, 95 %, Student",
            "Score moyen : borne basse",
        ),
        Column(
            "score_high",
            DOUBLE,
            "upper limit of the unweighted mean, 95 %, Student",
            "Score moyen : borne haute",
        ),
        Column("class_a", LONG, "sites of class A", "Sites de classe A", nullable=False),
        Column("class_b", LONG, "sites of class B", "Sites de classe B", nullable=False),
        Column("class_c", LONG, "sites of class C", "Sites de classe C", nullable=False),
        Column("class_d", LONG, "sites of class D", "Sites de classe D", nullable=False),
        Column(
            "recommendation_rate",
            DOUBLE,
            "share of answers that recommend the site, weighted by their number, %",
            "Taux de recommandation (%)",
        ),
        Column(
            "recommendation_answers",
            LONG,
            "answers to the recommendation question",
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
    rules=[
        none_in(
            "regions_sum_to_france",
            "SELECT count(*) FROM (SELECT sum(CASE region_code WHEN 'all' THEN -sites ELSE sites END) AS gap FROM {this} GROUP BY year, survey HAVING gap <> 0)",
            "the sites of the regions sum to those of France",
        )
    ],
)
