"""The care-quality indicators of each site, as HAS publishes them, beside the results of all sites.

The rank range of a site follows from the intervals: a site is ahead of another one only where the intervals of both do
not overlap. Rank 1 is the highest result; whether a high result is good depends on the indicator.
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
from chu_platform.dimensions.dim_quality_indicator import dim_quality_indicator
from chu_platform.dimensions.dim_region import dim_region
from chu_platform.facts.fact_quality_indicator import fact_quality_indicator
from chu_platform.references.department import department
from chu_platform.tables.checks import holds
from chu_platform.tables.columns import DOUBLE, INTEGER, LONG, STRING, Column
from chu_platform.tables.policies import OPEN_DATA
from chu_platform.tables.rows import Query
from chu_platform.tables.table import Layer, Layout, Table, Zone

published_quality = Table(
    name="published_quality",
    layer=Layer.PUBLISHED,
    zone=Zone.PUBLISHED,
    grain="un site dans une campagne pour un indicateur",
    label="Qualité des soins par site",
    owner="team:privacy",
    access=OPEN_DATA,
    public_source="HAS",
    columns=[
        Column("campaign_year", STRING, "année de la campagne", "Campagne", key=True),
        Column("site_finess", STRING, "numéro FINESS du site", "FINESS", key=True),
        Column("indicator_key", STRING, "enquête et code de l’indicateur", "Clé de l’indicateur", key=True),
        Column("indicator_label", STRING, "libellé de l’indicateur", "Indicateur", nullable=False),
        Column("unit", STRING, "unité du résultat", "Unité", nullable=False),
        *IN_REGISTER,
        DEPARTMENT_CODE,
        *REGION,
        Column("value", DOUBLE, "résultat, dans l’unité de l’indicateur ; vide s’il n’y en a pas", "Résultat"),
        Column("lower_bound", DOUBLE, "borne basse de l’intervalle de confiance livré", "Borne basse"),
        Column("upper_bound", DOUBLE, "borne haute de l’intervalle de confiance livré", "Borne haute"),
        Column("denominator", INTEGER, "dossiers ou séjours dont le résultat est tiré", "Dénominateur"),
        Column("class", STRING, "classe A à C, ou motif de son absence", "Classe"),
        *national_columns("résultat à cet indicateur", "résultats"),
        Column(
            "rank_first",
            LONG,
            "premier rang que l’intervalle permet, 1 pour le résultat le plus élevé ; vide sans résultat",
            "Premier rang possible",
        ),
        Column("rank_last", LONG, "dernier rang que l’intervalle permet", "Dernier rang possible"),
    ],
    reads={
        "result": fact_quality_indicator,
        "indicator": dim_quality_indicator,
        "establishment": dim_establishment,
        "department": department,
        "region": dim_region,
    },
    rows=Query(
        f"""
        WITH result AS (SELECT *, {department_of_site("site_finess")} AS department FROM {{result}}),
        scored AS (
            SELECT concat(campaign_year, '') AS campaign_year, concat(indicator_key, '') AS indicator_key,
                   concat(site_finess, '') AS site_finess, value,
                   least(value, coalesce(lower_bound, value), coalesce(upper_bound, value)) AS low,
                   greatest(value, coalesce(lower_bound, value), coalesce(upper_bound, value)) AS high
            FROM {{result}} WHERE value IS NOT NULL
        ),
        nation AS ({nation("scored", "value", "campaign_year, indicator_key")}
        ),
        -- For each site, how many sites begin at or below its upper bound, and how many end at or above its lower bound.
        beginning AS (
            SELECT campaign_year, indicator_key, site_finess,
                   sum(n) OVER (PARTITION BY campaign_year, indicator_key ORDER BY bound) AS sites
            FROM (
                SELECT campaign_year, indicator_key, site_finess, high AS bound, 0 AS n FROM scored
                UNION ALL SELECT campaign_year, indicator_key, '', low, 1 FROM scored
            )
        ),
        ending AS (
            SELECT campaign_year, indicator_key, site_finess,
                   sum(n) OVER (PARTITION BY campaign_year, indicator_key ORDER BY bound DESC) AS sites
            FROM (
                SELECT campaign_year, indicator_key, site_finess, low AS bound, 0 AS n FROM scored
                UNION ALL SELECT campaign_year, indicator_key, '', high, 1 FROM scored
            )
        )
        SELECT result.campaign_year, result.site_finess, result.indicator_key, i.indicator_label, i.unit,
               {KNOWN_ESTABLISHMENT},
               e.establishment_label AS site_label, d.department_code, result.region_key AS region_code, r.region_label,
               result.value, result.lower_bound, result.upper_bound, result.denominator, result.class,
               {NATIONAL},
               n.sites + 1 - b.sites AS rank_first, l.sites AS rank_last
        FROM result
        JOIN {{indicator}} i ON i.indicator_key = result.indicator_key{PLACES}
        LEFT JOIN nation n ON n.campaign_year = result.campaign_year AND n.indicator_key = result.indicator_key
        LEFT JOIN (SELECT * FROM beginning WHERE site_finess <> '') b
            ON b.campaign_year = result.campaign_year AND b.indicator_key = result.indicator_key AND b.site_finess = result.site_finess
        LEFT JOIN (SELECT * FROM ending WHERE site_finess <> '') l
            ON l.campaign_year = result.campaign_year AND l.indicator_key = result.indicator_key AND l.site_finess = result.site_finess
        """
    ),
    checks=[
        holds(
            "ranks_in_order",
            "rank_first BETWEEN 1 AND rank_last AND rank_last <= sites",
            "la fourchette de rangs est dans l’ordre et ne dépasse pas le nombre de sites",
        )
    ],
    layout=Layout(z_order_by=["site_finess", "indicator_key"]),
)
