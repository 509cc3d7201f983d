"""Scores of the e-Satis surveys by site."""

from typing import Final

from chu_platform.building_blocks.survey_sites import department_of_site, region_of_site
from chu_platform.dimensions.dim_establishment import dim_establishment
from chu_platform.dimensions.dim_region import dim_region
from chu_platform.references.department import department
from chu_platform.references.survey_region import survey_region
from chu_platform.sources.esatis48h_mco import esatis48h_mco
from chu_platform.sources.esatisca_mco import esatisca_mco
from chu_platform.tables.checks import between, holds, last_event, mostly_found, one_of, region_of_each_survey, relation
from chu_platform.tables.columns import DOUBLE, INTEGER, STRING, Column
from chu_platform.tables.partitions import CAMPAIGNS
from chu_platform.tables.policies import REFERENCES
from chu_platform.tables.rows import Query
from chu_platform.tables.spark_sql import UNKNOWN
from chu_platform.tables.table import Layer, Layout, Table, Zone

# What a campaign says of a site, also where it is published.
RESULT: Final = (
    Column("score", DOUBLE, "score global ajusté, de 0 à 100 ; vide s’il n’y en a pas", "Score global"),
    Column("answers", INTEGER, "nombre de réponses dont le score est tiré", "Réponses"),
    Column("class", STRING, "A à D ; sans score, le motif : DI, NR, NV", "Classe"),
    Column(
        "recommendation_rate",
        DOUBLE,
        "part des réponses qui recommandent le site, en %",
        "Taux de recommandation (%)",
    ),
    Column(
        "recommendation_answers",
        INTEGER,
        "nombre de réponses à la question de la recommandation",
        "Réponses à la recommandation",
    ),
)

fact_satisfaction = Table(
    name="fact_satisfaction",
    layer=Layer.FACTS,
    zone=Zone.PSEUDONYMISED,
    grain="un site dans une campagne d’une enquête",
    label="Satisfaction des patients",
    owner="team:facts",
    access=REFERENCES,
    public_source="HAS",
    columns=[
        Column("campaign_year", STRING, "année de la campagne", "Année de campagne", key=True),
        Column(
            "survey",
            STRING,
            "48h_mco (séjours de plus de 48 heures) ou ca_mco (chirurgie ambulatoire)",
            "Enquête",
            key=True,
        ),
        Column("site_finess", STRING, "numéro FINESS du site", "FINESS géographique", key=True),
        Column("establishment_key", STRING, "établissement du registre", "Établissement", nullable=False),
        Column("region_key", STRING, "région du site", "Code région", nullable=False),
        *RESULT,
    ],
    reads={
        "inpatient": esatis48h_mco,
        "ambulatory": esatisca_mco,
        "establishment": dim_establishment,
        "survey_region": survey_region,
        "department": department,
    },
    rows=Query(
        f"""
        WITH answer AS (
            SELECT campaign_year, '48h_mco' AS survey, finess_geo, trim(region) AS region,
                   {department_of_site("finess_geo")} AS department, score_all_rea_ajust AS score,
                   nb_rep_score_all_rea_ajust AS answers, classement AS class, taux_reco_brut,
                   nb_reco_brut
            FROM {{inpatient}}
            UNION ALL
            SELECT campaign_year, 'ca_mco', finess_geo, trim(region), {department_of_site("finess_geo")},
                   score_all_ajust, nb_rep_score_all_ajust, classement, taux_reco_brut, nb_reco_brut
            FROM {{ambulatory}}
        )
        SELECT a.campaign_year, a.survey, a.finess_geo AS site_finess,
               coalesce(e.establishment_key, '{UNKNOWN}') AS establishment_key,
               {region_of_site("a.finess_geo", "a.region", "r", "d")} AS region_key,
               a.score, a.answers, a.class,
               a.taux_reco_brut AS recommendation_rate, a.nb_reco_brut AS recommendation_answers
        FROM answer a
        LEFT JOIN {{establishment}} e ON e.establishment_key = concat('F', a.finess_geo)
        LEFT JOIN {{survey_region}} r ON r.survey_label = a.region
        LEFT JOIN {{department}} d ON d.department_code = a.department
        """
    ),
    checks=[
        *relation("region_key", dim_region),
        *region_of_each_survey(),
        # No figure depends on it.
        *relation("establishment_key", dim_establishment, blocking=False),
        # Labels of regions that nobody knows yet: the FINESS number tells the region, but not always rightly.
        *(
            mostly_found(
                f"region_label_{s.name}",
                "trim(region)",
                s,
                "survey_label",
                survey_region,
                0.5,
                blocking=False,
                each="campaign_year",
            )
            for s in (esatis48h_mco, esatisca_mco)
        ),
        one_of("survey", ["48h_mco", "ca_mco"]),
        between("score", 0, 100),
        between("recommendation_rate", 0, 100),
        holds("answers_not_negative", "answers >= 0", "le nombre de réponses n’est pas négatif"),
        holds(
            "recommendation_answers_not_negative",
            "recommendation_answers >= 0",
            "le nombre de réponses à la recommandation n’est pas négatif",
        ),
        last_event("campaign_year", 3 * 366, "make_date(CAST(campaign_year AS INT), 12, 31)"),
    ],
    layout=Layout(z_order_by=["region_key"]),
    partition_scheme=CAMPAIGNS,
    derives_from=["inpatient", "ambulatory"],
)
