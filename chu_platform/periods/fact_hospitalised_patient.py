"""The patients of each period with stays, with the age band in which they are counted.

The band is that of the age on the middle day of the period, as in the base (`fact_patient_base`), so that a patient is
in one band of a period only. It needs the exact birth date, which does not leave the restricted zone.
"""

from chu_platform.building_blocks.period_columns import PERIOD_KEY
from chu_platform.facts.fact_hospitalisation import fact_hospitalisation
from chu_platform.periods.dim_period import dim_period
from chu_platform.pseudonymisation.patient_pseudonym import patient_pseudonym
from chu_platform.sources.patient import patient
from chu_platform.tables.columns import STRING, Column
from chu_platform.tables.period_sql import Periods
from chu_platform.tables.policies import PSEUDONYMISED
from chu_platform.tables.rows import Query
from chu_platform.tables.spark_sql import UNKNOWN_BAND, age_band, completed_years, middle_day, sex_of, us_date
from chu_platform.tables.table import Layer, Table, Zone


def _patients(periods: Periods) -> str:
    middle = middle_day("p.period_start", "p.period_end")
    return f"""
        WITH born AS (
            SELECT k.patient_key, {us_date("b.Date")} AS birth_date,
                   {sex_of("b.Sexe")} AS sex
            FROM {{patient}} b JOIN {{pseudonym}} k ON k.Id_patient = b.Id_patient
        ),
        hospitalised AS (
            SELECT DISTINCT patient_key, grain, start FROM ({periods.expand("{stay}", "patient_key")}
            )
        ),
        aged AS (
            SELECT p.period_grain, p.period_start, n.patient_key, b.sex,
                   CASE WHEN b.birth_date > {middle} AND b.birth_date < p.period_end THEN 0
                        ELSE {completed_years("b.birth_date", middle)} END AS age
            FROM hospitalised n
            JOIN {{period}} p ON p.domain = 'hospitalisation' AND {periods.join("n")}
            JOIN born b ON b.patient_key = n.patient_key
        )
        SELECT period_grain, period_start, patient_key, sex, {age_band("age")} AS age_band FROM aged
        """


fact_hospitalised_patient = Table(
    name="fact_hospitalised_patient",
    layer=Layer.FACTS,
    zone=Zone.PSEUDONYMISED,
    grain="un patient de la base dans une période où il a un séjour",
    label="Patients hospitalisés",
    owner="team:facts",
    access=PSEUDONYMISED,
    columns=[
        *PERIOD_KEY,
        Column("patient_key", STRING, "patient, sous son pseudonyme", "Patient", key=True),
        Column("sex", STRING, "F, M ou unknown (inconnu)", "Sexe", nullable=False),
        Column(
            "age_band",
            STRING,
            f"tranche de cinq ans de l’âge au milieu de la période ; {UNKNOWN_BAND} si la date de naissance est inconnue ou après la période",
            "Tranche d’âge",
            nullable=False,
        ),
    ],
    reads={"stay": fact_hospitalisation, "patient": patient, "pseudonym": patient_pseudonym, "period": dim_period},
    rows=Query.over(_patients),
)
