"""Results of the care-quality indicators by site. They measure processes of care: do not average them with satisfaction."""

from typing import Final

from chu_platform.building_blocks.care_quality import CareQuality, QualityIndicator
from chu_platform.building_blocks.survey_sites import department_of_site, region_of_site
from chu_platform.dimensions.dim_establishment import dim_establishment
from chu_platform.dimensions.dim_quality_indicator import dim_quality_indicator
from chu_platform.dimensions.dim_region import dim_region
from chu_platform.references.department import department
from chu_platform.references.survey_region import survey_region
from chu_platform.tables.checks import foreign_key, holds, mostly_found, none_in, region_of_each_survey, relation
from chu_platform.tables.columns import DOUBLE, INTEGER, STRING, Column, sql_type
from chu_platform.tables.discovery import declared
from chu_platform.tables.partitions import CAMPAIGNS
from chu_platform.tables.policies import REFERENCES
from chu_platform.tables.rows import Query
from chu_platform.tables.spark_sql import UNKNOWN, spark_text
from chu_platform.tables.table import Layer, Layout, Table, Zone

CARE_QUALITY_FILES: Final = list(declared("chu_platform.sources", CareQuality))


def _long(file: CareQuality) -> str:
    """SQL that turns the columns of a file into one row per indicator."""

    def row(indicator: QualityIndicator) -> str:
        cells = [
            (indicator.value, DOUBLE),
            (indicator.denominator, INTEGER),
            (indicator.lower, DOUBLE),
            (indicator.upper, DOUBLE),
            (f"coalesce({', '.join(filter(None, (indicator.category, indicator.reason)))})", STRING),
            (indicator.control, STRING),
        ]
        code = spark_text(f"{file.survey}.{indicator.code}")
        return ", ".join([code, *(f"CAST({name or 'NULL'} AS {sql_type(type_)})" for name, type_ in cells)])

    stacked = ",\n".join(row(indicator) for indicator in file.indicators)
    # The engines refuse a UNION of columns with different comments; an expression has none.
    return f"""
        SELECT {spark_text(file.campaign)} AS campaign_year, {spark_text(file.survey)} AS survey,
               concat({file.site}, '') AS site, concat({file.region}, '') AS region, r.*
        FROM {{{file.name}}}
        LATERAL VIEW stack({len(file.indicators)}, {stacked}) r
            AS indicator_key, value, denominator, lower_bound, upper_bound, class, control
    """


fact_quality_indicator = Table(
    name="fact_quality_indicator",
    layer=Layer.FACTS,
    zone=Zone.PSEUDONYMISED,
    grain="un site dans une campagne pour un indicateur",
    label="Indicateurs de qualité des soins par établissement",
    owner="team:facts",
    access=REFERENCES,
    public_source="HAS",
    columns=[
        Column("campaign_year", STRING, "année de la campagne", "Année de campagne", key=True),
        Column("site_finess", STRING, "numéro FINESS du site", "FINESS", key=True),
        Column("indicator_key", STRING, "enquête et code de l’indicateur", "Indicateur", key=True),
        Column("survey", STRING, "enquête : dpa_ssr, iqss...", "Enquête", nullable=False),
        Column("establishment_key", STRING, "établissement du registre", "Établissement", nullable=False),
        Column(
            "region_key", STRING, "région du site (découpage de 2016) ; 99 : ailleurs", "Code région", nullable=False
        ),
        Column("value", DOUBLE, "résultat, dans l’unité de l’indicateur ; vide s’il n’y en a pas", "Résultat"),
        Column("denominator", INTEGER, "dossiers ou séjours dont le résultat est tiré", "Dénominateur"),
        Column("lower_bound", DOUBLE, "borne basse de l’intervalle de confiance livré", "Borne basse"),
        Column("upper_bound", DOUBLE, "borne haute de l’intervalle de confiance livré", "Borne haute"),
        Column("class", STRING, "classe A à C, ou motif de son absence", "Classe"),
        Column("control", STRING, "issue du contrôle d’un échantillon des dossiers", "Contrôle du recueil"),
    ],
    reads={
        **{file.name: file.table for file in CARE_QUALITY_FILES},
        "establishment": dim_establishment,
        "survey_region": survey_region,
        "department": department,
    },
    rows=Query(
        f"""
        WITH delivered AS (
            {" UNION ALL ".join(_long(file) for file in CARE_QUALITY_FILES)}
        ),
        result AS (
            -- The CSV file and the workbook with its lines contain the same results.
            SELECT DISTINCT campaign_year, site, indicator_key, survey, trim(region) AS region, value, denominator,
                   lower_bound, upper_bound, class, control, {department_of_site("site")} AS department
            FROM delivered
            WHERE coalesce(value, denominator, lower_bound, upper_bound) IS NOT NULL
               OR coalesce(class, control) IS NOT NULL
        )
        SELECT a.campaign_year, a.site AS site_finess, a.indicator_key, a.survey,
               coalesce(e.establishment_key, '{UNKNOWN}') AS establishment_key,
               {region_of_site("a.site", "a.region", "r", "d")} AS region_key,
               a.value, a.denominator, a.lower_bound, a.upper_bound, a.class, a.control
        FROM result a
        LEFT JOIN {{establishment}} e ON e.establishment_key = concat('F', a.site)
        LEFT JOIN {{survey_region}} r ON r.survey_label = a.region
        LEFT JOIN {{department}} d ON d.department_code = a.department
        """
    ),
    checks=[
        foreign_key("indicator_key", dim_quality_indicator),
        *relation("region_key", dim_region),
        *region_of_each_survey(),
        # Labels of regions that nobody knows yet: the FINESS number tells the region, but not always rightly.
        *(
            mostly_found(
                f"region_label_{f.name}",
                f"trim({f.region})",
                f.table,
                "survey_label",
                survey_region,
                0.5,
                blocking=False,
            )
            for f in CARE_QUALITY_FILES
        ),
        # It may find nothing: many files name legal entities, and the register has sites.
        foreign_key("establishment_key", dim_establishment),
        holds("value_not_negative", "value >= 0", "le résultat n’est pas négatif"),
        none_in(
            "bounds_in_order",
            "SELECT count(*) FROM {this} WHERE lower_bound > upper_bound",
            "la borne basse ne dépasse pas la borne haute",
            blocking=False,
        ),
        none_in(
            "value_within_its_bounds",
            "SELECT count(*) FROM {this} WHERE value NOT BETWEEN lower_bound AND upper_bound",
            "le résultat est dans son intervalle de confiance : sinon, l’un des deux est dans une autre unité",
            blocking=False,
        ),
        holds("denominator_not_negative", "denominator >= 0", "le dénominateur n’est pas négatif"),
    ],
    layout=Layout(z_order_by=["indicator_key", "region_key"]),
    partition_scheme=CAMPAIGNS,
)
