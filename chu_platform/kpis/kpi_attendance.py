"""Indicator 14: attendance: consultations by place, weekday and slot; released by weekday or by slot.

The exact table has each day of the week and slot of each place. Sums over them, and over time, are sums of its rows.
What is released is coarser: France by month and year, regions by year, and either the weekdays or the slots. All days
(or all slots) of a region and a period are shown together, or none of them (decision 0079).
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from chu_platform.dimensions.bridge_professional_establishment import bridge_professional_establishment
from chu_platform.dimensions.establishment_history import establishment_history
from chu_platform.facts.fact_consultation import fact_consultation
from chu_platform.indicators.indicator import FreeRange, Indicator, Release, Summary
from chu_platform.indicators.intervals import Floats, garwood, wilson
from chu_platform.indicators.rates import LEVEL_COLUMNS, PERIOD_COLUMNS, finite, visits
from chu_platform.indicators.use_of_care import LATEST_WHOLE_YEAR, WILSON
from chu_platform.masks.consultation_mask import ATTENDANCE, consultation_mask
from chu_platform.periods.consultation_contributors import (
    NAMED_PLACES,
    NUMBERED_PLACES,
    PLACES_OF_VERSIONS,
    TOTAL_CELL,
    UNATTACHED_CELL,
)
from chu_platform.periods.dim_period import dim_period
from chu_platform.recomputation.attendance_figures import COUNTS, ROWS, SOURCES, recomputed_attendance
from chu_platform.recomputation.recomputation import InputSet, Recomputation
from chu_platform.sdc.cell_masks import same_period
from chu_platform.sdc.primary_rules import FEWEST_CONTRIBUTORS, LARGEST_SHARE, PrimaryRules, Reason
from chu_platform.sdc.suppression_rules import SMALL_CELL
from chu_platform.tables.checks import holds, none_in, one_of
from chu_platform.tables.columns import BOOLEAN, DOUBLE, LONG, STRING, Column
from chu_platform.tables.indicator_questions import Count, IndicatorQuestion, LevelTexts, Measure, Parameter
from chu_platform.tables.partitions import YEARS
from chu_platform.tables.period_sql import Periods
from chu_platform.tables.policies import BEFORE_RELEASE, exact_of_heads
from chu_platform.tables.rows import Query
from chu_platform.tables.spark_sql import ALL, UNKNOWN
from chu_platform.tables.table import Layer, Layout, Table, Zone
from chu_platform.tables.versions import valid_on

NAME: Final = ATTENDANCE
# By code: from Monday on. Codes of slots are the hours in which one begins.
DAYS: Final = {
    "1": "Lundi", "2": "Mardi", "3": "Mercredi", "4": "Jeudi", "5": "Vendredi", "6": "Samedi", "7": "Dimanche",
}  # fmt: skip
SLOTS: Final = {
    "06-13": "Matin (de 8 h à 12 h)",
    "13-20": "Après-midi (de 13 h à 18 h)",
    "20-06": "Soir et nuit (de 20 h à 23 h ou à 2 h)",
    UNKNOWN: "Sans heure",
}
# A Monday before any event.
MONDAY: Final = "DATE '1800-01-06'"
# A day of the week and a slot as one number below MOMENTS: four times the day, from Monday on, and the slot.
MOMENTS: Final = 32
SLOT: Final = """CASE WHEN start_minute IS NULL THEN 3 WHEN start_minute >= 1200 OR start_minute < 360 OR is_night_slot THEN 2
                        WHEN start_minute < 780 THEN 0 ELSE 1 END"""
MOMENT: Final = f"4 * (datediff(date, {MONDAY}) % 7) + {SLOT}"


def _of_slot(column: str) -> str:
    """SQL: the slot of a moment."""
    return f"CASE {column} % 4 {' '.join(f'WHEN {n} THEN {slot!r}' for n, slot in enumerate(SLOTS))} END"


def _counts(periods: Periods) -> str:
    return f"""
        WITH {PLACES_OF_VERSIONS},
        worked AS (
            SELECT c.professional_key, t.valid_from, c.month, c.moment, count(*) AS consultations
            FROM (
                SELECT professional_key, date, CAST(trunc(date, 'month') AS DATE) AS month, {MOMENT} AS moment
                FROM {{consultation}}
            ) c
            LEFT JOIN spell t ON t.professional_key = c.professional_key AND {valid_on("c.date", "t")}
            GROUP BY c.professional_key, t.valid_from, c.month, c.moment
        ),
        {NUMBERED_PLACES},
        place AS (
            -- The places of a professional at a time, each once: several establishments may be in one region.
            SELECT professional_key, valid_from, cell, CAST(sum(weight) AS DECIMAL(20, 12)) AS weight
            FROM (
                SELECT s.professional_key, s.valid_from, s.weight,
                       stack(3, e.establishment, e.department, e.region) AS (cell)
                FROM span s JOIN cell e ON e.establishment_version = s.establishment_version
            ) GROUP BY professional_key, valid_from, cell
        ),
        placed AS (
            SELECT l.cell, w.month, w.moment, w.consultations,
                   CAST(CAST(w.consultations AS DECIMAL(10, 0)) * l.weight AS DECIMAL(28, 12)) AS events
            FROM worked w JOIN place l ON l.professional_key = w.professional_key AND l.valid_from = w.valid_from
            UNION ALL
            SELECT {TOTAL_CELL}, month, moment, consultations, CAST(consultations AS DECIMAL(28, 12)) FROM worked
            UNION ALL
            SELECT {UNATTACHED_CELL}, month, moment, consultations, CAST(consultations AS DECIMAL(28, 12))
            FROM worked WHERE valid_from IS NULL
        ),
        monthly AS (
            SELECT cell * {MOMENTS}L + moment AS cell_moment, month AS date, sum(consultations) AS consultations,
                   CAST(sum(events) AS DECIMAL(28, 12)) AS events
            FROM placed GROUP BY cell * {MOMENTS}L + moment, month
        ),
        counted AS (
            SELECT cell_moment, grain, start, sum(consultations) AS consultations,
                   CAST(sum(events) AS DOUBLE) AS events
            FROM ({periods.expand("monthly", "cell_moment, consultations, events")}
            ) GROUP BY cell_moment, grain, start
        ),
        name AS ({NAMED_PLACES}
        )
        SELECT p.period_grain, p.period_start, p.period_end, p.is_partial, m.level, m.code, m.label,
               CAST(n.moment div 4 + 1 AS STRING) AS weekday, {_of_slot("n.moment")} AS slot, n.consultations, n.events
        FROM (
            SELECT cell_moment div {MOMENTS} AS cell, cell_moment % {MOMENTS} AS moment, grain, start, consultations, events
            FROM counted
        ) n
        JOIN name m ON m.cell = n.cell AND m.code IS NOT NULL
        JOIN {{period}} p ON p.domain = 'consultation' AND {periods.join("n")}
        """


EXACT = Table(
    name=NAME,
    layer=Layer.KPIS,
    zone=Zone.PSEUDONYMISED,
    grain="un jour de la semaine et un créneau, dans un établissement, un département, une région, les consultations non rattachées ou l’ensemble, dans une période où il y en a",
    label="Affluence : consultations par lieu, jour de la semaine et créneau",
    owner="team:kpis",
    access=exact_of_heads("code"),
    columns=[
        *PERIOD_COLUMNS,
        *LEVEL_COLUMNS,
        Column("weekday", STRING, "jour de la semaine : de 1 (lundi) à 7 (dimanche)", "Jour de la semaine", key=True),
        Column(
            "slot",
            STRING,
            f"créneau : 06-13 (commence entre 6 h et 13 h), 13-20 (entre 13 h et 20 h), 20-06 (entre 20 h et 6 h, ou finit le "
            f"lendemain), {UNKNOWN} (sans heure)",
            "Créneau",
            key=True,
        ),
        Column(
            "consultations",
            LONG,
            "nombre de consultations d’un professionnel rattaché au lieu ; une consultation peut compter dans plusieurs lieux, mais "
            "les jours, les créneaux et les périodes d’un lieu s’additionnent",
            "Consultations",
            nullable=False,
        ),
        Column(
            "events",
            DOUBLE,
            "nombre de consultations, réparti quand une consultation a plusieurs lieux",
            "Consultations réparties",
            nullable=False,
        ),
    ],
    reads={
        "consultation": fact_consultation,
        "bridge": bridge_professional_establishment,
        "establishment": establishment_history,
        "period": dim_period,
    },
    rows=Query.over(_counts),
    checks=[
        one_of("weekday", list(DAYS)),
        one_of("slot", list(SLOTS)),
        none_in(
            "attached_and_unattached_sum_to_total",
            "SELECT count(*) FROM (SELECT sum(CASE level WHEN 'total' THEN -events ELSE events END) AS gap FROM {this} WHERE level IN ('region', 'unattached', 'total') GROUP BY period_grain, period_start, weekday, slot HAVING abs(gap) > 1e-6)",
            "chaque jour et créneau, la somme des régions et des consultations non rattachées est l’ensemble",
            by_partition=True,
        ),
        holds(
            "events_in_consultations",
            "events <= consultations + 1e-6",
            "un lieu n’a pas plus de parts de consultations que de consultations",
        ),
    ],
    layout=Layout(partition_by=["period_grain", "period_start"], z_order_by=["level", "code"], sorted_writes=False),
    derives_from=["consultation"],
    period_scheme=YEARS,
)  # fmt: skip

# What is released: the rows of a region, or of France (`all`), in a period, by level and code. Only days and slots with
# consultations have a row.
FRANCE: Final = "France"
WEEK: Final = {"all": "Toute la semaine", "weekend": "Samedi et dimanche"}
CODES: Final = {"week": WEEK, "weekday": DAYS, "slot": SLOTS}
# The place of the consultations that are in no region. They are not released: beside a region that is masked, they are
# what the others do not tell (decision 0079).
NOWHERE: Final = "none"
WHOLE_PLACES: Final = f"CASE level WHEN 'total' THEN '{ALL}' WHEN 'unattached' THEN '{NOWHERE}' ELSE code END"
# The grains that are released of France, and of regions.
GRAINS: Final = ("month", "year")


def _codes(of: Sequence[tuple[str, str, str]]) -> str:
    """SQL of a list of (level, code, label)."""
    return f"stack({len(of)}, {', '.join(f'{level!r}, {code!r}, {label!r}' for level, code, label in of)})"


LISTED: Final = _codes([(level, code, label) for level, codes in CODES.items() for code, label in codes.items()])
# The rows of a day of the week and a slot. Those of the week follow from the days.
IN_ROWS: Final = "stack(4, 'week', 'all', 'week', CASE WHEN weekday IN ('6', '7') THEN 'weekend' END, 'weekday', weekday, 'slot', slot)"
PARTED: Final = "stack(2, 'weekday', weekday, 'slot', slot)"


def _days_before(day: str) -> str:
    """SQL: how many days of the week `code` are before a day."""
    return f"(datediff({day}, {MONDAY}) + 7 - CAST(w.code AS INT)) div 7"


def _of_regions(periods: Periods) -> str:
    released = periods.only("grain", GRAINS)
    of_regions = periods.only("period_grain", ["year"])
    return f"""
        WITH {PLACES_OF_VERSIONS},
        {visits(periods, "{consultation}", ["professional_key", "date", "start_minute", "is_night_slot"], only=released)},
        worker AS (
            SELECT professional_key, row_number() OVER (ORDER BY professional_key) AS professional
            FROM (SELECT DISTINCT professional_key FROM {{consultation}})
        ),
        -- The regions of a professional at a time, each once.
        home AS (
            SELECT DISTINCT s.professional_key, s.valid_from, s.valid_to, e.region_key
            FROM span s JOIN located e ON e.establishment_version = s.establishment_version
        ),
        dated AS (
            SELECT k.professional, v.professional_key, v.patient, v.date, m.grain, m.start,
                   CAST(datediff(v.date, {MONDAY}) % 7 + 1 AS STRING) AS weekday, {_of_slot(f"({SLOT})")} AS slot
            FROM visit v
            JOIN worker k ON k.professional_key = v.professional_key
            JOIN month_period m ON m.month = v.month
        ),
        placed AS (
            SELECT '{ALL}' AS place, grain, start, patient, professional, {PARTED} AS (level, code) FROM dated
            UNION ALL
            SELECT coalesce(h.region_key, '{NOWHERE}'), d.grain, d.start, d.patient, d.professional, {PARTED} AS (level, code)
            FROM dated d LEFT JOIN home h ON h.professional_key = d.professional_key AND {valid_on("d.date", "h")}
            WHERE {periods.only("d.grain", ["year"])}
        ),
        -- Who makes the consultations of a day or a slot, and how many of them the largest one makes.
        person AS (
            SELECT place, grain, start, level, code, count(*) AS persons, max(events) AS most
            FROM (
                SELECT place, grain, start, level, code, patient, count(*) AS events
                FROM placed WHERE patient IS NOT NULL GROUP BY place, grain, start, level, code, patient
            ) GROUP BY place, grain, start, level, code
        ),
        maker AS (
            SELECT place, grain, start, level, code, count(*) AS persons, max(events) AS most
            FROM (
                SELECT place, grain, start, level, code, professional, count(*) AS events
                FROM placed GROUP BY place, grain, start, level, code, professional
            ) GROUP BY place, grain, start, level, code
        ),
        -- The establishments of a day or a slot; the head of the largest one knows its part.
        site AS (
            SELECT place, period_grain, period_start, level, code, max(consultations) AS most, count(*) AS sites
            FROM (
                SELECT code AS establishment_key, period_grain, period_start, level, part AS code,
                       sum(consultations) AS consultations
                FROM (
                    SELECT code, period_grain, period_start, consultations, {PARTED} AS (level, part)
                    FROM {{exact}} WHERE level = 'establishment' AND {periods.only("period_grain", GRAINS)}
                ) GROUP BY code, period_grain, period_start, level, part
            ) x
            JOIN (
                SELECT DISTINCT establishment_key, stack(2, '{ALL}', region_key) AS (place) FROM {{establishment}}
            ) e ON e.establishment_key = x.establishment_key
            GROUP BY place, period_grain, period_start, level, code
        ),
        wide AS (
            SELECT {WHOLE_PLACES} AS place, label AS place_label, period_grain, period_start, weekday, slot, consultations
            FROM {{exact}}
            WHERE (level = 'total' AND {periods.only("period_grain", GRAINS)})
                OR (level IN ('region', 'unattached') AND {of_regions})
        ),
        counted AS (
            SELECT place, period_grain, period_start, level, code, sum(consultations) AS consultations
            FROM (SELECT place, period_grain, period_start, consultations, {IN_ROWS} AS (level, code) FROM wide)
            WHERE code IS NOT NULL GROUP BY place, period_grain, period_start, level, code
        ),
        whole AS (
            SELECT place, period_grain, period_start, max(place_label) AS place_label,
                   sum(consultations) AS period_consultations
            FROM wide GROUP BY place, period_grain, period_start
        ),
        line AS (
            SELECT w.place, w.place_label, p.period_grain, p.period_start, p.period_end, p.is_partial, w.level, w.code,
                   w.label, n.consultations, w.period_consultations,
                   CASE WHEN w.level = 'slot' THEN 'slot' WHEN w.code = '{ALL}' THEN 'whole' ELSE 'weekday' END AS part,
                   CASE WHEN w.level = 'weekday' THEN {_days_before("p.covered_end")} - {_days_before("p.covered_start")}
                        WHEN w.code = 'weekend' THEN weekend_end - weekend_start
                        ELSE p.covered_days END AS days,
                   p.covered_start = p.period_start AND NOT p.is_partial AS is_whole
            FROM (SELECT *, {LISTED} AS (level, code, label) FROM whole) w
            JOIN (
                SELECT *, {_weekend_days_before("covered_end")} AS weekend_end,
                       {_weekend_days_before("covered_start")} AS weekend_start
                FROM {{period}} WHERE domain = 'consultation'
            ) p ON p.period_grain = w.period_grain AND {periods.start_of("p")} = {periods.start_of("w")}
            JOIN counted n ON n.place = w.place AND n.period_grain = w.period_grain
                 AND n.period_start = w.period_start AND n.level = w.level AND n.code = w.code
        ),
        judged AS (
            SELECT r.*,
                   -- All days together are the total of the place, which is masked elsewhere.
                   r.consultations <= {SMALL_CELL} OR r.level <> 'week' AND (coalesce(g.persons, 0) <= {SMALL_CELL}
                       OR r.consultations - coalesce(s.most, 0) <= {SMALL_CELL}) AS small,
                   r.level <> 'week' AND (coalesce(k.persons, 0) < {FEWEST_CONTRIBUTORS}
                       OR k.most > {LARGEST_SHARE}D * r.consultations OR g.most > {LARGEST_SHARE}D * r.consultations
                       OR (r.place NOT IN ('{ALL}', '{NOWHERE}') AND coalesce(s.sites, 0) < {FEWEST_CONTRIBUTORS})) AS few
            FROM line r
            LEFT JOIN person g ON g.place = r.place AND g.grain = r.period_grain
                 AND g.start = {periods.start_of("r")} AND g.level = r.level AND g.code = r.code
            LEFT JOIN maker k ON k.place = r.place AND k.grain = r.period_grain
                 AND k.start = {periods.start_of("r")} AND k.level = r.level AND k.code = r.code
            LEFT JOIN site s ON s.place = r.place AND s.period_grain = r.period_grain
                 AND s.period_start = r.period_start AND s.level = r.level AND s.code = r.code
        ),
        -- All days of the week, or all slots, of a place and period are unsafe together.
        part AS (
            SELECT place, period_grain, period_start, part, bool_or(small) AS small, bool_or(few) AS few,
                   min(consultations) AS least
            FROM judged GROUP BY place, period_grain, period_start, part
        ),
        -- What must be safe, too, where regions are shown: France, and what is in no region.
        cover AS (
            SELECT period_grain, period_start, part, bool_or(small OR few) AS unsafe, count(*) AS places,
                   min(CASE place WHEN '{NOWHERE}' THEN least END) AS least
            FROM part WHERE place IN ('{ALL}', '{NOWHERE}') GROUP BY period_grain, period_start, part
        )
        SELECT j.period_grain, j.period_start, j.period_end, j.is_partial, j.place AS region_code,
               CASE j.place WHEN '{ALL}' THEN '{FRANCE}' ELSE j.place_label END AS region_label, j.level, j.code, j.label,
               j.consultations, j.period_consultations, CAST(j.days AS BIGINT) AS days, y.consultations AS year_consultations,
               CAST(y.days AS BIGINT) AS year_days,
               t.small OR (j.place <> '{ALL}' AND (c.unsafe OR c.places < 2 OR c.least <= {SMALL_CELL})) AS is_small,
               t.few AS by_few
        FROM judged j
        JOIN part t ON t.place = j.place AND t.period_grain = j.period_grain AND t.period_start = j.period_start
             AND t.part = j.part
        JOIN cover c ON c.period_grain = j.period_grain AND c.period_start = j.period_start AND c.part = j.part
        -- A mean day of the year: of the slot, or of the whole place.
        LEFT JOIN line y ON y.place = j.place AND y.period_grain = 'year' AND y.period_start = trunc(j.period_start, 'year')
             AND j.period_grain <> 'range' AND y.is_whole
             AND y.level = CASE j.level WHEN 'slot' THEN 'slot' ELSE 'week' END
             AND y.code = CASE j.level WHEN 'slot' THEN j.code ELSE 'all' END
        WHERE j.place <> '{NOWHERE}'
        """


def _weekend_days_before(day: str) -> str:
    """SQL: how many Saturdays and Sundays are before a day."""
    return f"((datediff({day}, {MONDAY}) + 1) div 7 + datediff({day}, {MONDAY}) div 7)"


def _with_shares(counted: pa.Table) -> pa.Table:
    """Add shares in percent and consultations per day, with limits, and the index (100: a mean day of the year)."""
    names = ("consultations", "period_consultations", "days", "year_consultations", "year_days")
    part, whole, days, in_year, year_days = (_numbers(counted, name) for name in names)
    known = np.isfinite(part)
    low, high = wilson(np.where(known, part, 0), np.where(known, whole, 0))
    least, most = garwood(np.where(known, part, 0))
    with np.errstate(divide="ignore", invalid="ignore"):
        figures = {
            "percent": 100 * part / whole,
            "percent_low": 100 * low,
            "percent_high": 100 * high,
            "per_day": part / days,
            "per_day_low": np.where(known, least, np.nan) / days,
            "per_day_high": np.where(known, most, np.nan) / days,
            "seasonal_index": 100 * (part / days) / (in_year / year_days),
        }
    for name, values in figures.items():
        counted = counted.append_column(name, finite(values))
    return counted


def _numbers(rows: pa.Table, column: str) -> Floats:
    found: Floats = rows[column].cast(pa.float64()).to_numpy(zero_copy_only=False)
    return found


PERCENT_FROM: Final = ("consultations", "period_consultations")
PER_DAY_FROM: Final = ("consultations", "days")
SHARES_FROM: Final = {
    **dict.fromkeys(("percent", "percent_low", "percent_high"), PERCENT_FROM),
    **dict.fromkeys(("per_day", "per_day_low", "per_day_high"), PER_DAY_FROM),
    "seasonal_index": (*PER_DAY_FROM, "year_consultations", "year_days"),
}

attendance_of_regions = Table(
    name="attendance_of_regions",
    layer=Layer.CANDIDATES,
    zone=Zone.PSEUDONYMISED,
    grain="un jour de la semaine, un créneau, la semaine ou sa fin, en France (par mois et par an) ou dans une région (par an)",
    label="Affluence, par jour de la semaine ou par créneau",
    owner="team:privacy",
    access=BEFORE_RELEASE,
    columns=[
        *PERIOD_COLUMNS,
        Column("region_code", STRING, "code Insee de la région ; all : France", "Code région", key=True),
        Column("region_label", STRING, "nom de la région", "Région", nullable=False),
        *LEVEL_COLUMNS,
        Column("consultations", LONG, "nombre de consultations de ce jour ou de ce créneau", "Consultations", nullable=False),
        Column("period_consultations", LONG, "nombre de consultations de la période", "Consultations de la période", nullable=False),
        Column("days", LONG, "nombre de jours : de ceux que couvrent les données, ceux de ce jour de la semaine", "Jours"),
        Column("year_consultations", LONG, "nombre de consultations de l’année, pour un créneau celles du créneau ; vide si l’année est incomplète", "Consultations de l’année"),
        Column("year_days", LONG, "nombre de jours de l’année", "Jours de l’année"),
        Column("percent", DOUBLE, "part des consultations de la période, en %", "Part (%)"),
        Column("percent_low", DOUBLE, "borne basse à 95 %, en % (Wilson)", "Part : borne basse"),
        Column("percent_high", DOUBLE, "borne haute à 95 %, en % (Wilson)", "Part : borne haute"),
        Column("per_day", DOUBLE, "nombre de consultations par jour", "Consultations par jour"),
        Column("per_day_low", DOUBLE, "borne basse à 95 % (Poisson exact)", "Par jour : borne basse"),
        Column("per_day_high", DOUBLE, "borne haute à 95 % (Poisson exact)", "Par jour : borne haute"),
        Column("seasonal_index", DOUBLE, "consultations par jour ; 100 : jour moyen de l’année, au même lieu et, pour un créneau, au même créneau", "Indice"),
        Column(
            "is_small",
            BOOLEAN,
            "vrai si un jour de la semaine, ou un créneau, de ce lieu et de cette période compte de 1 à 10 consultations ou patients, ou "
            "moins de onze en dehors d’un établissement ; pour une région aussi si c’est le cas en France ou hors des régions",
            "Trop petit",
            nullable=False,
        ),
        Column("by_few", BOOLEAN, "vrai si les consultations d’un de ces jours, ou d’un créneau, sont celles de peu de professionnels, d’un patient ou, dans une région, de peu d’établissements", "Peu de contributeurs", nullable=False),
    ],
    reads={
        "exact": EXACT,
        "consultation": fact_consultation,
        "bridge": bridge_professional_establishment,
        "establishment": establishment_history,
        "period": dim_period,
    },
    rows=Query.over(_of_regions, finish=_with_shares, from_columns=SHARES_FROM),
)  # fmt: skip

RULES: Final = PrimaryRules(
    counts=["consultations", "period_consultations"],
    flags={Reason.SIZE: "is_small", Reason.CONTRIBUTORS: "by_few"},
)
# Listed is what is safe: months once their year is closed, and only if all days of the week (or slots) of all months are
# safe, so that no month is the difference between its year and the others. Years of France are listed as masked, too,
# where the days or slots of so many consultations may each be anything.
FEWEST_LISTED: Final = 50
CELLS: Final = f"""
    SELECT '{NAME}' AS indicator, concat_ws('|', period_grain, period_start, region_code, level, code) AS cell,
           period_grain AS grain, period_start AS start, level, concat_ws('|', region_code, level, code) AS code,
           unsafe, consultations AS weight, 0 AS events, consultations, 0 AS patients, 0 AS professionals
    FROM (
        SELECT *, bool_or(unsafe IS NOT NULL) OVER months AS has_unsafe_month,
               bool_or(period_grain = 'year') OVER (PARTITION BY region_code, date_trunc('year', period_start)) AS is_closed
        FROM (SELECT *, {RULES.reason} AS unsafe FROM attendances)
        WINDOW months AS (PARTITION BY region_code, level = 'slot', code = '{ALL}', period_grain, date_trunc('year', period_start))
    ) WHERE CASE period_grain
        WHEN 'month' THEN is_closed AND NOT has_unsafe_month
        WHEN 'year' THEN unsafe IS NULL OR (region_code = '{ALL}' AND period_consultations >= {FEWEST_LISTED})
        ELSE false END
    """


def _shown(level: str, code: str = "true") -> str:
    """SQL condition on the cell `c`: it is of this level, and safe."""
    return f"c.indicator = '{NAME}' AND c.level = '{level}' AND c.unsafe IS NULL AND ({code})"


OF_PLACE: Final = f"""p.indicator = 'kpi_consultation_rate_by_establishment' AND (
    (p.level = 'total' AND split_part(c.code, '|', 1) = '{ALL}')
    OR (p.level = 'region' AND p.code = split_part(c.code, '|', 1)))"""
WEEKEND: Final = f"p.indicator = '{NAME}' AND p.level = 'week' AND p.unsafe IS NULL AND p.code LIKE '%|weekend'"
IN_WEEKEND: Final = "split_part(c.code, '|', 3) IN ('6', '7')"
SAME_PLACE: Final = "split_part(p.code, '|', 1) = split_part(c.code, '|', 1)"
# A row is shown only where the totals are that its days or slots sum to: those of its period, of its year, and, for a
# month, of all months of the year. The whole week is the total of its period itself.
SAME_YEAR: Final = "date_trunc('year', p.start) = date_trunc('year', c.start) AND p.grain IN ('year', c.grain)"
REPEATS: Final = f"""
    SELECT c.id, p.id FROM cell c JOIN cell p ON {SAME_YEAR} AND {OF_PLACE}
    WHERE c.indicator = '{NAME}' AND (c.code NOT LIKE '%|all' OR p.start = c.start OR p.grain = 'year')
    UNION ALL
    SELECT c.id, p.id FROM cell c JOIN cell p ON {SAME_YEAR} AND p.indicator = 'kpi_use_concentration'
        AND p.code = 'slot|evening'
    WHERE c.indicator = '{NAME}' AND c.level = 'slot' AND split_part(c.code, '|', 1) = '{ALL}'
    """

# A year of France is the sum of its months where these are listed: then all of them are.
OVER_YEARS: Final = f"""
    SELECT p.id, c.id FROM cell p JOIN cell c ON p.indicator = c.indicator AND p.code = c.code AND p.grain = 'year'
        AND c.grain = 'month' AND p.start = date_trunc('year', c.start)
    WHERE c.indicator = '{NAME}'
    """
PER_DAY: Final = "intervalle de confiance à 95 % (Poisson exact)"
COUNTED: Final = Count("consultations", "consultations")
NO_INTERVAL: Final = "c’est le rapport de deux nombres comptés : il n’a pas d’intervalle"

kpi_attendance = Indicator(
    exact=EXACT,
    released_form=attendance_of_regions,
    fact=fact_consultation,
    # Released: France by month and year, regions by year: days of the week, slots, the week and its end.
    release=Release(
        family=consultation_mask,
        alias="attendances",
        cells=CELLS,
        relations_of_corrections={
            ("consultations",): [
                same_period(OF_PLACE, _shown("weekday")),
                same_period(OF_PLACE, _shown("slot")),
                same_period(OF_PLACE, _shown("week", "c.code LIKE '%|all'")),
                same_period(WEEKEND, _shown("weekday", IN_WEEKEND), SAME_PLACE),
                OVER_YEARS,
            ],
        },
        repeats=REPEATS,
        level_columns=["level"],
        weight="consultations",
        rules=RULES,
        measures=["consultations"],
        withheld=["is_small", "by_few"],
    ),
    question=IndicatorQuestion(
        number=14,
        slug="affluence",
        title="Quels jours, à quels créneaux et en quels mois y a-t-il le plus de consultations ?",
        short="Affluence",
        parameters=(
            Parameter(
                "x",
                "Jour ou créneau",
                ("level", "code"),
                "weekday:1",
                options={
                    "week": "level = 'week' AND code = $value",
                    "weekday": "level = 'weekday' AND code = $value",
                    "slot": "level = 'slot' AND code = $value",
                },
                exclusive=True,
            ),
            Parameter(
                "lieu",
                "Lieu",
                ("region_code",),
                ALL,
                options={"region": "region_code = $value"},
                overview=f"region_code = '{ALL}'",
            ),
        ),
        measures=(
            Measure(
                "par-jour",
                "Consultations par jour",
                "consultations par jour",
                "per_day",
                "per_day_low",
                "per_day_high",
                PER_DAY,
                COUNTED,
                Count("days", "jours"),
                "on compte {value}",
                drifts=True,
            ),
            Measure(
                "part",
                "Part des consultations",
                "%",
                "percent",
                "percent_low",
                "percent_high",
                WILSON,
                COUNTED,
                Count("period_consultations", "consultations de la période"),
                "{value} des consultations",
                drifts=True,
            ),
            Measure(
                "indice",
                "Indice (100 : jour moyen de l’année)",
                "pour 100 un jour moyen de l’année",
                "seasonal_index",
                None,
                None,
                NO_INTERVAL,
                COUNTED,
                Count("year_consultations", "consultations de l’année"),
                "on compte {value}",
                0,
                also=[Count("days", "jours"), Count("year_days", "jours de l’année")],
                drifts=True,
                base=100.0,
            ),
        ),
        definition=(
            "Consultations par jour : consultations d’un jour de la semaine, divisées par le nombre de ces jours dans la période ; "
            "d’un créneau, divisées par le nombre de tous les jours. Les jours fériés comptent comme les autres.",
            "Indice : consultations par jour, pour 100 un jour moyen de l’année au même lieu. D’un jour de la semaine, il dit s’il est "
            "plus chargé qu’un jour moyen ; d’un mois, si la saison l’est. Celui d’un créneau se rapporte au même créneau de l’année. Une "
            "année incomplète n’a pas d’indice : il y manque des saisons.",
            "Les consultations d’une région sont celles des professionnels rattachés à une structure qui s’y trouvait ce jour-là ; une "
            "consultation peut compter dans plusieurs régions, et celles des professionnels sans structure ne comptent qu’en France.",
            "Les jours de la semaine d’un lieu et d’une période sont publiés tous, ou aucun, et de même ses créneaux : aucun ne se "
            "calcule donc à partir des autres. Les mois sont publiés pour la France, quand leur année est close et que tous ses mois "
            "peuvent l’être ; les régions, par année.",
        ),
        caution="Ces chiffres disent quand on a consulté, et non quand on aurait voulu consulter : un jour où peu de cabinets sont "
        "ouverts compte peu de consultations. Les patients sont un échantillon de ceux du groupe.",
        levels={
            "weekday": LevelTexts(
                "Jour de la semaine",
                plural="jours de la semaine",
                ordered=True,
                measures=("par-jour", "part", "indice"),
            ),
            "slot": LevelTexts(
                "Créneau",
                plural="créneaux",
                ordered=True,
                first="part",
                beware="Trois créneaux, et non des heures",
                notice="Les sources ne livrent que trois créneaux, de quatre ou cinq heures : de 8 h à 12 h, de 13 h à 18 h, et de 20 h "
                "à 23 h (rarement jusqu’à 2 h). Ils ne disent ni l’heure d’arrivée, ni l’attente, ni les pointes dans un créneau.",
            ),
            "week": LevelTexts("Semaine", plural="semaines et fins de semaine", ordered=True),
        },
        related=("consultations-etablissement", "recours-temps"),
    ),
    free_range=FreeRange("consultation", order="region_code <> 'all', region_code, level DESC, code"),
    summary=Summary(
        where=f"{LATEST_WHOLE_YEAR} AND region_code = '{ALL}' AND level = 'week'",
        order="code",
        rows=2,
        subject="label",
        measure="par-jour",
    ),
    recomputation=Recomputation(
        InputSet.PLACES, rows=ROWS, counts=COUNTS, sources=SOURCES, complete=recomputed_attendance
    ),
)
