"""The persons behind the rows whose counts are rounded down, counted again in the exact facts."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

import duckdb
import pyarrow as pa

from chu_platform.attack.figures import ALL
from chu_platform.attack.hierarchies import UNKNOWN
from chu_platform.attack.inputs import CONSULTATIONS, CYCLE, HOSPITALISATIONS, PRESCRIPTION, PRESCRIPTIONS
from chu_platform.attack.knowledge import Knowledge

# Table, grain of the period, first day of the period (None for all), key of the row.
Row = tuple[str, str, date | None, tuple[str, ...]]
_ENDS: Final = pa.schema([("of", pa.string()), ("period_end", pa.date32())])
_CHAPTERS: Final = pa.schema([("diagnosis_key", pa.string()), ("chapter", pa.string())])
# The speciality that the professional had on the day.
_VISITS: Final = f"""
    CREATE TABLE visit AS
    SELECT c.patient_key, c.date, c.professional_key, c.diagnosis_key, k.speciality_label AS speciality
    FROM consultation c LEFT JOIN career k ON k.professional_key = c.professional_key
        AND c.date >= k.valid_from AND c.date < k.valid_to;
    CREATE TABLE day AS SELECT DISTINCT patient_key, date FROM visit WHERE patient_key <> '{UNKNOWN}'
    """
_EVENTS: Final = f"""
    CREATE TABLE event AS
    WITH since AS (SELECT min(date) + 365 AS first, max(date) AS last FROM visit),
    before AS (
        SELECT s.number, s.patient_key, s.date, s.diagnosis_key, max(d.date) AS day
        FROM stay s JOIN day d ON d.patient_key = s.patient_key AND d.date BETWEEN s.date - 365 AND s.date
        WHERE s.date BETWEEN (SELECT first FROM since) AND (SELECT last FROM since) GROUP BY ALL
    )
    SELECT '{CYCLE}' AS name, 'between_consultations' AS step, v.date, v.patient_key, v.professional_key AS who,
        (v.date - d.date)::BIGINT AS days, row_number() OVER () AS number,
        [['total', 'total'], ['chapter', chapter], ['speciality', speciality]] AS groups
    FROM visit v ASOF JOIN day d ON d.patient_key = v.patient_key AND v.date > d.date
        JOIN chapter c ON c.diagnosis_key = v.diagnosis_key
    WHERE v.date >= (SELECT first FROM since) AND v.date - d.date <= 365
    UNION ALL
    SELECT '{CYCLE}', 'to_stay', b.date, b.patient_key, v.professional_key, (b.date - b.day)::BIGINT, b.number,
        [['total', 'total'], ['chapter', chapter], ['speciality', v.speciality]]
    FROM before b JOIN visit v ON v.patient_key = b.patient_key AND v.date = b.day
        JOIN chapter c ON c.diagnosis_key = b.diagnosis_key
    UNION ALL
    SELECT '{CYCLE}', 'length_of_stay', date, patient_key, NULL, days, number,
        [['total', 'total'], ['chapter', chapter]]
    FROM stay JOIN chapter USING (diagnosis_key)
    UNION ALL
    SELECT '{PRESCRIPTION}', '', p.date, p.patient_key, p.professional_key, NULL, row_number() OVER (),
        [['total', 'total'], ['form', coalesce(m.form_label, 'Inconnu')], ['medication', p.medication_key],
         ['speciality', k.speciality_label]]
    FROM prescription p LEFT JOIN medication m USING (medication_key) LEFT JOIN career k
        ON k.professional_key = p.professional_key AND p.date >= k.valid_from AND p.date < k.valid_to
    WHERE p.date IS NOT NULL
    """
# Each event in each group and period; all years begin in 1800 here.
_PLACED: Final = f"""
    CREATE TABLE placed AS
    WITH grouped AS (SELECT * EXCLUDE (groups), unnest(groups) AS g, concat(name, step) AS of FROM event),
    dated AS (
        SELECT *, 'year' AS grain, date_trunc('year', date)::DATE AS start FROM grouped
        UNION ALL
        SELECT grouped.*, '{ALL}', DATE '1800-01-01' FROM grouped LEFT JOIN ends USING (of)
        WHERE date < coalesce(period_end, DATE '9999-12-31')
    )
    SELECT name, step, g[1] AS level, g[2] AS code, grain, start, number, nullif(patient_key, '{UNKNOWN}') AS patient,
        who, days
    FROM dated
    """
_GROUP: Final = "name, step, level, code, grain, start"


def _largest(person: str) -> str:
    """SQL: the largest share of one person in the events of each group that are of such persons."""
    return f"""
        SELECT {_GROUP}, max(made) / sum(made) AS largest FROM (
            SELECT {_GROUP}, count(*) AS made FROM placed WHERE {person} IS NOT NULL GROUP BY {_GROUP}, {person}
        ) GROUP BY ALL"""


# Who is behind each group: a stay counts once, whomever the patient consulted before.
_BEHIND: Final = f"""
    WITH counted AS (
        SELECT {_GROUP}, count(DISTINCT number) AS events, count(DISTINCT patient) AS patients,
            count(DISTINCT who) AS professionals, quantile_cont(days, 0.9) AS p90
        FROM placed GROUP BY ALL
    ), beyond AS (
        SELECT {_GROUP}, count(DISTINCT patient) AS beyond FROM placed JOIN counted USING ({_GROUP}) WHERE days >= p90
        GROUP BY ALL
    )
    SELECT name, grain, if(grain = '{ALL}', NULL, start), if(step = '', [level, code], [step, level, code]), events,
        patients, professionals, coalesce(w.largest, 0), coalesce(p.largest, 0), beyond
    FROM counted LEFT JOIN beyond USING ({_GROUP})
        LEFT JOIN ({_largest("who")}
        ) w USING ({_GROUP})
        LEFT JOIN ({_largest("patient")}
        ) p USING ({_GROUP})
    """


@dataclass(frozen=True)
class Behind:
    """Who is behind a row: events, patients, professionals, the largest share of one of each, and patients beyond P90.

    `professionals` is 0 where nobody says whose work it is (the length of a stay); `beyond` is None for other figures.
    """

    events: int
    patients: int
    professionals: int
    largest_of_professional: float
    largest_of_patient: float
    beyond: int | None


def behind(knowledge: Knowledge, ends: Mapping[str, date]) -> Mapping[Row, Behind] | None:
    """Who is behind each row, released or not; None without the exact facts.

    `ends` are the days (excluded) up to which all years together are counted, by table and step.
    """
    exact, registers = knowledge.inputs.exact, knowledge.inputs.registers
    if not {CONSULTATIONS, HOSPITALISATIONS, PRESCRIPTIONS} <= exact.keys() or registers.careers is None:
        return None
    with duckdb.connect() as connection:
        # Nothing of the facts is written to a folder.
        connection.execute("SET temp_directory = ''")
        connection.register("consultation", exact[CONSULTATIONS])
        connection.register("stays", exact[HOSPITALISATIONS])
        connection.execute("CREATE TABLE stay AS SELECT row_number() OVER () AS number, * FROM stays")
        connection.register("prescription", exact[PRESCRIPTIONS])
        connection.register("career", registers.careers)
        connection.register("medication", registers.medications)
        connection.register("ends", pa.table([list(ends), list(ends.values())], schema=_ENDS))
        every_code = "SELECT diagnosis_key FROM consultation UNION SELECT diagnosis_key FROM stay"
        codes = [code for (code,) in connection.sql(every_code).fetchall()]
        chapters = [knowledge.hierarchies.chapter(code) for code in codes]
        connection.register("chapter", pa.table([codes, chapters], schema=_CHAPTERS))
        connection.execute(_VISITS)
        connection.execute(_EVENTS)
        connection.execute(_PLACED)
        rows = connection.sql(_BEHIND).fetchall()
    return {(name, grain, start, tuple(key)): Behind(*counts) for name, grain, start, key, *counts in rows}
