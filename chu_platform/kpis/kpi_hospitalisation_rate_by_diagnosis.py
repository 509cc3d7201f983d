"""Indicator 4: use of hospital stays by diagnosis: chapter, category, leaf.

Here: the declaration of this one table. Not here: how it is made (graph.step).
"""

from chu_platform.dimensions.dim_diagnosis import dim_diagnosis
from chu_platform.dimensions.dim_period import dim_period
from chu_platform.facts.fact_hospitalisation import fact_hospitalisation
from chu_platform.facts.fact_patient_base import fact_patient_base
from chu_platform.kpis.rates import (
    COUNT_COLUMNS,
    DISTINCT_PATIENTS,
    LEVEL_COLUMNS,
    PERIOD_COLUMNS,
    RATE_COLUMNS,
    STAY_COLUMNS,
    of_each_patient,
    period_join,
    with_stay_rates,
)
from chu_platform.tables.rules import holds
from chu_platform.tables.table import Layer, Layout, Query, Table, Zone

kpi_hospitalisation_rate_by_diagnosis = Table(
    name="kpi_hospitalisation_rate_by_diagnosis",
    layer=Layer.KPIS,
    zone=Zone.PSEUDONYMISED,
    grain="one chapter, category or leaf, in one period with stays",
    label="Taux d’hospitalisation par diagnostic",
    owner="team:kpis",
    columns=[
        *PERIOD_COLUMNS,
        *LEVEL_COLUMNS,
        *COUNT_COLUMNS,
        *STAY_COLUMNS,
        *RATE_COLUMNS,
    ],
    reads={
        "event": fact_hospitalisation,
        "diagnosis": dim_diagnosis,
        "period": dim_period,
        "base": fact_patient_base,
    },
    rows=Query(
        f"""
        WITH placed AS (
            SELECT f.date, f.patient_key, 1 AS events, f.days,
                   stack(3, 'chapter', d.chapter_code, 'category', d.category_code, 'leaf', d.diagnosis_key) AS (level, code)
            FROM {{event}} f JOIN {{diagnosis}} d ON d.diagnosis_key = f.diagnosis_key
        ),
        counted AS (
            SELECT level, code, grain, start, CAST(sum(events) AS DOUBLE) AS events, {DISTINCT_PATIENTS} AS patients, sum(days) AS days
            FROM ({of_each_patient("placed", ["level", "code"], ["events", "days"])}
            ) GROUP BY level, code, grain, start
        ),
        name AS (
            SELECT 'leaf' AS level, diagnosis_key AS code, diagnosis_label AS label FROM {{diagnosis}}
            UNION ALL SELECT 'category', category_code, min(category_label) FROM {{diagnosis}} GROUP BY category_code
            UNION ALL SELECT 'chapter', chapter_code, min(chapter_label) FROM {{diagnosis}} GROUP BY chapter_code
        )
        SELECT p.period_grain, p.period_start, p.period_end, p.is_partial, n.level, n.code, m.label,
               n.events, n.patients, n.days, b.base_patients, b.patient_years
        FROM counted n
        JOIN name m ON m.level = n.level AND m.code = n.code
        JOIN {{period}} p ON p.domain = 'hospitalisation' AND {period_join("n")}
        JOIN {{base}} b ON b.domain = p.domain AND b.period_grain = p.period_grain AND b.period_start = p.period_start
                      AND b.sex = 'all' AND b.age_band = 'all'
        """,
        finish=with_stay_rates,
    ),
    rules=[
        holds(
            "numerator_in_base",
            "patients <= base_patients",
            "patients with an event are patients of the base",
        )
    ],
    layout=Layout(partition_by=["period_grain"], z_order_by=["level", "code"]),
)
