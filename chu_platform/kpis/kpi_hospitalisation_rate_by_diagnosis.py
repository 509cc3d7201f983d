"""Indicator 4: use of hospital stays by diagnosis: chapter, category, leaf.

Here: the declaration of this one table. Not here: how it is made (graph.step).
"""

from chu_platform.building_blocks.diagnosis_counts import by_diagnosis
from chu_platform.building_blocks.rates import (
    COUNT_COLUMNS,
    LEVEL_COLUMNS,
    NUMERATOR_IN_BASE,
    PERIOD_COLUMNS,
    RATE_COLUMNS,
    STAY_COLUMNS,
    STAY_RATES_FROM,
    with_stay_rates,
)
from chu_platform.dimensions.dim_diagnosis import dim_diagnosis
from chu_platform.facts.fact_hospitalisation import fact_hospitalisation
from chu_platform.periods.dim_period import dim_period
from chu_platform.periods.fact_patient_base import fact_patient_base
from chu_platform.tables.rows import Query
from chu_platform.tables.table import Layer, Layout, Table, Zone

kpi_hospitalisation_rate_by_diagnosis = Table(
    name="kpi_hospitalisation_rate_by_diagnosis",
    layer=Layer.KPIS,
    zone=Zone.PSEUDONYMISED,
    grain="un chapitre, une catégorie ou une feuille, dans une période avec des séjours",
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
        by_diagnosis("hospitalisation", ["days"]),
        finish=with_stay_rates,
        from_columns=STAY_RATES_FROM,
    ),
    checks=[NUMERATOR_IN_BASE],
    layout=Layout(partition_by=["period_grain"], z_order_by=["level", "code"]),
)
