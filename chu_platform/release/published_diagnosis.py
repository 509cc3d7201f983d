"""The diagnoses with a visible figure in indicators 2 and 4, with their category and chapter; readers search in it.

A code without any visible figure is not listed: it may be a rare one that a single patient has.
"""

from chu_platform.dimensions.dim_diagnosis import dim_diagnosis
from chu_platform.editions.tables import published_from
from chu_platform.kpis.kpi_consultation_rate_by_diagnosis import kpi_consultation_rate_by_diagnosis
from chu_platform.kpis.kpi_hospitalisation_rate_by_diagnosis import kpi_hospitalisation_rate_by_diagnosis
from chu_platform.tables.checks import one_of
from chu_platform.tables.columns import STRING, Column
from chu_platform.tables.maintenance_policy import KEPT
from chu_platform.tables.policies import EDITIONS
from chu_platform.tables.rows import Query
from chu_platform.tables.spark_sql import UNKNOWN, UNKNOWN_LABEL
from chu_platform.tables.table import Layer, Layout, Table, Zone

published_diagnosis = Table(
    name="published_diagnosis",
    layer=Layer.EDITIONS,
    zone=Zone.PSEUDONYMISED,
    grain="un chapitre, une catégorie ou une feuille dont les indicateurs publiés ont un chiffre visible",
    label="Diagnostics publiés",
    owner="team:privacy",
    access=EDITIONS,
    columns=[
        Column("level", STRING, "chapter (chapitre), category (catégorie) ou leaf (feuille)", "Niveau", key=True),
        Column("code", STRING, "code à ce niveau, sans le point", "Code", key=True),
        Column("label", STRING, "libellé du code", "Libellé", nullable=False),
        Column("category_code", STRING, "catégorie dont la feuille fait partie", "Catégorie"),
        Column("chapter_code", STRING, "chapitre, en chiffres romains", "Chapitre", nullable=False),
        Column("chapter_label", STRING, "titre du chapitre", "Libellé du chapitre", nullable=False),
    ],
    reads={
        "diagnosis": dim_diagnosis,
        "consultation": kpi_consultation_rate_by_diagnosis.edition,
        "stay": kpi_hospitalisation_rate_by_diagnosis.edition,
    },
    rows=Query(
        f"""
        WITH published AS (
            -- concat: Sail 0.7 refuses a union of columns that carry different comments.
            SELECT concat(level, '') AS level, concat(code, '') AS code, label FROM {{consultation}} WHERE NOT is_masked
            UNION ALL SELECT concat(level, ''), concat(code, ''), label FROM {{stay}} WHERE NOT is_masked
        ),
        named AS (SELECT level, code, min(label) AS label FROM published GROUP BY level, code),
        place AS (
            SELECT 'leaf' AS level, diagnosis_key AS code, category_code, chapter_code, chapter_label FROM {{diagnosis}}
            UNION ALL
            -- The unknown category has leaves in several chapters, so its chapter is unknown.
            SELECT 'category', category_code, CAST(NULL AS STRING),
                   CASE WHEN category_code = '{UNKNOWN}' THEN '{UNKNOWN}' ELSE min(chapter_code) END,
                   CASE WHEN category_code = '{UNKNOWN}' THEN '{UNKNOWN_LABEL}' ELSE min(chapter_label) END
            FROM {{diagnosis}} GROUP BY category_code
            UNION ALL
            SELECT 'chapter', chapter_code, CAST(NULL AS STRING), chapter_code, min(chapter_label)
            FROM {{diagnosis}} GROUP BY chapter_code
        )
        SELECT n.level, n.code, n.label, p.category_code, p.chapter_code, p.chapter_label
        FROM named n JOIN place p ON p.level = n.level AND p.code = n.code
        """
    ),
    checks=[one_of("level", ["chapter", "category", "leaf"])],
    maintenance=KEPT,
    layout=Layout(z_order_by=["level", "code"]),
)

published = published_from(published_diagnosis)
