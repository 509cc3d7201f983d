"""The query that indicators 2 and 4 share: events of a kind by chapter, category and leaf of their diagnosis.

Here: the SQL over {event}, {diagnosis}, {period} and {base}. Not here: the two declarations.
"""

from collections.abc import Sequence

from chu_platform.indicators.rates import DISTINCT_PATIENTS, of_each_patient
from chu_platform.tables.periods import Periods


def by_diagnosis(periods: Periods, domain: str, sums: Sequence[str] = ()) -> str:
    """SQL of the counts of each level and code in each period of `domain`; `sums` are summed beside the events."""
    taken = "".join(f", f.{s}" for s in sums)
    summed = "".join(f", sum({s}) AS {s}" for s in sums)
    given = "".join(f", n.{s}" for s in sums)
    return f"""
        WITH placed AS (
            SELECT f.date, f.patient_key, 1 AS events{taken},
                   stack(3, 'chapter', d.chapter_code, 'category', d.category_code, 'leaf', d.diagnosis_key) AS (level, code)
            FROM {{event}} f JOIN {{diagnosis}} d ON d.diagnosis_key = f.diagnosis_key
        ),
        counted AS (
            SELECT level, code, grain, start, CAST(sum(events) AS DOUBLE) AS events, {DISTINCT_PATIENTS} AS patients{summed}
            FROM ({of_each_patient(periods, "placed", ["level", "code"], ["events", *sums])}
            ) GROUP BY level, code, grain, start
        ),
        name AS (
            SELECT 'leaf' AS level, diagnosis_key AS code, diagnosis_label AS label FROM {{diagnosis}}
            UNION ALL SELECT 'category', category_code, min(category_label) FROM {{diagnosis}} GROUP BY category_code
            UNION ALL SELECT 'chapter', chapter_code, min(chapter_label) FROM {{diagnosis}} GROUP BY chapter_code
        )
        SELECT p.period_grain, p.period_start, p.period_end, p.is_partial, n.level, n.code, m.label,
               n.events, n.patients{given}, b.base_patients, b.patient_years
        FROM counted n
        JOIN name m ON m.level = n.level AND m.code = n.code
        JOIN {{period}} p ON p.domain = '{domain}' AND {periods.join("n")}
        JOIN {{base}} b ON b.domain = p.domain AND b.period_grain = p.period_grain AND b.period_start = p.period_start
                      AND b.sex = 'all' AND b.age_band = 'all'
        """
