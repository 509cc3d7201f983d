"""The steps of care, computed from the delivered consultations and stays: days, their quantiles, and rounded counts."""

from typing import Final

from chu_platform.recomputation.recomputation import SourceRows
from chu_platform.sources.consultation import consultation
from chu_platform.sources.hospitalisations import hospitalisations

KEY: Final = "period_grain, period_start, cycle, level, code"
# One row for each step with days and group: `row` is the consultation or the stay, `found` the consultation before it.
ROWS: Final = """
    WITH reach AS (SELECT min(date) + 365 AS since, max(date) AS until FROM consultation),
    known AS (FROM consultation WHERE patient IN (SELECT id FROM patient)),
    visit AS (SELECT patient, date, min(id) AS found FROM known GROUP BY ALL),
    between_two AS (
        SELECT k.id, k.date - v.date AS days, v.found
        FROM known k ASOF JOIN visit v ON v.patient = k.patient AND v.date < k.date
        WHERE k.date >= (SELECT since FROM reach) AND k.date - v.date <= 365
    ), before_stay AS (
        SELECT s.id, s.patient, s.date - v.date AS days, v.date, v.found
        FROM stay s ASOF JOIN visit v ON v.patient = s.patient AND v.date <= s.date
        WHERE s.date BETWEEN (SELECT since FROM reach) AND (SELECT until FROM reach) AND s.date - v.date <= 365
    ), specialities AS (
        SELECT b.id, list_distinct(list(o.speciality)) AS specialities
        FROM before_stay b JOIN known k ON k.patient = b.patient AND k.date = b.date JOIN speciality_of o ON o.id = k.id
        GROUP BY b.id
    ), step AS (
        SELECT period_grain, period_start, 'between_consultations' AS cycle, i.id, i.code AS diagnosis, b.days, b.found,
            [o.speciality] AS specialities
        FROM consultation_in i JOIN between_two b USING (id) JOIN speciality_of o USING (id)
        UNION ALL
        SELECT period_grain, period_start, 'to_stay', i.id, i.code, b.days, b.found, p.specialities
        FROM stay_in i JOIN before_stay b USING (id) JOIN specialities p USING (id)
        UNION ALL
        SELECT period_grain, period_start, 'length_of_stay', id, code, days, NULL, [] FROM stay_in
    )
    SELECT period_grain, period_start, cycle, 'total' AS level, 'total' AS code, id AS row, days, found FROM step
    UNION ALL
    SELECT period_grain, period_start, cycle, 'chapter', d.code, id, days, found
    FROM step JOIN diagnosis_level d ON d.delivered = diagnosis AND d.level = 'chapter'
    UNION ALL
    SELECT period_grain, period_start, cycle, 'speciality', unnest(specialities), id, days, found FROM step
    """
COUNTS: Final = f"""
    SELECT {KEY}, count(days) // 20 * 20 AS at_least, quantile_cont(days, 0.5) AS median,
        quantile_cont(days, 0.9) AS p90
    FROM cell LEFT JOIN numerator USING ({KEY}) GROUP BY {KEY}
    """
OF_CONSULTATIONS: Final = "cycle = 'between_consultations'"
SOURCES: Final = (
    SourceRows(
        hospitalisations,
        "numerator",
        '"Num_Hospitalisation"::VARCHAR',
        f"SELECT DISTINCT row::VARCHAR FROM numerator WHERE NOT {OF_CONSULTATIONS}",
    ),
    SourceRows(
        consultation,
        "numerator",
        '"Num_consultation"::VARCHAR',
        f"SELECT found::VARCHAR FROM numerator WHERE found IS NOT NULL "
        f"UNION SELECT row::VARCHAR FROM numerator WHERE {OF_CONSULTATIONS}",
    ),
)
