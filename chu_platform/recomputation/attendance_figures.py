"""Attendance, computed from the delivered consultations: days of the week, slots, the week and its end."""

from typing import Final

from chu_platform.recomputation.confidence_limits import poisson_limits, wilson_limits
from chu_platform.recomputation.counted_rows import CONSULTATIONS, PERIOD
from chu_platform.recomputation.recomputation import UNKNOWN, Figures, SourceRows
from chu_platform.sources.activite_professionnel_sante import activite_professionnel_sante
from chu_platform.sources.etablissement_sante import etablissement_sante

KEY: Final = f"{PERIOD}, region_code, level, code"
# One row for each consultation, in France and in each region of its professional, by day, by slot, and in the week.
ROWS: Final = f"""
    WITH timed AS (
        SELECT *, isodow(date) AS day, CASE
            WHEN try_cast(begins AS TIME) IS NULL THEN '{UNKNOWN}'
            WHEN try_cast(ends AS TIME) < try_cast(begins AS TIME) THEN '20-06'
            WHEN hour(try_cast(begins AS TIME)) BETWEEN 6 AND 12 THEN '06-13'
            WHEN hour(try_cast(begins AS TIME)) BETWEEN 13 AND 19 THEN '13-20'
            ELSE '20-06' END AS slot
        FROM consultation_in
    ), located AS (
        SELECT *, 'all' AS region_code, NULL AS organisation FROM timed
        UNION ALL
        SELECT timed.*, o.region, organisation
        FROM timed JOIN attachment USING (professional)
            JOIN organisation o ON o.id = organisation AND timed.date >= o.valid_from AND timed.date < o.valid_to
    )
    SELECT {PERIOD}, region_code, cell.level, cell.code, id AS row, professional, organisation, date
    FROM located, LATERAL (
        SELECT unnest(['week', 'week', 'weekday', 'slot']) AS level,
            unnest(['all', if(day >= 6, 'weekend', NULL), day::VARCHAR, slot]) AS code
    ) cell WHERE cell.code IS NOT NULL
    """
COUNTS: Final = f"""
    WITH told AS (
        SELECT DISTINCT row, region_code, date FROM (
            SELECT c.id AS row, 'all' AS region_code, c.date FROM consultation c
            UNION ALL
            SELECT c.id, o.region, c.date FROM consultation c JOIN attachment USING (professional)
                JOIN organisation o ON o.id = organisation AND c.date >= o.valid_from AND c.date < o.valid_to
        )
    ), span AS (
        SELECT DISTINCT {PERIOD}, period_end, covered_start, covered_end FROM consultation_period
    ), whole AS (
        SELECT {PERIOD}, region_code, count(*) AS period_consultations
        FROM told JOIN span ON date >= period_start AND date < period_end
        SEMI JOIN cell USING ({PERIOD}, region_code) GROUP BY ALL
    ), counted AS (
        SELECT {KEY}, count(DISTINCT row) AS consultations FROM numerator GROUP BY ALL
    ), slotted AS (
        SELECT id AS row, CASE
            WHEN try_cast(begins AS TIME) IS NULL THEN '{UNKNOWN}'
            WHEN try_cast(ends AS TIME) < try_cast(begins AS TIME) THEN '20-06'
            WHEN hour(try_cast(begins AS TIME)) BETWEEN 6 AND 12 THEN '06-13'
            WHEN hour(try_cast(begins AS TIME)) BETWEEN 13 AND 19 THEN '13-20'
            ELSE '20-06' END AS slot
        FROM consultation
    ), annual AS (
        -- All of the year, and those of each slot.
        SELECT region_code, year(date) AS year, coalesce(slot, '') AS slot, count(*) AS year_consultations
        FROM told JOIN slotted USING (row)
        GROUP BY GROUPING SETS ((region_code, year(date)), (region_code, year(date), slot))
    ), every_day AS (
        SELECT {PERIOD}, unnest(range(covered_start, covered_end, INTERVAL 1 DAY))::DATE AS day FROM span
        SEMI JOIN cell USING ({PERIOD})
    ), days AS (
        SELECT {PERIOD}, count(*) AS every, count(*) FILTER (isodow(day) >= 6) AS weekend,
            histogram(isodow(day)) AS of_day
        FROM every_day GROUP BY ALL
    ), covered AS (SELECT max(date) AS last_day, min(date) AS first_day FROM consultation)
    SELECT {KEY}, coalesce(consultations, 0) AS consultations, period_consultations,
        CASE WHEN level = 'weekday' THEN of_day[code::BIGINT] WHEN code = 'weekend' THEN weekend ELSE every END AS days,
        -- The year of the last month is incomplete, and that of the first day if it is not the first day of the year.
        if(year(period_start) < year(last_day) AND make_date(year(period_start), 1, 1) >= first_day,
            year_consultations, NULL) AS year_consultations,
        if(year(period_start) < year(last_day) AND make_date(year(period_start), 1, 1) >= first_day,
            date_diff('day', make_date(year(period_start), 1, 1), make_date(year(period_start) + 1, 1, 1)), NULL)
            AS year_days
    FROM cell LEFT JOIN counted USING ({KEY}) LEFT JOIN whole USING ({PERIOD}, region_code)
        LEFT JOIN days USING ({PERIOD})
        LEFT JOIN annual ON annual.region_code = cell.region_code AND annual.year = year(period_start)
            AND annual.slot = if(level = 'slot', code, '')
        CROSS JOIN covered
    """
SOURCES: Final = (
    CONSULTATIONS,
    SourceRows(
        activite_professionnel_sante,
        "attribution",
        "concat_ws('|', identifiant, identifiant_organisation)",
        "SELECT concat_ws('|', professional, organisation) FROM attachment SEMI JOIN "
        "(FROM numerator WHERE organisation IS NOT NULL) USING (professional, organisation)",
    ),
    SourceRows(
        etablissement_sante,
        "attribution",
        "identifiant_organisation",
        "SELECT DISTINCT organisation FROM numerator WHERE organisation IS NOT NULL",
    ),
)


def recomputed_attendance(counts: Figures) -> Figures:
    """The counts of a row, its share in percent, its consultations per day and its index.

    Needs the columns of `COUNTS`.
    """
    made, whole, days = counts["consultations"], counts["period_consultations"], counts["days"]
    low, high = wilson_limits(made, whole)
    least, most = poisson_limits(made)
    per_day = made / days
    return {
        "consultations": made,
        "period_consultations": whole,
        "days": days,
        "year_consultations": counts["year_consultations"],
        "year_days": counts["year_days"],
        "percent": 100 * made / whole,
        "percent_low": 100 * low,
        "percent_high": 100 * high,
        "per_day": per_day,
        "per_day_low": least / days,
        "per_day_high": most / days,
        "seasonal_index": per_day * 100 * counts["year_days"] / counts["year_consultations"],
    }
