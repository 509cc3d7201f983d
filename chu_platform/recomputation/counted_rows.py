"""SQL fragments and source rows that several indicators use in their recomputation."""

from typing import Final

from chu_platform.recomputation.recomputation import SourceRows
from chu_platform.sources.consultation import consultation
from chu_platform.sources.hospitalisations import hospitalisations
from chu_platform.sources.patient import patient

PERIOD: Final = "period_grain, period_start"
PERIOD_LEVEL: Final = "period_grain, period_start, level, code"

# The consultations of a numerator whose column `row` is their number.
CONSULTATIONS: Final = SourceRows(
    consultation, "numerator", '"Num_consultation"::VARCHAR', "SELECT DISTINCT row::VARCHAR FROM numerator"
)
# The stays of a numerator whose column `row` is their number.
STAYS: Final = SourceRows(
    hospitalisations, "numerator", '"Num_Hospitalisation"::VARCHAR', "SELECT DISTINCT row::VARCHAR FROM numerator"
)


def base_of(fact: str, condition: str = "p.birth IS NULL OR p.birth < c.period_end") -> SourceRows:
    """The patients of the base of the cells of a fact (`consultation` or `stay`).

    `condition` is SQL: whether a patient `p` is in the base of a cell `c` (the columns of `cell` and of its period).
    """
    return SourceRows(
        patient,
        "denominator",
        '"Id_patient"::VARCHAR',
        f"SELECT p.id::VARCHAR FROM patient p JOIN (FROM cell JOIN {fact}_period USING ({PERIOD})) c ON {condition}",
    )


def events_by_diagnosis(fact: str) -> str:
    """SQL of the rows of an indicator by period and diagnosis: each event at three levels (leaf, category, chapter)."""
    days = ", days" if fact == "stay" else ""
    return f"""
        SELECT {PERIOD}, level, d.code, id AS row, patient, is_known, 1.0::DOUBLE AS share{days}
        FROM {fact}_in e JOIN diagnosis_level d ON d.delivered = e.code
        """


def use_counts(keys: str, base: str, base_keys: str = PERIOD, days: bool = False, distinct: str | None = None) -> str:
    """SQL of the counts of an indicator of use: events, patients, base_patients, patient_years and, optionally, days.

    `distinct` is the name of a column with the number of different events, if the events of a cell are shares.

    `keys` are the key columns of a cell. `numerator` has the columns row, patient, is_known, share (of an event) and,
    with `days`, days. `base` is the input table with base_patients and patient_years by `base_keys`. Patients who are
    not in the care database are not counted, but their events are.
    """
    return f"""
        WITH use AS (
            SELECT {keys}, sum(share) AS events, count(DISTINCT if(is_known, patient, NULL)) AS patients
                {", sum(days) AS days" if days else ""} {f", count(DISTINCT row) AS {distinct}" if distinct else ""}
            FROM numerator GROUP BY {keys}
        )
        SELECT {keys}, coalesce(events, 0) AS events, coalesce(patients, 0) AS patients,
            {"coalesce(days, 0) AS days," if days else ""}
            {f"coalesce({distinct}, 0) AS {distinct}," if distinct else ""}
            coalesce(base_patients, 0) AS base_patients, coalesce(patient_years, 0) AS patient_years
        FROM cell LEFT JOIN use USING ({keys}) LEFT JOIN {base} USING ({base_keys})
        """
