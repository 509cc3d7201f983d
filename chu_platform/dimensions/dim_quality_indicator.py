"""Care-quality indicators, with labels from the delivered lexicons."""

from collections.abc import Iterator
from typing import Final

from chu_platform.building_blocks.care_quality import CareQuality
from chu_platform.sources.lexiques import lexiques
from chu_platform.tables.columns import STRING, Column
from chu_platform.tables.discovery import declared
from chu_platform.tables.policies import REFERENCES
from chu_platform.tables.rows import Query
from chu_platform.tables.spark_sql import spark_text
from chu_platform.tables.table import Layer, Table, Zone

CARE_QUALITY_FILES: Final = list(declared("chu_platform.sources", CareQuality))


def _declared() -> Iterator[str]:
    """SQL tuples of all declared indicators: survey, campaign, code, label, unit, name of the result column."""
    for file in CARE_QUALITY_FILES:
        for indicator in file.indicators:
            row = (
                file.survey,
                file.campaign,
                indicator.code,
                indicator.label,
                indicator.unit,
                indicator.value.lower(),
            )
            yield f"({', '.join(spark_text(text) for text in row)})"


# "Valeur X", "Résultat (X)", "Score de l'indicateur (X)": prefixes that the lexicons put before the name of an indicator.
# A label that only says the unit ("Ratio observé / attendu") does not name the indicator.
_NAMES_INDICATOR = "l.LABEL IS NOT NULL AND lower(l.LABEL) <> lower(d.unit)"
_LEXICON_LABEL = f"""
    CASE WHEN NOT ({_NAMES_INDICATOR}) THEN NULL
         WHEN l.LABEL RLIKE '^(Résultat|Score de l.indicateur) *[(]'
         THEN trim(regexp_replace(regexp_replace(l.LABEL, '^[^(]*[(]', ''), '[)] *$', ''))
         ELSE trim(regexp_replace(l.LABEL, '^Valeur ', '')) END
"""

dim_quality_indicator = Table(
    name="dim_quality_indicator",
    layer=Layer.DIMENSIONS,
    zone=Zone.PSEUDONYMISED,
    grain="un indicateur d’une enquête de qualité des soins",
    label="Indicateurs de qualité des soins",
    owner="team:dimensions",
    access=REFERENCES,
    public_source="HAS",
    columns=[
        Column("indicator_key", STRING, "enquête et code : dpa_had.tdp_c", "Indicateur", key=True),
        Column("survey", STRING, "enquête : dpa_ssr, iqss...", "Enquête", nullable=False),
        Column("indicator_code", STRING, "code dans les fichiers de l’enquête", "Code de l’indicateur", nullable=False),
        Column(
            "indicator_label",
            STRING,
            "libellé du dernier lexique qui en donne un, sinon libellé déclaré",
            "Libellé de l’indicateur",
            nullable=False,
        ),
        Column("lexicon_campaign", STRING, "campagne de ce lexique ; vide s’il n’y en a pas", "Campagne du lexique"),
        Column("unit", STRING, "unité du résultat", "Unité", nullable=False),
        Column("first_campaign", STRING, "première campagne déclarée", "Première campagne", nullable=False),
        Column("last_campaign", STRING, "dernière campagne déclarée", "Dernière campagne", nullable=False),
    ],
    reads={"lexicon": lexiques},
    rows=Query(
        f"""
        WITH declared AS (
            SELECT survey, campaign, code, label, unit, variable
            FROM VALUES {", ".join(dict.fromkeys(_declared()))} AS v(survey, campaign, code, label, unit, variable)
        ),
        named AS (
            SELECT d.*, {_LEXICON_LABEL} AS lexicon_label, CASE WHEN {_NAMES_INDICATOR} THEN l.recueil END AS recueil
            FROM declared d
            LEFT JOIN {{lexicon}} l
                ON l.enquete = d.survey AND l.recueil = d.campaign AND lower(l.NAME) = d.variable
        )
        SELECT concat(survey, '.', code) AS indicator_key, survey, code AS indicator_code,
               coalesce(max_by(lexicon_label, recueil), max_by(label, campaign)) AS indicator_label,
               max(recueil) AS lexicon_campaign, max_by(unit, campaign) AS unit,
               min(campaign) AS first_campaign, max(campaign) AS last_campaign
        FROM named GROUP BY survey, code
        """
    ),
)
