"""What follows a stay, computed from the delivered stays and consultations: shares as products over days."""

from typing import Final

import numpy as np

from chu_platform.recomputation.confidence_limits import TAIL
from chu_platform.recomputation.recomputation import Figures

KEY: Final = "period_grain, period_start, outcome, level, code"
# One row for each outcome, group and stay: `day` is that of the event `found`, or the last one observed.
ROWS: Final = """
    WITH outcome(outcome, horizon, is_stay) AS (
        VALUES ('followed_7', 7, false), ('followed_30', 30, false), ('followed_90', 90, false),
            ('readmitted_30', 30, true)
    ), event AS (
        SELECT false AS is_stay, id, patient, date FROM consultation UNION ALL SELECT true, id, patient, date FROM stay
    ), reach AS (SELECT is_stay, max(date) AS last FROM event GROUP BY is_stay),
    after_stay AS (
        SELECT s.id, e.is_stay, min(e.date) AS date, arg_min(e.id, (e.date, e.id)) AS found
        FROM stay s JOIN event e ON e.patient = s.patient AND e.date > s.date + s.days::INTEGER
        WHERE s.patient IN (SELECT id FROM patient) GROUP BY s.id, e.is_stay
    ), described AS (
        SELECT i.period_grain, i.period_start, i.id, i.date + i.days::INTEGER AS discharge,
            unnest([
                {'level': 'total', 'code': 'total'}, {'level': 'sex', 'code': p.sex},
                {'level': 'age_band', 'code': band_of_age(completed_years(p.birth, i.date))},
                {'level': 'chapter', 'code': d.code}
            ]) AS place
        FROM stay_in i JOIN diagnosis_level d ON d.delivered = i.code AND d.level = 'chapter'
            LEFT JOIN patient p ON p.id = i.patient
    )
    SELECT g.period_grain, g.period_start, o.outcome, g.place.level AS level, g.place.code AS code, g.id AS row,
        if(a.date <= g.discharge + o.horizon, a.found, NULL) AS found,
        if(a.date <= g.discharge + o.horizon, a.date - g.discharge,
            greatest(least(coalesce(r.last - g.discharge, 0), o.horizon), 0)) AS day
    FROM described g CROSS JOIN outcome o LEFT JOIN reach r ON r.is_stay = o.is_stay
        LEFT JOIN after_stay a ON a.id = g.id AND a.is_stay = o.is_stay
    WHERE g.place.code IS NOT NULL
    """
# `staying` is the product of 1 - events / at risk over the days with events, `spread` the sum of Greenwood.
COUNTS: Final = f"""
    WITH day AS (
        SELECT {KEY}, day, count(*) AS leaving, count(found) AS events FROM numerator GROUP BY ALL
    ), risk AS (
        SELECT *, sum(leaving) OVER (PARTITION BY {KEY} ORDER BY day DESC) AS at_risk FROM day
    ), figure AS (
        SELECT {KEY}, sum(leaving) AS stays, sum(events) AS events,
            product(1 - events / at_risk) AS staying,
            sum(events / (at_risk * (at_risk - events))) FILTER (events < at_risk) AS spread
        FROM risk GROUP BY {KEY}
    )
    SELECT {KEY}, coalesce(stays, 0) AS stays, coalesce(events, 0) AS events, staying, spread
    FROM cell LEFT JOIN figure USING ({KEY})
    """


def recomputed_follow_up(counts: Figures) -> Figures:
    """The share with an outcome in percent, with limits on the log-log scale; needs the columns of `COUNTS`."""
    from scipy.stats import norm

    staying = counts["staying"]
    log = np.log(staying)
    half = norm.ppf(1 - TAIL) * np.sqrt(counts["spread"]) / np.abs(log)
    certain = (staying <= 0) | (staying >= 1)
    return {
        "stays": counts["stays"],
        "events": counts["events"],
        "percent": 100 * (1 - staying),
        "percent_low": np.where(certain, np.nan, 100 * (1 - np.exp(log * np.exp(-half)))),
        "percent_high": np.where(certain, np.nan, 100 * (1 - np.exp(log * np.exp(half)))),
    }
