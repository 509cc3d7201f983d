"""Indicator 6: consultations of each professional, under a pseudonym.

Here: the declaration of this one table. Not here: how it is made (graph.step).
"""

from chu_platform.building_blocks.rates import (
    DISTINCT_PATIENTS,
    PERIOD_COLUMNS,
    in_periods,
    of_each_patient,
    period_join,
)
from chu_platform.dimensions.dim_professional import dim_professional
from chu_platform.facts.fact_consultation import fact_consultation
from chu_platform.periods.dim_period import dim_period
from chu_platform.tables.columns import DOUBLE, LONG, STRING, Column
from chu_platform.tables.rows import Query
from chu_platform.tables.table import Layer, Layout, Table, Zone

kpi_consultation_rate_by_professional = Table(
    name="kpi_consultation_rate_by_professional",
    layer=Layer.KPIS,
    zone=Zone.PSEUDONYMISED,
    grain="un professionnel dans une période avec des consultations",
    label="Consultations par professionnel",
    owner="team:kpis",
    columns=[
        *PERIOD_COLUMNS,
        Column("professional_key", STRING, "pseudonyme du professionnel", "Professionnel", key=True),
        Column("profession", STRING, "profession du professionnel", "Profession", nullable=False),
        Column("speciality", STRING, "spécialité du professionnel", "Spécialité", nullable=False),
        Column("events", DOUBLE, "nombre de consultations", "Consultations", nullable=False),
        Column("patients", LONG, "nombre de patients distincts", "Patients distincts", nullable=False),
        Column(
            "worked_months", LONG, "nombre de mois avec au moins une consultation", "Mois travaillés", nullable=False
        ),
        Column(
            "events_per_worked_month",
            DOUBLE,
            "nombre de consultations par mois travaillé",
            "Consultations par mois travaillé",
            nullable=False,
        ),
        Column(
            "share",
            DOUBLE,
            "part des consultations de la période, de 0 à 1",
            "Part des consultations",
            nullable=False,
        ),
    ],
    reads={"consultation": fact_consultation, "professional": dim_professional, "period": dim_period},
    rows=Query(
        f"""
        WITH counted AS (
            SELECT professional_key, grain, start, sum(events) AS events, {DISTINCT_PATIENTS} AS patients
            FROM ({of_each_patient("(SELECT *, 1 AS events FROM {consultation})", ["professional_key"], ["events"])}
            ) GROUP BY professional_key, grain, start
        ),
        worked AS (
            SELECT professional_key, grain, start, count(*) AS worked_months
            FROM ({in_periods("(SELECT DISTINCT professional_key, CAST(trunc(date, 'month') AS DATE) AS date FROM {consultation})", "professional_key")}
            ) GROUP BY professional_key, grain, start
        )
        SELECT p.period_grain, p.period_start, p.period_end, p.is_partial, n.professional_key,
               d.profession_label AS profession, d.speciality_label AS speciality,
               CAST(n.events AS DOUBLE) AS events, n.patients, m.worked_months,
               CAST(n.events AS DOUBLE) / m.worked_months AS events_per_worked_month,
               CAST(n.events AS DOUBLE) / t.events AS share
        FROM counted n
        JOIN (SELECT grain, start, sum(events) AS events FROM counted GROUP BY grain, start) t
             ON t.grain = n.grain AND t.start = n.start
        JOIN worked m ON m.professional_key = n.professional_key AND m.grain = n.grain AND m.start = n.start
        JOIN {{period}} p ON p.domain = 'consultation' AND {period_join("n")}
        JOIN {{professional}} d ON d.professional_key = n.professional_key
        """
    ),
    layout=Layout(partition_by=["period_grain"], z_order_by=["professional_key"]),
)
