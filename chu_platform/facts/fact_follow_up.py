"""What is known of a patient after a stay: the next consultation, and the next stay.

The day of discharge is the day of entry plus the days of the stay. What happens on the day of discharge is part of the
stay or a transfer, so the following day is the first one that counts. Only the first event counts. A stay whose patient
is not in the base has no known event.
"""

from typing import Final

from chu_platform.facts.fact_consultation import fact_consultation
from chu_platform.facts.fact_hospitalisation import fact_hospitalisation
from chu_platform.tables.checks import between, foreign_key, same_row_count_as
from chu_platform.tables.columns import DATE, INTEGER, STRING, Column
from chu_platform.tables.policies import PSEUDONYMISED
from chu_platform.tables.rows import Query
from chu_platform.tables.spark_sql import UNKNOWN
from chu_platform.tables.table import Layer, Table, Zone

# Days after discharge within which an event is looked for.
LONGEST: Final = 90


def _first(events: str) -> str:
    """SELECT: for each stay, the days from the discharge to the first of the patient's `events` after that day."""
    return f"""
            SELECT d.stay_key, min(datediff(e.date, d.discharge)) AS days
            FROM discharged d JOIN {events} e ON e.patient_key = d.patient_key
            WHERE d.patient_key <> '{UNKNOWN}' AND e.date > d.discharge AND e.date <= date_add(d.discharge, {LONGEST})
            GROUP BY d.stay_key"""


def _days(name: str, label: str, description: str, nullable: bool = True) -> Column:
    return Column(name, INTEGER, description, label, nullable=nullable, sensitive=True)


fact_follow_up = Table(
    name="fact_follow_up",
    layer=Layer.FACTS,
    zone=Zone.PSEUDONYMISED,
    grain="un séjour hospitalier, avec ce que l’on sait de la suite",
    label="Suites des séjours",
    owner="team:facts",
    access=PSEUDONYMISED,
    columns=[
        Column("stay_key", STRING, "substitut du numéro du séjour", "Séjour", key=True),
        Column("date", DATE, "jour d’entrée", "Date d’entrée", nullable=False, quasi_identifying=True),
        Column("discharge", DATE, "jour de sortie : entrée et durée", "Date de sortie", nullable=False),
        _days(
            "days_to_consultation",
            "Jours jusqu’à la consultation",
            f"jours de la sortie à la première consultation qui suit, de 1 à {LONGEST} ; vide sinon",
        ),
        _days(
            "consultations_seen",
            "Jours couverts (consultations)",
            "jours de la sortie au dernier jour de consultation des données, au moins 0",
            nullable=False,
        ),
        _days(
            "days_to_stay",
            "Jours jusqu’au séjour",
            f"jours de la sortie à l’entrée suivante, de 1 à {LONGEST} ; vide sinon",
        ),
        _days(
            "stays_seen",
            "Jours couverts (séjours)",
            "jours de la sortie au dernier jour d’entrée des données, au moins 0",
            nullable=False,
        ),
    ],
    reads={"stay": fact_hospitalisation, "consultation": fact_consultation},
    rows=Query(
        f"""
        WITH discharged AS (
            SELECT stay_key, date, patient_key, date_add(date, days) AS discharge FROM {{stay}}
        ),
        consulted AS ({_first("{consultation}")}
        ),
        returned AS ({_first("{stay}")}
        )
        SELECT d.stay_key, d.date, d.discharge, c.days AS days_to_consultation,
               greatest(datediff(coalesce(l.last_consultation, d.discharge), d.discharge), 0) AS consultations_seen,
               r.days AS days_to_stay, greatest(datediff(m.last_stay, d.discharge), 0) AS stays_seen
        FROM discharged d
        CROSS JOIN (SELECT max(date) AS last_consultation FROM {{consultation}}) l
        CROSS JOIN (SELECT max(date) AS last_stay FROM {{stay}}) m
        LEFT JOIN consulted c ON c.stay_key = d.stay_key
        LEFT JOIN returned r ON r.stay_key = d.stay_key
        """
    ),
    checks=[
        foreign_key("stay_key", fact_hospitalisation),
        same_row_count_as(fact_hospitalisation),
        between("days_to_consultation", 1, LONGEST),
        between("days_to_stay", 1, LONGEST),
    ],
)
