"""Indicator 1: use of consultations by establishment, department and region.

A consultation belongs to the establishments of its professional, shared out by the weights of the bridge, so that
attached and unattached consultations sum to the total exactly.

Here: the declaration of this one table. Not here: how it is made (graph.step).
"""

from chu_platform.building_blocks.rates import (
    COUNT_COLUMNS,
    DISTINCT_PATIENTS,
    LEVEL_COLUMNS,
    NUMERATOR_IN_BASE,
    PERIOD_COLUMNS,
    RATE_COLUMNS,
    RATES_FROM,
    of_each_patient,
    period_join,
    with_rates,
)
from chu_platform.dimensions.bridge_professional_establishment import bridge_professional_establishment
from chu_platform.dimensions.dim_establishment import dim_establishment
from chu_platform.facts.fact_consultation import fact_consultation
from chu_platform.periods.dim_period import dim_period
from chu_platform.periods.fact_patient_base import fact_patient_base
from chu_platform.tables.checks import none_in
from chu_platform.tables.rows import Query
from chu_platform.tables.table import Layer, Layout, Table, Zone

kpi_consultation_rate_by_establishment = Table(
    name="kpi_consultation_rate_by_establishment",
    layer=Layer.KPIS,
    zone=Zone.PSEUDONYMISED,
    grain="un établissement, un département, une région, les consultations non rattachées ou le total, dans une période avec des consultations",
    label="Taux de consultation par établissement",
    owner="team:kpis",
    columns=[
        *PERIOD_COLUMNS,
        *LEVEL_COLUMNS,
        *COUNT_COLUMNS,
        *RATE_COLUMNS,
    ],
    reads={
        "consultation": fact_consultation,
        "bridge": bridge_professional_establishment,
        "establishment": dim_establishment,
        "period": dim_period,
        "base": fact_patient_base,
    },
    rows=Query(
        f"""
        WITH attached AS (
            SELECT c.date, c.patient_key, w.weight, e.establishment_key, e.department_code, e.region_key
            FROM {{consultation}} c
            JOIN {{bridge}} w ON w.professional_key = c.professional_key
            JOIN {{establishment}} e ON e.establishment_key = w.establishment_key
        ),
        placed AS (
            SELECT date, patient_key, weight,
                   stack(3, 'establishment', establishment_key, 'department', department_code, 'region', region_key) AS (level, code)
            FROM attached
            UNION ALL
            SELECT date, patient_key, CAST(1 AS DECIMAL(20, 12)), 'total', 'total' FROM {{consultation}}
            UNION ALL
            SELECT c.date, c.patient_key, CAST(1 AS DECIMAL(20, 12)), 'unattached', 'unattached'
            FROM {{consultation}} c LEFT ANTI JOIN {{bridge}} w ON w.professional_key = c.professional_key
        ),
        counted AS (
            SELECT level, code, grain, start, CAST(sum(weight) AS DOUBLE) AS events, {DISTINCT_PATIENTS} AS patients
            FROM ({of_each_patient("placed", ["level", "code"], ["weight"])}
            ) GROUP BY level, code, grain, start
        ),
        name AS (
            SELECT 'establishment' AS level, establishment_key AS code, establishment_label AS label FROM {{establishment}}
            UNION ALL SELECT 'department', department_code, min(department_label) FROM {{establishment}} GROUP BY department_code
            UNION ALL SELECT 'region', region_key, min(region_label) FROM {{establishment}} GROUP BY region_key
            UNION ALL SELECT 'total', 'total', 'Ensemble des consultations'
            UNION ALL SELECT 'unattached', 'unattached', 'Consultations non rattachées'
        )
        SELECT p.period_grain, p.period_start, p.period_end, p.is_partial, n.level, n.code, m.label,
               n.events, n.patients, b.base_patients, b.patient_years
        FROM counted n
        JOIN name m ON m.level = n.level AND m.code = n.code
        JOIN {{period}} p ON p.domain = 'consultation' AND {period_join("n")}
        JOIN {{base}} b ON b.domain = p.domain AND b.period_grain = p.period_grain AND b.period_start = p.period_start
                      AND b.sex = 'all' AND b.age_band = 'all'
        """,
        finish=with_rates,
        from_columns=RATES_FROM,
    ),
    checks=[
        none_in(
            "attached_and_unattached_sum_to_total",
            "SELECT count(*) FROM (SELECT sum(CASE level WHEN 'total' THEN -events ELSE events END) AS gap FROM {this} WHERE level IN ('region', 'unattached', 'total') GROUP BY period_grain, period_start HAVING abs(gap) > 1e-6)",
            "la somme des régions et des consultations non rattachées est le total",
        ),
        NUMERATOR_IN_BASE,
    ],
    layout=Layout(partition_by=["period_grain"], z_order_by=["level", "code"]),
)
