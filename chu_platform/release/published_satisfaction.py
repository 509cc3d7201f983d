"""The e-Satis scores of each site, as HAS publishes them, beside the scores of all sites.

A site has no rank: HAS delivers no interval with a score, and without one no order of sites is established.
"""

from chu_platform.building_blocks.survey_sites import department_of_site
from chu_platform.dimensions.dim_establishment import dim_establishment
from chu_platform.dimensions.dim_region import dim_region
from chu_platform.facts.fact_satisfaction import fact_satisfaction
from chu_platform.references.department import department
from chu_platform.tables.checks import holds, one_of
from chu_platform.tables.columns import DOUBLE, INTEGER, LONG, STRING, Column
from chu_platform.tables.rows import Query
from chu_platform.tables.spark_sql import UNKNOWN
from chu_platform.tables.table import Layer, Layout, Table, Zone

published_satisfaction = Table(
    name="published_satisfaction",
    layer=Layer.PUBLISHED,
    zone=Zone.PUBLISHED,
    grain="un site dans une campagne d’une enquête",
    label="Satisfaction par site",
    owner="team:privacy",
    public_source="HAS",
    columns=[
        Column("campaign_year", STRING, "année de la campagne", "Campagne", key=True),
        Column("survey", STRING, "48h_mco ou ca_mco", "Enquête", key=True),
        Column("site_finess", STRING, "numéro FINESS du site", "FINESS", key=True),
        Column("establishment_key", STRING, "établissement du registre ; vide s’il n’y est pas", "Établissement"),
        Column("site_label", STRING, "nom du site dans le registre ; vide s’il n’y est pas", "Site"),
        Column("commune_label", STRING, "commune de l’établissement", "Commune"),
        Column(
            "department_code",
            STRING,
            "code Insee du département, d’après le numéro FINESS du site",
            "Code département",
        ),
        Column("department_label", STRING, "nom du département", "Département"),
        Column("region_code", STRING, "code Insee de la région ; 99 : ailleurs", "Code région", nullable=False),
        Column("region_label", STRING, "nom de la région", "Région", nullable=False),
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
        Column("sites", LONG, "sites ayant un score à cette enquête dans la campagne", "Sites", nullable=False),
        Column("national_p20", DOUBLE, "20e centile des scores de ces sites", "P20 des sites"),
        Column("national_median", DOUBLE, "médiane des scores de ces sites", "Médiane des sites"),
        Column("national_p80", DOUBLE, "80e centile des scores de ces sites", "P80 des sites"),
    ],
    reads={
        "result": fact_satisfaction,
        "establishment": dim_establishment,
        "department": department,
        "region": dim_region,
    },
    rows=Query(
        f"""
        WITH result AS (SELECT *, {department_of_site("site_finess")} AS department FROM {{result}}),
        nation AS (
            SELECT campaign_year, survey, count(*) AS sites, percentile(score, 0.2) AS p20,
                   percentile(score, 0.5) AS median, percentile(score, 0.8) AS p80
            FROM {{result}} WHERE score IS NOT NULL GROUP BY campaign_year, survey
        )
        SELECT s.campaign_year, s.survey, s.site_finess,
               CASE WHEN s.establishment_key <> '{UNKNOWN}' THEN s.establishment_key END AS establishment_key,
               e.establishment_label AS site_label, e.commune_label,
               d.department_code, d.department_label, s.region_key AS region_code, r.region_label,
               s.score, s.answers, s.class, s.recommendation_rate, s.recommendation_answers,
               coalesce(n.sites, 0) AS sites, n.p20 AS national_p20, n.median AS national_median, n.p80 AS national_p80
        FROM result s
        JOIN {{region}} r ON r.region_key = s.region_key
        LEFT JOIN {{establishment}} e ON e.establishment_key = s.establishment_key AND s.establishment_key <> '{UNKNOWN}'
        LEFT JOIN {{department}} d ON d.department_code = s.department
        LEFT JOIN nation n ON n.campaign_year = s.campaign_year AND n.survey = s.survey
        """
    ),
    checks=[
        one_of("survey", ["48h_mco", "ca_mco"]),
        holds(
            "median_between_quantiles",
            "national_p20 <= national_median AND national_median <= national_p80",
            "la médiane des sites est entre le 20e et le 80e centile",
        ),
    ],
    layout=Layout(z_order_by=["site_finess", "campaign_year"]),
)
