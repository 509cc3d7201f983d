"""The e-Satis scores of each site, as HAS publishes them, beside the scores of all sites.

A site has no rank: HAS delivers no interval with a score, and without one no order of sites is established.
"""

from chu_platform.building_blocks.published_sites import (
    DEPARTMENT_CODE,
    IN_REGISTER,
    KNOWN_ESTABLISHMENT,
    NATIONAL,
    PLACES,
    REGION,
    nation,
    national_columns,
)
from chu_platform.building_blocks.survey_sites import department_of_site
from chu_platform.dimensions.dim_establishment import dim_establishment
from chu_platform.dimensions.dim_region import dim_region
from chu_platform.facts.fact_satisfaction import RESULT, fact_satisfaction
from chu_platform.references.department import department
from chu_platform.tables.checks import holds, one_of
from chu_platform.tables.columns import STRING, Column
from chu_platform.tables.policies import OPEN_DATA
from chu_platform.tables.rows import Query
from chu_platform.tables.table import Layer, Layout, Table, Zone

published_satisfaction = Table(
    name="published_satisfaction",
    layer=Layer.PUBLISHED,
    zone=Zone.PUBLISHED,
    grain="un site dans une campagne d’une enquête",
    label="Satisfaction par site",
    owner="team:privacy",
    access=OPEN_DATA,
    public_source="HAS",
    columns=[
        Column("campaign_year", STRING, "année de la campagne", "Campagne", key=True),
        Column("survey", STRING, "48h_mco ou ca_mco", "Enquête", key=True),
        Column("site_finess", STRING, "numéro FINESS du site", "FINESS", key=True),
        *IN_REGISTER,
        Column("commune_label", STRING, "commune de l’établissement", "Commune"),
        DEPARTMENT_CODE,
        Column("department_label", STRING, "nom du département", "Département"),
        *REGION,
        *RESULT,
        *national_columns("score à cette enquête", "scores"),
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
        nation AS ({nation("{result} WHERE score IS NOT NULL", "score", "campaign_year, survey")}
        )
        SELECT result.campaign_year, result.survey, result.site_finess, {KNOWN_ESTABLISHMENT},
               e.establishment_label AS site_label, e.commune_label, d.department_code, d.department_label,
               result.region_key AS region_code, r.region_label, result.score, result.answers, result.class,
               result.recommendation_rate, result.recommendation_answers, {NATIONAL}
        FROM result{PLACES}
        LEFT JOIN nation n ON n.campaign_year = result.campaign_year AND n.survey = result.survey
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
