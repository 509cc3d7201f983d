"""How long the steps of a patient's care are: from a consultation to a stay, between consultations, the stay itself.

A step that takes longer than a year begins a new cycle: it has no days. So that a year is known before each event, the
events of the first year of the consultations are left out. The consultations of one day have the same days since the
last earlier day with a consultation.
"""

from typing import Final

from chu_platform.dimensions.dim_diagnosis import dim_diagnosis
from chu_platform.dimensions.dim_patient import dim_patient
from chu_platform.dimensions.professional_history import professional_history
from chu_platform.facts.fact_consultation import fact_consultation
from chu_platform.facts.fact_hospitalisation import fact_hospitalisation
from chu_platform.tables.checks import USUALLY_MISSING, foreign_key, holds, last_event, relation
from chu_platform.tables.columns import DATE, INTEGER, STRING, Column
from chu_platform.tables.policies import PSEUDONYMISED
from chu_platform.tables.rows import Query
from chu_platform.tables.spark_sql import UNKNOWN
from chu_platform.tables.table import Layer, Layout, Table, Zone

TO_STAY: Final = "to_stay"
BETWEEN: Final = "between_consultations"
LENGTH: Final = "length_of_stay"
# Days after which a step begins a new cycle.
LONGEST: Final = 365

fact_cycle = Table(
    name="fact_cycle",
    layer=Layer.FACTS,
    zone=Zone.PSEUDONYMISED,
    grain="une étape d’un cycle de soins : une consultation ou un séjour, avec les jours depuis la consultation "
    "précédente, ou un séjour avec sa durée ; un séjour a une ligne pour chaque professionnel consulté le même dernier jour",
    label="Étapes des cycles de soins",
    owner="team:facts",
    access=PSEUDONYMISED,
    columns=[
        Column(
            "cycle",
            STRING,
            f"{TO_STAY} (de la dernière consultation à l’entrée), {BETWEEN} (d’une consultation à la suivante) ou {LENGTH} "
            "(durée du séjour)",
            "Étape",
            nullable=False,
        ),
        Column("event_key", STRING, "substitut du numéro de la consultation ou du séjour", "Événement", nullable=False),
        Column(
            "date",
            DATE,
            "jour de la consultation, ou de l’entrée du séjour",
            "Date",
            nullable=False,
            quasi_identifying=True,
        ),
        Column("patient_key", STRING, "patient, sous son pseudonyme", "Patient", nullable=False),
        Column(
            "diagnosis_key",
            STRING,
            "diagnostic de la consultation ou du séjour : code CIM-10 sans le point",
            "Diagnostic",
            nullable=False,
            sensitive=True,
        ),
        Column(
            "professional_version",
            STRING,
            "version du professionnel valable le jour de sa consultation ; vide sinon",
            "Version du professionnel",
        ),
        Column(
            "days",
            INTEGER,
            f"jours depuis le dernier jour de consultation (au plus {LONGEST}, vide sinon), ou durée du séjour",
            "Jours",
            quasi_identifying=True,
        ),
    ],
    reads={"consultation": fact_consultation, "stay": fact_hospitalisation},
    rows=Query(
        f"""
        WITH visit AS (
            SELECT DISTINCT patient_key, date FROM {{consultation}} WHERE patient_key <> '{UNKNOWN}'
        ),
        gap AS (
            SELECT patient_key, date, datediff(date, lag(date) OVER (PARTITION BY patient_key ORDER BY date)) AS days
            FROM visit
        ),
        reach AS (SELECT date_add(min(date), {LONGEST}) AS since, max(date) AS until FROM {{consultation}}),
        last_visit AS (
            SELECT s.stay_key, max(v.date) AS date
            FROM {{stay}} s JOIN visit v ON v.patient_key = s.patient_key
                 AND v.date <= s.date AND datediff(s.date, v.date) <= {LONGEST}
            GROUP BY s.stay_key
        ),
        seen AS (
            SELECT DISTINCT l.stay_key, l.date, c.professional_version
            FROM last_visit l
            JOIN {{stay}} s ON s.stay_key = l.stay_key
            JOIN {{consultation}} c ON c.patient_key = s.patient_key AND c.date = l.date
        )
        SELECT '{BETWEEN}' AS cycle, c.consultation_key AS event_key, c.date, c.patient_key, c.diagnosis_key,
               c.professional_version, CASE WHEN g.days <= {LONGEST} THEN g.days END AS days
        FROM {{consultation}} c
        JOIN gap g ON g.patient_key = c.patient_key AND g.date = c.date
        CROSS JOIN reach r
        WHERE c.date >= r.since
        UNION ALL
        SELECT '{TO_STAY}', s.stay_key, s.date, s.patient_key, s.diagnosis_key,
               v.professional_version, datediff(s.date, v.date)
        FROM {{stay}} s
        CROSS JOIN reach r
        LEFT JOIN seen v ON v.stay_key = s.stay_key
        WHERE s.patient_key <> '{UNKNOWN}' AND s.date >= r.since AND s.date <= r.until
        UNION ALL
        SELECT '{LENGTH}', stay_key, date, patient_key, diagnosis_key, NULL, days FROM {{stay}}
        """
    ),
    checks=[
        *relation("patient_key", dim_patient, warns_above=USUALLY_MISSING),
        *relation("diagnosis_key", dim_diagnosis, warns_above=USUALLY_MISSING),
        foreign_key("professional_version", professional_history),
        holds(
            "at_most_a_year_between",
            f"cycle = '{LENGTH}' OR days IS NULL OR days BETWEEN CASE cycle WHEN '{BETWEEN}' THEN 1 ELSE 0 END AND {LONGEST}",
            f"d’une consultation à la suivante, de 1 à {LONGEST} jours ; jusqu’au séjour, de 0 à {LONGEST}",
        ),
        last_event("date", 31),
    ],
    layout=Layout(z_order_by=["cycle", "date"]),
)
