"""Diagnoses: CIM-10 code with its category and chapter."""

from chu_platform.references.cim10 import cim10
from chu_platform.references.cim10_chapter import cim10_chapter
from chu_platform.sources.consultation import consultation
from chu_platform.sources.diagnostic import diagnostic
from chu_platform.sources.hospitalisations import hospitalisations
from chu_platform.tables.checks import one_of
from chu_platform.tables.columns import STRING, Column
from chu_platform.tables.policies import REFERENCES
from chu_platform.tables.rows import Query
from chu_platform.tables.spark_sql import UNKNOWN, UNKNOWN_LABEL
from chu_platform.tables.table import Layer, Layout, Table, Zone

dim_diagnosis = Table(
    name="dim_diagnosis",
    layer=Layer.DIMENSIONS,
    zone=Zone.PSEUDONYMISED,
    grain="un code CIM-10 rencontré ou officiel, et le membre inconnu",
    label="Diagnostics",
    owner="team:dimensions",
    access=REFERENCES,
    columns=[
        Column("diagnosis_key", STRING, "code sans le point", "Diagnostic", key=True),
        Column("diagnosis_label", STRING, "libellé du groupe, sinon libellé officiel", "Libellé", nullable=False),
        Column(
            "category_code",
            STRING,
            "catégorie de trois caractères ; inconnu si elle n’est pas officielle",
            "Catégorie",
            nullable=False,
        ),
        Column("category_label", STRING, "libellé de la catégorie", "Libellé de la catégorie", nullable=False),
        Column("chapter_code", STRING, "chapitre, en chiffres romains", "Chapitre", nullable=False),
        Column("chapter_label", STRING, "titre du chapitre", "Libellé du chapitre", nullable=False),
        Column(
            "official_match",
            STRING,
            "exact, ou nombre des premiers caractères qui forment un code officiel : 5, 4, 3, none (aucun)",
            "Rapprochement officiel",
            nullable=False,
        ),
    ],
    reads={
        "diagnostic": diagnostic,
        "cim10": cim10,
        "chapter": cim10_chapter,
        "consultation": consultation,
        "stay": hospitalisations,
    },
    rows=Query(
        f"""
        WITH code AS (
            -- concat: Sail 0.7 refuses a union of columns that carry different comments.
            SELECT concat(Code_diag, '') AS code FROM {{diagnostic}}
            UNION SELECT concat(code, '') FROM {{cim10}}
            UNION SELECT v.code FROM (
                SELECT concat(Code_diag, '') AS code FROM {{consultation}}
                UNION SELECT concat(Code_diagnostic, '') FROM {{stay}}
            ) v JOIN {{chapter}} o
              ON substr(v.code, 1, 3) >= o.first_category AND substr(v.code, 1, 3) <= o.last_category
        ),
        stay_label AS (
            SELECT Code_diagnostic AS code, min(Suite_diagnostic_consultation) AS label FROM {{stay}} GROUP BY Code_diagnostic
        )
        SELECT c.code AS diagnosis_key,
               coalesce(g.Diagnostic, o.label, s.label, o5.label, o4.label, o3.label, c.code) AS diagnosis_label,
               coalesce(o3.code, '{UNKNOWN}') AS category_code,
               CASE WHEN o3.code IS NULL THEN '{UNKNOWN_LABEL}' ELSE coalesce(g3.Diagnostic, o3.label) END AS category_label,
               coalesce(h.chapter_code, '{UNKNOWN}') AS chapter_code,
               coalesce(h.chapter_label, '{UNKNOWN_LABEL}') AS chapter_label,
               CASE WHEN o.code IS NOT NULL THEN 'exact' WHEN o5.code IS NOT NULL THEN '5'
                    WHEN o4.code IS NOT NULL THEN '4' WHEN o3.code IS NOT NULL THEN '3' ELSE 'none' END AS official_match
        FROM code c
        LEFT JOIN {{diagnostic}} g ON g.Code_diag = c.code
        LEFT JOIN {{diagnostic}} g3 ON g3.Code_diag = substr(c.code, 1, 3)
        LEFT JOIN stay_label s ON s.code = c.code
        LEFT JOIN {{cim10}} o ON o.code = c.code
        LEFT JOIN {{cim10}} o5 ON o5.code = substr(c.code, 1, 5)
        LEFT JOIN {{cim10}} o4 ON o4.code = substr(c.code, 1, 4)
        LEFT JOIN {{cim10}} o3 ON o3.code = substr(c.code, 1, 3)
        LEFT JOIN {{chapter}} h ON substr(c.code, 1, 3) >= h.first_category AND substr(c.code, 1, 3) <= h.last_category
        WHERE c.code IS NOT NULL
        UNION ALL
        SELECT '{UNKNOWN}', '{UNKNOWN_LABEL}', '{UNKNOWN}', '{UNKNOWN_LABEL}', '{UNKNOWN}', '{UNKNOWN_LABEL}', 'none'
        """
    ),
    checks=[one_of("official_match", ["exact", "5", "4", "3", "none"])],
    layout=Layout(partition_by=["chapter_code"], z_order_by=["diagnosis_key"]),
)
