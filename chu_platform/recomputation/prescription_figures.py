"""Prescriptions by form, medication and speciality, counted in the delivered rows, and rounded down to twenties."""

from typing import Final

import numpy as np

from chu_platform.recomputation.counted_rows import PERIOD, PERIOD_LEVEL
from chu_platform.recomputation.recomputation import UNKNOWN, Figures, SourceRows
from chu_platform.sources.consultation import consultation
from chu_platform.sources.medicaments import medicaments
from chu_platform.sources.prescription import prescription

# A delivered prescription has no key: its consultation and its medication. Equal ones are all counted.
ROW: Final = 'concat_ws(\'|\', "Num_consultation", "Code_CIS")'
# One row for each delivered prescription and group.
ROWS: Final = f"""
    SELECT {PERIOD}, g.level, g.code, concat_ws('|', p."Num_consultation", p."Code_CIS") AS row, i.id AS consultation,
        if(is_known, patient, NULL) AS patient, p."Code_CIS" AS medication
    FROM "raw_Prescription" p JOIN consultation_in i ON i.id = p."Num_consultation" JOIN speciality_of USING (id)
        LEFT JOIN "raw_Medicaments" m ON m."Code_CIS" = p."Code_CIS",
        LATERAL (SELECT unnest(['total', 'form', 'medication', 'speciality']) AS level, unnest([
            'total', coalesce("Forme_pharmaceutique", 'Inconnu'), coalesce(m."Code_CIS", '{UNKNOWN}'), speciality
        ]) AS code) g
    """
COUNTS: Final = f"""
    WITH counted AS (
        SELECT {PERIOD_LEVEL}, count(*) AS prescriptions, count(DISTINCT patient) AS patients
        FROM numerator GROUP BY ALL
    ), whole AS (
        SELECT {PERIOD}, count(*) AS period_prescriptions
        FROM "raw_Prescription" JOIN consultation_in ON id = "Num_consultation" SEMI JOIN cell USING ({PERIOD})
        GROUP BY ALL
    )
    SELECT {PERIOD_LEVEL}, coalesce(prescriptions, 0) AS prescriptions, coalesce(patients, 0) AS patients,
        period_prescriptions
    FROM cell LEFT JOIN counted USING ({PERIOD_LEVEL}) LEFT JOIN whole USING ({PERIOD})
    """
SOURCES: Final = (
    SourceRows(prescription, "numerator", ROW, "SELECT DISTINCT row FROM numerator"),
    SourceRows(
        consultation,
        "attribution",
        '"Num_consultation"::VARCHAR',
        "SELECT DISTINCT consultation::VARCHAR FROM numerator",
    ),
    SourceRows(medicaments, "attribution", '"Code_CIS"', "SELECT DISTINCT medication FROM numerator"),
)


def recomputed_prescriptions(counts: Figures) -> Figures:
    """The counts, rounded down to multiples of 20, and the share of the rounded ones in percent."""
    rounded = {name: np.floor(numbers / 20) * 20 for name, numbers in counts.items()}
    return {
        "at_least": rounded["prescriptions"],
        "patients_at_least": rounded["patients"],
        "period_at_least": rounded["period_prescriptions"],
        "percent": 100 * rounded["prescriptions"] / rounded["period_prescriptions"],
    }
