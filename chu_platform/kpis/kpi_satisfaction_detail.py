"""Indicator 13: satisfaction of patients by theme (nurses, doctors, room, ...), of France, regions and sites."""

from typing import Final

from chu_platform.dimensions.dim_establishment import dim_establishment
from chu_platform.dimensions.dim_region import dim_region
from chu_platform.facts.fact_satisfaction_theme import AMBULATORY_THEMES, INPATIENT_THEMES, fact_satisfaction_theme
from chu_platform.indicators.indicator import FreeRange, Indicator, Summary
from chu_platform.indicators.satisfaction import (
    LIMITS_FROM,
    SCORE_COLUMNS,
    SCORE_FIGURES,
    SCORE_MEASURES,
    SCORE_SUMS,
    SCORED_ANSWERS,
    with_score_limits,
)
from chu_platform.recomputation.completed_figures import recomputed_score_limits
from chu_platform.recomputation.recomputation import InputSet, Recomputation
from chu_platform.recomputation.survey_inputs import NUMERATOR_SOURCES, SCORE_COUNTS
from chu_platform.tables.checks import none_in, one_of
from chu_platform.tables.columns import INTEGER, STRING, Column
from chu_platform.tables.indicator_questions import IndicatorQuestion, LevelTexts, Parameter
from chu_platform.tables.partitions import YEARS
from chu_platform.tables.period_sql import Periods
from chu_platform.tables.policies import REFERENCES
from chu_platform.tables.rows import Query
from chu_platform.tables.spark_sql import ALL, UNKNOWN
from chu_platform.tables.table import Layer, Layout, Table, Zone

NAME: Final = "kpi_satisfaction_detail"
FRANCE, REGION, SITE = "france", "region", "site"
THEMES: Final = {
    "nurses": "Soins infirmiers (plus de 48 h)",
    "doctors": "Médecins (plus de 48 h)",
    "reception": "Accueil (plus de 48 h)",
    "room": "Chambre (plus de 48 h)",
    "meals": "Repas (plus de 48 h)",
    "discharge": "Sortie (plus de 48 h)",
    "before_surgery": "Avant l’hospitalisation (ambulatoire)",
    "surgery_reception": "Accueil (ambulatoire)",
    "surgery_care": "Prise en charge (ambulatoire)",
    "surgery_room_and_meals": "Chambre et collation (ambulatoire)",
    "surgery_discharge": "Organisation de la sortie (ambulatoire)",
}


def _scores(periods: Periods) -> str:
    return f"""
        WITH placed AS (
            SELECT campaign_year, survey, theme, score, region_key, establishment_key,
                   {SCORED_ANSWERS},
                   stack(3, '{FRANCE}', '{ALL}', '{REGION}', region_key, '{SITE}', site_finess) AS (level, code)
            FROM {{satisfaction}} WHERE {periods.campaigns("campaign_year")}
        ),
        summed AS (
            SELECT campaign_year, survey, theme, level, code,
                   min(CASE WHEN level <> '{FRANCE}' THEN region_key END) AS region_key,
                   min(CASE WHEN level = '{SITE}' THEN establishment_key END) AS establishment_key, {SCORE_SUMS}
            FROM placed GROUP BY campaign_year, survey, theme, level, code
        )
        SELECT CAST(s.campaign_year AS INT) AS year, s.survey, s.theme, s.level, s.code,
               CASE s.level WHEN '{FRANCE}' THEN 'France' WHEN '{REGION}' THEN r.region_label
                            ELSE coalesce(e.establishment_label, concat('FINESS ', s.code)) END AS label,
               coalesce(s.region_key, '{ALL}') AS region_code, {SCORE_FIGURES}
        FROM summed s
        LEFT JOIN {{region}} r ON r.region_key = s.region_key
        LEFT JOIN {{establishment}} e
            ON e.establishment_key = s.establishment_key AND s.establishment_key <> '{UNKNOWN}'
        """


EXACT = Table(
    name=NAME,
    layer=Layer.KPIS,
    zone=Zone.PSEUDONYMISED,
    grain="un thème, en France, dans une région ou à un site, dans une campagne d’une enquête",
    label="Satisfaction par thème",
    owner="team:kpis",
    access=REFERENCES,
    columns=[
        Column("year", INTEGER, "année de la campagne", "Année", key=True),
        Column("survey", STRING, "48h_mco ou ca_mco", "Enquête", nullable=False),
        Column("theme", STRING, "thème du score ; un thème est d’une seule enquête", "Thème", key=True),
        Column("level", STRING, "france, region ou site", "Niveau", key=True),
        Column("code", STRING, "code Insee de la région, numéro FINESS du site ; all : France", "Code", key=True),
        Column("label", STRING, "nom de la région ou du site", "Lieu", nullable=False),
        Column("region_code", STRING, "code Insee de la région ; all : France", "Code région", nullable=False),
        *SCORE_COLUMNS,
    ],
    reads={"satisfaction": fact_satisfaction_theme, "region": dim_region, "establishment": dim_establishment},
    rows=Query.over(_scores, finish=with_score_limits, from_columns=LIMITS_FROM),
    checks=[
        one_of("theme", [*INPATIENT_THEMES, *AMBULATORY_THEMES]),
        none_in(
            "places_sum_to_france",
            """
            SELECT count(*) FROM (
                SELECT 1 FROM (SELECT year, theme, level, sum(sites) AS sites, sum(answers) AS answers FROM {this} GROUP BY ALL)
                GROUP BY year, theme HAVING count(DISTINCT (sites, answers)) > 1 OR count(*) < 3
            )
            """,
            "les sites et les réponses des régions, comme ceux des sites, ont pour somme ceux de la France",
            by_partition=True,
        ),
    ],
    layout=Layout(partition_by=["year"], z_order_by=["level", "code"]),
    derives_from=["satisfaction"],
    period_scheme=YEARS,
    public_source="HAS",
)

RECOMPUTATION: Final = Recomputation(
    InputSet.SURVEYS,
    rows="""
        SELECT t.year, t.theme, p.level, p.code, t.key AS row, t.survey, t.score,
            if(t.score IS NULL, 0, coalesce(t.answers, 0)) AS answers
        FROM site_theme t, LATERAL (
            SELECT unnest(['france', 'region', 'site']) AS level, unnest(['all', t.region, t.site]) AS code
        ) p
        """,
    counts=f"""
        SELECT year, theme, level, code, {SCORE_COUNTS}
        FROM cell LEFT JOIN numerator USING (year, theme, level, code) GROUP BY ALL
        """,
    sources=NUMERATOR_SOURCES,
    complete=recomputed_score_limits,
)

kpi_satisfaction_detail = Indicator(
    exact=EXACT,
    fact=fact_satisfaction_theme,
    # Public: HAS publishes the scores of each site.
    release=None,
    question=IndicatorQuestion(
        number=13,
        slug="satisfaction-theme",
        title="De quoi les patients sont-ils satisfaits : soins infirmiers, médecins, accueil, chambre, repas, sortie ?",
        short="Satisfaction par thème",
        parameters=(
            Parameter(
                "x",
                "Lieu",
                ("level", "code"),
                f"{FRANCE}:{ALL}",
                options={level: f"level = '{level}' AND code = $value" for level in (REGION, SITE)},
                exclusive=True,
                overview=f"level IN ('{FRANCE}', '{REGION}')",
            ),
            Parameter("theme", "Thème", ("theme",), "nurses", THEMES, options={"theme": "theme = $value"}),
        ),
        measures=SCORE_MEASURES,
        definition=(
            "Score e-Satis de chaque site pour un thème, de 0 à 100, tel que la HAS le publie. La moyenne d’une région ou de la "
            "France est pondérée par le nombre de réponses de chaque site au thème ; la moyenne simple donne le même poids à "
            "chaque site. Intervalle de Student, limité à 0 et à 100, à partir de cinq sites avec score.",
            "Les thèmes d’une enquête ne sont pas ceux de l’autre : les questions posées diffèrent, et les deux enquêtes ne sont "
            "jamais additionnées. L’océan Indien est partagé entre La Réunion et Mayotte.",
        ),
        caution="Le score d’un thème est celui des patients qui ont répondu, pour tout le site : il ne désigne ni un service, ni une "
        "équipe, ni une personne. La HAS ne livre pas d’intervalle avec le score d’un site. Un site sans score n’est pas un "
        "mauvais site.",
        levels={
            FRANCE: LevelTexts("France"),
            REGION: LevelTexts("Région", " dans la région", "régions"),
            SITE: LevelTexts("Site", " pour ce site", "sites", searched=True),
        },
        yearly=True,
        has_map=True,
        related=("satisfaction-region",),
    ),
    free_range=FreeRange(None, without=(), order="survey, theme, year, level, code"),
    summary=Summary(
        where=f"year = (SELECT max(year) FROM {{this}}) AND level = '{FRANCE}' AND theme IN ('nurses', 'doctors')",
        order="theme DESC",
        rows=2,
        subject="CASE theme WHEN 'nurses' THEN 'soins infirmiers' ELSE 'médecins' END",
        measure="score",
    ),
    recomputation=RECOMPUTATION,
)
