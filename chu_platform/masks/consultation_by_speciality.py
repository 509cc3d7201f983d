"""Exact figures of professions and specialities: what indicator 6 publishes instead of professionals.

Here: the declaration of this one table. Not here: how it is made (graph.step).
"""

from chu_platform.building_blocks.rates import ALL_START, DISTINCT_PATIENTS, PERIOD_COLUMNS, of_each_patient
from chu_platform.dimensions.dim_professional import dim_professional
from chu_platform.facts.fact_consultation import fact_consultation
from chu_platform.kpis.kpi_consultation_rate_by_professional import kpi_consultation_rate_by_professional
from chu_platform.tables.columns import DOUBLE, LONG, STRING, Column
from chu_platform.tables.rows import Query
from chu_platform.tables.table import Layer, Table, Zone

consultation_by_speciality = Table(
    name="consultation_by_speciality",
    layer=Layer.DISCLOSURE,
    zone=Zone.PSEUDONYMISED,
    grain="une profession et une spécialité, dans une année ou dans toutes les années",
    label="Consultations par professionnel : professions et spécialités",
    owner="team:privacy",
    columns=[
        *PERIOD_COLUMNS,
        Column("profession", STRING, "profession des professionnels", "Profession", key=True),
        Column("speciality", STRING, "spécialité des professionnels", "Spécialité", key=True),
        Column(
            "professionals", LONG, "nombre de professionnels ayant des consultations", "Professionnels", nullable=False
        ),
        Column("events", DOUBLE, "nombre de consultations", "Consultations", nullable=False),
        Column("patients", LONG, "nombre de patients distincts", "Patients distincts", nullable=False),
        Column(
            "worked_months",
            LONG,
            "nombre de mois avec au moins une consultation, tous professionnels ensemble",
            "Mois travaillés",
            nullable=False,
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
        Column(
            "median",
            DOUBLE,
            "médiane, parmi les professionnels, des consultations par mois travaillé",
            "Médiane",
            nullable=False,
        ),
        Column(
            "p20",
            DOUBLE,
            "20e centile, parmi les professionnels, des consultations par mois travaillé",
            "P20",
            nullable=False,
        ),
        Column(
            "p80",
            DOUBLE,
            "80e centile, parmi les professionnels, des consultations par mois travaillé",
            "P80",
            nullable=False,
        ),
        Column(
            "funnel_low",
            DOUBLE,
            "limite basse à 95 % pour un professionnel d’activité médiane, autour du taux du groupe (Poisson, approximation normale)",
            "Entonnoir : limite basse",
            nullable=False,
        ),
        Column(
            "funnel_high", DOUBLE, "limite haute à 95 %, calculée de même", "Entonnoir : limite haute", nullable=False
        ),
    ],
    reads={
        "consultation": fact_consultation,
        "professional": dim_professional,
        "professional_rate": kpi_consultation_rate_by_professional,
    },
    rows=Query(
        f"""
        WITH grouped AS (
            SELECT period_grain, period_start, period_end, is_partial, profession, speciality,
                   count(*) AS professionals, sum(events) AS events, sum(worked_months) AS worked_months,
                   sum(events) / sum(worked_months) AS events_per_worked_month, sum(share) AS share,
                   percentile(events_per_worked_month, 0.5) AS median, percentile(events_per_worked_month, 0.2) AS p20,
                   percentile(events_per_worked_month, 0.8) AS p80, percentile(worked_months, 0.5) AS median_months
            FROM {{professional_rate}} WHERE period_grain IN ('year', 'all')
            GROUP BY period_grain, period_start, period_end, is_partial, profession, speciality
        ),
        placed AS (
            SELECT c.date, c.patient_key, 1 AS events, d.profession_label AS profession, d.speciality_label AS speciality
            FROM {{consultation}} c JOIN {{professional}} d ON d.professional_key = c.professional_key
        ),
        person AS (
            SELECT n.profession, n.speciality, n.grain, n.start,
                   {DISTINCT_PATIENTS} AS patients
            FROM ({of_each_patient("placed", ["profession", "speciality"], ["events"])}
            ) n WHERE n.grain IN ('year', 'all')
            GROUP BY n.profession, n.speciality, n.grain, n.start
        )
        SELECT g.period_grain, g.period_start, g.period_end, g.is_partial, g.profession, g.speciality, g.professionals,
               g.events, n.patients, g.worked_months, g.events_per_worked_month, g.events / t.total AS share,
               g.median, g.p20, g.p80,
               -- Spiegelhalter, Stat Med 2005;24:1185-1202: limits of a rate about its target, by the size behind it.
               greatest(g.events_per_worked_month - 1.96D * sqrt(g.events_per_worked_month / g.median_months), 0D) AS funnel_low,
               g.events_per_worked_month + 1.96D * sqrt(g.events_per_worked_month / g.median_months) AS funnel_high
        FROM grouped g
        JOIN person n ON n.profession = g.profession AND n.speciality = g.speciality AND n.grain = g.period_grain
                     AND n.start = CASE g.period_grain WHEN 'all' THEN {ALL_START} ELSE g.period_start END
        JOIN (
            SELECT period_grain, period_start, sum(events) AS total FROM grouped GROUP BY period_grain, period_start
        ) t ON t.period_grain = g.period_grain AND t.period_start = g.period_start
        """
    ),
)
