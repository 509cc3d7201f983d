"""The query of indicators 2 and 4: counts of events by chapter, category and leaf of their diagnosis."""

from collections.abc import Sequence

from chu_platform.indicators.rates import DISTINCT_PATIENTS, events_by_patient
from chu_platform.tables.period_sql import Periods


def by_diagnosis(periods: Periods, domain: str, sums: Sequence[str] = ()) -> str:
    """SQL of the counts of each level and code in each period of `domain`, over event, diagnosis, period and base.

    `sums` are the columns of the events that are summed too.
    """
    event_columns = "".join(f", f.{s}" for s in sums)
    sum_columns = "".join(f", sum({s}) AS {s}" for s in sums)
    count_columns = "".join(f", n.{s}" for s in sums)
    return f"""
        WITH placed AS (
            SELECT f.date, f.patient_key, 1 AS events{event_columns},
                   stack(3, 'chapter', d.chapter_code, 'category', d.category_code, 'leaf', d.diagnosis_key) AS (level, code)
            FROM {{event}} f JOIN {{diagnosis}} d ON d.diagnosis_key = f.diagnosis_key
        ),
        counted AS (
            SELECT level, code, grain, start, CAST(sum(events) AS DOUBLE) AS events, {DISTINCT_PATIENTS} AS patients{sum_columns}
            FROM ({events_by_patient(periods, "placed", ["level", "code"], ["events", *sums])}
            ) GROUP BY level, code, grain, start
        ),
        name AS (
            SELECT 'leaf' AS level, diagnosis_key AS code, diagnosis_label AS label FROM {{diagnosis}}
            UNION ALL SELECT 'category', category_code, min(category_label) FROM {{diagnosis}} GROUP BY category_code
            UNION ALL SELECT 'chapter', chapter_code, min(chapter_label) FROM {{diagnosis}} GROUP BY chapter_code
        )
        SELECT p.period_grain, p.period_start, p.period_end, p.is_partial, n.level, n.code, m.label,
               n.events, n.patients{count_columns}, b.base_patients, b.patient_years
        FROM counted n
        JOIN name m ON m.level = n.level AND m.code = n.code
        JOIN {{period}} p ON p.domain = '{domain}' AND {periods.join("n")}
        JOIN {{base}} b ON b.domain = p.domain AND b.period_grain = p.period_grain AND b.period_start = p.period_start
                      AND b.sex = 'all' AND b.age_band = 'all'
        """
