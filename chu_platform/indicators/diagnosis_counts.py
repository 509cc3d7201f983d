"""The query of indicators 2 and 4: counts of events by chapter, category and leaf of their diagnosis."""

from collections.abc import Sequence

from chu_platform.indicators.rates import counts_by_period, visits
from chu_platform.tables.period_sql import Periods


def by_diagnosis(periods: Periods, domain: str, sums: Sequence[str] = ()) -> str:
    """SQL of the counts of each level and code in each period of `domain`, over event, diagnosis, period and base.

    `sums` are the columns of the events that are summed too.
    """
    event_columns = "".join(f", v.{s}" for s in sums)
    count_columns = "".join(f", n.{s}" for s in sums)
    return f"""
        WITH {visits(periods, "{event}", ["diagnosis_key", *sums])},
        -- The cells of each diagnosis have numbers: those of one level have the same rest of a division by three.
        cell AS (
            SELECT diagnosis_key, diagnosis_label, category_code, category_label, chapter_code, chapter_label,
                   3 * dense_rank() OVER (ORDER BY diagnosis_key) AS leaf,
                   3 * dense_rank() OVER (ORDER BY category_code) + 1 AS category,
                   3 * dense_rank() OVER (ORDER BY chapter_code) + 2 AS chapter
            FROM {{diagnosis}}
        ),
        placed AS (
            SELECT v.patient, v.month, 1 AS events{event_columns}, stack(3, d.chapter, d.category, d.leaf) AS (cell)
            FROM visit v JOIN cell d ON d.diagnosis_key = v.diagnosis_key
        ),
        counted AS (
            {counts_by_period("placed", ["events", *sums])}
        ),
        name AS (
            SELECT leaf AS cell, 'leaf' AS level, diagnosis_key AS code, diagnosis_label AS label FROM cell
            UNION ALL
            SELECT category, 'category', category_code, min(category_label) FROM cell GROUP BY category, category_code
            UNION ALL
            SELECT chapter, 'chapter', chapter_code, min(chapter_label) FROM cell GROUP BY chapter, chapter_code
        )
        SELECT p.period_grain, p.period_start, p.period_end, p.is_partial, m.level, m.code, m.label,
               CAST(n.events AS DOUBLE) AS events, n.patients{count_columns}, b.base_patients, b.patient_years
        FROM counted n
        JOIN name m ON m.cell = n.cell AND m.code IS NOT NULL
        JOIN {{period}} p ON p.domain = '{domain}' AND {periods.join("n")}
        JOIN {{base}} b ON b.domain = p.domain AND b.period_grain = p.period_grain AND b.period_start = p.period_start
                      AND b.sex = 'all' AND b.age_band = 'all'
        """
