"""Use over time, computed from the delivered consultations: who is new, who consults most often, which hours."""

from typing import Final

import numpy as np

from chu_platform.recomputation.confidence_limits import wilson_limits
from chu_platform.recomputation.counted_rows import CONSULTATIONS, PERIOD, PERIOD_LEVEL
from chu_platform.recomputation.recomputation import Figures, SourceRows

# One row for each group and consultation: those of the patients of the group, or those of the slot.
ROWS: Final = f"""
    WITH visits AS (
        SELECT {PERIOD}, patient, count(*) AS number FROM consultation_in WHERE is_known GROUP BY ALL
    ), ranked AS (
        SELECT *, row_number() OVER (PARTITION BY {PERIOD} ORDER BY number DESC, patient) AS place,
            count(*) OVER (PARTITION BY {PERIOD}) AS people
        FROM visits
    ), member AS (
        SELECT {PERIOD}, patient, 'patients' AS level, if(min(c.date) >= period_start, 'new', 'returning') AS code
        FROM visits JOIN consultation c USING (patient) GROUP BY {PERIOD}, patient
        UNION ALL
        SELECT {PERIOD}, patient, 'most_frequent', percent::VARCHAR
        FROM ranked, (VALUES (1), (5), (10), (25), (50)) share(percent) WHERE place <= ceil(people * percent / 100)
    ), timed AS (
        SELECT *, try_cast(ends AS TIME) < try_cast(begins AS TIME) AS overnight,
            hour(try_cast(begins AS TIME)) NOT BETWEEN 6 AND 19 AS is_late
        FROM consultation_in
    )
    SELECT {PERIOD}, level, member.code, id AS row, if(is_known, patient, NULL) AS patient
    FROM member JOIN consultation_in USING ({PERIOD}, patient)
    UNION ALL
    SELECT {PERIOD}, 'slot', 'evening', id, if(is_known, patient, NULL) FROM timed WHERE is_late OR overnight
    UNION ALL
    SELECT {PERIOD}, 'slot', 'night', id, if(is_known, patient, NULL) FROM timed WHERE overnight
    """
COUNTS: Final = f"""
    WITH whole AS (
        SELECT {PERIOD}, count(*) AS period_consultations,
            count(DISTINCT if(is_known, patient, NULL)) AS period_patients
        FROM consultation_in SEMI JOIN cell USING ({PERIOD}) GROUP BY ALL
    ), counted AS (
        SELECT {PERIOD_LEVEL}, count(*) AS events, count(DISTINCT patient) AS persons FROM numerator GROUP BY ALL
    )
    SELECT {PERIOD_LEVEL}, (level = 'slot')::INTEGER AS is_slot, (level = 'most_frequent')::INTEGER AS is_rounded,
        coalesce(events, 0) AS events, coalesce(persons, 0) AS persons, period_patients, period_consultations
    FROM cell LEFT JOIN counted USING ({PERIOD_LEVEL}) LEFT JOIN whole USING ({PERIOD})
    """
SOURCES: Final = (
    CONSULTATIONS,
    SourceRows(
        CONSULTATIONS.table,
        "denominator",
        CONSULTATIONS.match,
        f"SELECT id::VARCHAR FROM consultation_in SEMI JOIN cell USING ({PERIOD})",
    ),
)


def recomputed_use(counts: Figures) -> Figures:
    """The counts and shares of a row, in percent, with Wilson's limits; needs the columns of `COUNTS`.

    Shares of the most frequent patients are rounded to 0.1 %, or to 1 % below 11 000 consultations, without limits.
    """
    is_slot, is_rounded, events = counts["is_slot"] == 1, counts["is_rounded"] == 1, counts["events"]
    consultations, patients = counts["period_consultations"], counts["period_patients"]
    part, whole = np.where(is_slot, events, counts["persons"]), np.where(is_slot, consultations, patients)
    low, high = wilson_limits(np.where(is_rounded, np.nan, part), whole)
    step = np.where(consultations < 11_000, 1, 10)
    return {
        "patients": np.where(is_slot | is_rounded, np.nan, counts["persons"]),
        "consultations": np.where(is_slot, events, np.nan),
        "period_patients": patients,
        "period_consultations": consultations,
        "percent": np.where(is_rounded, np.floor(100 * step * events / consultations + 0.5) / step, 100 * part / whole),
        "percent_low": 100 * low,
        "percent_high": 100 * high,
    }
