"""Indicator 3: use of hospital stays.

Here: the declaration of this one table. Not here: how it is made (graph.step).
"""

from chu_platform.building_blocks.rates import (
    COUNT_COLUMNS,
    DISTINCT_PATIENTS,
    NUMERATOR_IN_BASE,
    PERIOD_COLUMNS,
    RATE_COLUMNS,
    STAY_COLUMNS,
    STAY_RATES_FROM,
    of_each_patient,
    period_join,
    with_stay_rates,
)
from chu_platform.facts.fact_hospitalisation import fact_hospitalisation
from chu_platform.periods.dim_period import dim_period
from chu_platform.periods.fact_patient_base import fact_patient_base
from chu_platform.tables.checks import sums_to
from chu_platform.tables.rows import Query
from chu_platform.tables.table import Layer, Layout, Table, Zone

kpi_hospitalisation_rate = Table(
    name="kpi_hospitalisation_rate",
    layer=Layer.KPIS,
    zone=Zone.PSEUDONYMISED,
    grain="une période, du premier séjour au dernier",
    label="Taux d’hospitalisation",
    owner="team:kpis",
    columns=[
        *PERIOD_COLUMNS,
        *COUNT_COLUMNS,
        *STAY_COLUMNS,
        *RATE_COLUMNS,
    ],
    reads={"stay": fact_hospitalisation, "period": dim_period, "base": fact_patient_base},
    rows=Query(
        f"""
        WITH counted AS (
            SELECT grain, start, CAST(sum(events) AS DOUBLE) AS events, {DISTINCT_PATIENTS} AS patients, sum(days) AS days
            FROM ({of_each_patient("(SELECT *, 1 AS events FROM {stay})", [], ["events", "days"])}
            ) GROUP BY grain, start
        )
        SELECT p.period_grain, p.period_start, p.period_end, p.is_partial, coalesce(n.events, 0D) AS events,
               coalesce(n.patients, 0) AS patients, coalesce(n.days, 0) AS days, b.base_patients, b.patient_years
        FROM {{period}} p
        JOIN {{base}} b ON b.domain = p.domain AND b.period_grain = p.period_grain AND b.period_start = p.period_start
                      AND b.sex = 'all' AND b.age_band = 'all'
        LEFT JOIN counted n ON {period_join("n")}
        WHERE p.domain = 'hospitalisation'
        """,
        finish=with_stay_rates,
        from_columns=STAY_RATES_FROM,
    ),
    checks=[
        NUMERATOR_IN_BASE,
        sums_to(
            "months_sum_to_all_stays",
            "SELECT sum(events) FROM {this} WHERE period_grain = 'month'",
            fact_hospitalisation,
            "SELECT count(*) FROM {other}",
            "la somme des séjours des mois est le nombre de tous les séjours",
        ),
    ],
    layout=Layout(partition_by=["period_grain"], z_order_by=["period_start"]),
)
