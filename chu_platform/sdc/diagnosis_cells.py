"""SQL of the cells and relations of an indicator by diagnosis, for the mask of its family.

The SQL reads the exact indicator as `diagnoses` and the dimension as `diagnosis`. The unknown category has leaves in
several chapters. Its part in each chapter is not published, but can be computed, so it is a hidden cell.
"""

from collections.abc import Sequence

from chu_platform.sdc.cell_masks import same_period
from chu_platform.sdc.primary_rules import HIDDEN, PrimaryRules
from chu_platform.tables.spark_sql import UNKNOWN


def diagnosis_cells(indicator: str, rules: PrimaryRules, measures: Sequence[str], released: str) -> str:
    """SQL of the cells: the rows that meet the condition `released`, and the hidden cells.

    Only the measures of a hidden cell can be computed from published cells, not its patients, which must still be more
    than ten. Those of its leaf with the most patients stand for them.
    """
    listed = "".join(f", {m}" for m in measures)
    summed = ", ".join(f"sum(k.{m}) AS {m}" for m in dict.fromkeys(["events", *measures]) if m not in ("patients", "0"))
    hidden_rules = PrimaryRules(["events", "patients"], contributors=rules.contributors)
    hidden = f"""(
        SELECT period_grain, period_start, '{HIDDEN}' AS level, d.chapter_code AS code, max(k.patients) AS patients,
               {summed}
        FROM diagnoses k JOIN diagnosis d ON d.diagnosis_key = k.code AND d.category_code = '{UNKNOWN}'
        WHERE k.level = 'leaf' AND k.period_grain IN ('year', 'all')
        GROUP BY period_grain, period_start, d.chapter_code
    )"""
    return f"""
    SELECT '{indicator}' AS indicator, concat_ws('|', period_grain, period_start, level, code) AS cell,
           period_grain AS grain, period_start AS start, level, code, {rules.reason} AS unsafe, events AS weight{listed}
    FROM {rules.tested("diagnoses", indicator)} WHERE {released}
    UNION ALL
    SELECT 'hidden', concat_ws('|', period_grain, period_start, code), period_grain, period_start, level, code,
           {hidden_rules.reason}, events{listed}
    FROM {hidden_rules.tested(hidden, indicator)}
    """


def diagnosis_relations(indicator: str, total: str) -> Sequence[str]:
    """SQL of the relations between total (a condition on `p`), chapters, categories, leaves and hidden cells."""
    ours = f"indicator = '{indicator}'"
    return [
        same_period(total, f"c.{ours} AND c.level = 'chapter'"),
        # A chapter is the sum of its known categories and its hidden cell, at the grains that have categories.
        f"""
        WITH chapter AS (
            FROM cell p WHERE p.{ours} AND p.level = 'chapter'
                AND EXISTS (FROM cell x WHERE x.{ours} AND x.level = 'category' AND x.grain = p.grain)
        )
        SELECT p.id, c.id FROM chapter p JOIN cell c ON p.grain = c.grain AND p.start = c.start
        JOIN (SELECT DISTINCT category_code, chapter_code FROM diagnosis) m
             ON m.category_code = c.code AND m.chapter_code = p.code
        WHERE c.{ours} AND c.level = 'category' AND c.code <> '{UNKNOWN}'
        UNION ALL
        SELECT p.id, c.id FROM chapter p JOIN cell c ON p.grain = c.grain AND p.start = c.start
        WHERE c.indicator = 'hidden' AND c.code = p.code
        """,
        same_period(f"p.{ours} AND p.level = 'category' AND p.code = '{UNKNOWN}'", "c.indicator = 'hidden'"),
        # A leaf belongs to its category, or to the hidden cell of its chapter if the category is unknown.
        f"""
        SELECT p.id, c.id FROM cell p JOIN cell c ON p.grain = c.grain AND p.start = c.start
        JOIN diagnosis d ON d.diagnosis_key = c.code
        WHERE c.{ours} AND c.level = 'leaf' AND (
            (p.{ours} AND p.level = 'category' AND p.code = d.category_code AND p.code <> '{UNKNOWN}')
            OR (p.indicator = 'hidden' AND d.category_code = '{UNKNOWN}' AND p.code = d.chapter_code)
        )
        """,
    ]
