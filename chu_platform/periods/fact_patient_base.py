"""Denominators of the rates: patients and patient-years of each period, by sex and age band.

They are computed from exact birth dates, because birth dates do not leave the restricted zone. The age bands partition
both: a patient is in the band of the age on the middle day of the period, and the time of a patient is in the bands in
which it was lived. Who is born within the period is in the youngest band for the whole period.
"""

from chu_platform.building_blocks.period_columns import PERIOD_KEY
from chu_platform.periods.dim_period import dim_period
from chu_platform.sources.patient import patient
from chu_platform.tables.columns import DOUBLE, LONG, STRING, Column
from chu_platform.tables.policies import PSEUDONYMISED
from chu_platform.tables.rows import Query
from chu_platform.tables.spark_sql import ALL, UNKNOWN_BAND, middle_day, sex_of, us_date
from chu_platform.tables.table import Layer, Table, Zone

fact_patient_base = Table(
    name="fact_patient_base",
    layer=Layer.FACTS,
    zone=Zone.PSEUDONYMISED,
    grain="une période d’une nature d’événements, par sexe et tranche d’âge, totaux compris",
    label="Base de patients",
    owner="team:facts",
    access=PSEUDONYMISED,
    columns=[
        Column("domain", STRING, "nature des événements : consultation ou hospitalisation", "Domaine", key=True),
        *PERIOD_KEY,
        Column("sex", STRING, "F, M ou all (ensemble)", "Sexe", key=True),
        Column(
            "age_band",
            STRING,
            "tranche de cinq ans, unknown (âge inconnu) ou all (ensemble)",
            "Tranche d’âge",
            key=True,
        ),
        Column(
            "base_patients",
            LONG,
            "patients nés avant la fin de la période ; dans une tranche d’âge : de cet âge au milieu de la période",
            "Patients de la base",
            nullable=False,
        ),
        Column(
            "patient_years",
            DOUBLE,
            "patients de la base × jours couverts / 365,25 ; dans une tranche d’âge : jours vécus dans la tranche / 365,25 ; le temps avant la naissance compte dans la tranche 0-4",
            "Patients-années",
            nullable=False,
        ),
    ],
    reads={"patient": patient, "period": dim_period},
    rows=Query(
        f"""
        WITH birth AS (
            SELECT birth_date, sex, count(*) AS n
            FROM (
                SELECT {us_date("Date")} AS birth_date,
                       {sex_of("Sexe")} AS sex
                FROM {{patient}}
            ) GROUP BY birth_date, sex
        ),
        anniversary AS (
            -- The day on which an age is reached; for a birth on 29 February, 1 March in a common year.
            SELECT birth_date, sex, n, age,
                   date_add(add_months(birth_date, 12 * age),
                            CASE WHEN month(birth_date) = 2 AND day(birth_date) = 29
                                      AND day(add_months(birth_date, 12 * age)) = 28 THEN 1 ELSE 0 END) AS day
            FROM (SELECT *, explode(sequence(0, 85, 5)) AS age FROM birth WHERE birth_date IS NOT NULL)
        ),
        lived AS (
            -- The youngest band also has the time before birth: who is born within a period is in its base.
            SELECT birth_date, sex, n, CASE WHEN age = 85 THEN '85+' ELSE concat(CAST(age AS STRING), '-', CAST(age + 4 AS STRING)) END AS band,
                   CASE WHEN age > 0 THEN day ELSE DATE '0001-01-01' END AS from_day,
                   coalesce(lead(day) OVER (PARTITION BY birth_date, sex ORDER BY age), DATE '9999-12-31') AS to_day
            FROM anniversary
        ),
        counted AS (
            SELECT p.domain, p.period_grain, p.period_start, l.sex, l.band,
                   sum(CASE WHEN l.from_day <= {middle_day("p.period_start", "p.period_end")} AND l.to_day > {middle_day("p.period_start", "p.period_end")} THEN l.n ELSE 0 END) AS patients,
                   sum(l.n * greatest(datediff(least(l.to_day, p.covered_end), greatest(l.from_day, p.covered_start)), 0)) AS days
            FROM {{period}} p JOIN lived l ON l.birth_date < p.period_end AND l.from_day < p.period_end AND l.to_day > p.period_start
            GROUP BY p.domain, p.period_grain, p.period_start, l.sex, l.band
            UNION ALL
            SELECT p.domain, p.period_grain, p.period_start, b.sex, '{UNKNOWN_BAND}', sum(b.n), sum(b.n * p.covered_days)
            FROM {{period}} p CROSS JOIN birth b WHERE b.birth_date IS NULL
            GROUP BY p.domain, p.period_grain, p.period_start, b.sex
            UNION ALL
            SELECT p.domain, p.period_grain, p.period_start, b.sex, '{ALL}', sum(b.n), sum(b.n * p.covered_days)
            FROM {{period}} p JOIN birth b ON b.birth_date IS NULL OR b.birth_date < p.period_end
            GROUP BY p.domain, p.period_grain, p.period_start, b.sex
        )
        SELECT domain, period_grain, period_start, sex, band AS age_band, patients AS base_patients, days / 365.25D AS patient_years
        FROM counted WHERE sex <> 'unknown'
        UNION ALL
        SELECT domain, period_grain, period_start, '{ALL}', band, sum(patients), sum(days) / 365.25D
        FROM counted GROUP BY domain, period_grain, period_start, band
        """
    ),
)
