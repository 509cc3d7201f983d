"""Shared parts of the indicators of use of care: columns, SQL of counts by period, rate of use and intensity."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from chu_platform.building_blocks.period_columns import PERIOD_KEY
from chu_platform.indicators.intervals import garwood, wilson
from chu_platform.sources.hospitalisations import MAX_STAY_DAYS
from chu_platform.tables.checks import holds
from chu_platform.tables.columns import BOOLEAN, DATE, DOUBLE, LONG, STRING, Column
from chu_platform.tables.period_sql import Periods
from chu_platform.tables.spark_sql import UNKNOWN

PERIOD_COLUMNS: Final[Sequence[Column]] = (
    *PERIOD_KEY,
    Column("period_end", DATE, "premier jour après la période", "Fin (exclue)", nullable=False),
    Column(
        "is_partial",
        BOOLEAN,
        "vrai si les données ne couvrent qu’une partie de la période",
        "Période incomplète",
        nullable=False,
    ),
)
LEVEL_COLUMNS: Final[Sequence[Column]] = (
    Column("level", STRING, "niveau de la hiérarchie", "Niveau", key=True),
    Column("code", STRING, "code à ce niveau", "Code", key=True),
    Column("label", STRING, "libellé du code", "Libellé", nullable=False),
)
COUNT_COLUMNS: Final[Sequence[Column]] = (
    Column(
        "events",
        DOUBLE,
        "nombre d’événements, réparti quand un événement a plusieurs lieux",
        "Événements",
        nullable=False,
    ),
    Column(
        "patients",
        LONG,
        "nombre de patients distincts ayant au moins un événement",
        "Patients distincts",
        nullable=False,
    ),
)
STAY_COLUMNS: Final[Sequence[Column]] = (
    Column("days", LONG, "nombre de jours des séjours", "Journées", nullable=False),
    Column("mean_length_of_stay", DOUBLE, "nombre de jours par séjour", "Durée moyenne de séjour (jours)"),
)
RATE_COLUMNS: Final[Sequence[Column]] = (
    Column(
        "base_patients",
        LONG,
        "nombre de patients de la base : dénominateur du taux",
        "Patients de la base",
        nullable=False,
    ),
    Column(
        "patient_years",
        DOUBLE,
        "temps d’observation de la base, en années : dénominateur de l’intensité",
        "Patients-années",
        nullable=False,
    ),
    Column(
        "rate_per_1000",
        DOUBLE,
        "nombre de patients ayant un événement pour 1 000 patients de la base",
        "Taux de recours (‰)",
    ),
    Column("rate_low", DOUBLE, "borne basse à 95 %, méthode de Wilson", "Taux : borne basse"),
    Column("rate_high", DOUBLE, "borne haute à 95 %, méthode de Wilson", "Taux : borne haute"),
    Column(
        "intensity", DOUBLE, "nombre d’événements pour 1 000 patients-années", "Intensité (pour 1 000 patients-années)"
    ),
    Column("intensity_low", DOUBLE, "borne basse à 95 %, méthode exacte de Poisson", "Intensité : borne basse"),
    Column("intensity_high", DOUBLE, "borne haute à 95 %, méthode exacte de Poisson", "Intensité : borne haute"),
)
# The columns from which `with_rates` and `with_stay_rates` compute each figure.
RATES_FROM: Final[Mapping[str, Sequence[str]]] = {
    **dict.fromkeys(("rate_per_1000", "rate_low", "rate_high"), ("patients", "base_patients")),
    **dict.fromkeys(("intensity", "intensity_low", "intensity_high"), ("events", "patient_years")),
}
STAY_RATES_FROM: Final[Mapping[str, Sequence[str]]] = {**RATES_FROM, "mean_length_of_stay": ("days", "events")}
NUMERATOR_IN_BASE: Final = holds(
    "numerator_in_base", "patients <= base_patients", "les patients ayant un événement sont des patients de la base"
)
# Bounds between the figures of a row, of which attackers know (docs/attack.md).
PATIENTS_IN_EVENTS: Final = holds(
    "patients_in_events", "patients <= events", "chaque patient compté a au moins un événement"
)
DAYS_IN_BOUNDS: Final = holds(
    "days_in_bounds",
    f"days BETWEEN 0 AND {MAX_STAY_DAYS} * events",
    f"un séjour dure de 0 à {MAX_STAY_DAYS} jours",
)

# Bits of the number of a period beside that of a cell: enough for the months, quarters and years of two centuries.
PERIOD_BITS: Final = 12


def visits(periods: Periods, fact: str, columns: Sequence[str] = (), only: str = "true") -> str:
    """SQL of three common tables, for `counts_by_period`: patient, visit and month_period.

    visit: `columns` of each event of `fact`, the first day of its `month`, the number of its `patient`, and the date of
    the first event of that patient. The unknown patient has neither: it is not counted, nor is it in the base. month_period: the periods with each month,
    of those that are wanted (`only`, a condition on `grain`), and the number of the period.

    Patients and periods are counted by numbers, because to compare texts takes most of the time otherwise.
    """
    listed = "".join(f"v.{column}, " for column in columns)
    month = "CAST(trunc(date, 'month') AS DATE)"
    return f"""
        patient AS (
            SELECT patient_key, first_date, row_number() OVER (ORDER BY patient_key) AS patient
            FROM (
                SELECT patient_key, min(date) AS first_date FROM {fact}
                WHERE patient_key <> '{UNKNOWN}' GROUP BY patient_key
            )
        ),
        visit AS (
            SELECT {listed}n.patient, n.first_date, {month} AS month
            FROM {fact} v LEFT JOIN patient n ON n.patient_key = v.patient_key
        ),
        month_period AS (
            SELECT month, grain, start, dense_rank() OVER (ORDER BY grain, start) AS period
            FROM ({periods.expand(f"(SELECT DISTINCT {month} AS date FROM {fact})", "date AS month")}
            ) WHERE {only}
        )"""


def counts_by_period(event: str, sums: Sequence[str]) -> str:
    """SQL of the counts of the relation `event` by cell in each period: cell, grain, start, sums, patients.

    `event` has `cell`, a number, the columns `patient` and `month` of visit (see `visits`), and the numbers `sums` to
    sum. Patients are distinct: they are counted by two aggregations, because count(DISTINCT) would keep a set in memory
    for each of millions of groups. Cell and period are one number in them: Sail takes twice as long with two.
    """
    of_count = "".join(f", c.{column}" for column in sums)
    of_event = "".join(f", sum(e.{s}) AS {s}" for s in sums)
    of_patient = "".join(f", sum({s}) AS {s}" for s in sums)
    return f"""
            SELECT shiftright(c.cell_period, {PERIOD_BITS}) AS cell, d.grain, d.start, c.patients{of_count}
            FROM (
                SELECT cell_period, count(patient) AS patients{of_patient}
                FROM (
                    SELECT e.cell * {1 << PERIOD_BITS}L + m.period AS cell_period, e.patient{of_event}
                    FROM {event} e JOIN month_period m ON m.month = e.month
                    GROUP BY e.cell * {1 << PERIOD_BITS}L + m.period, e.patient
                ) GROUP BY cell_period
            ) c
            JOIN (SELECT DISTINCT period, grain, start FROM month_period) d
                 ON d.period = c.cell_period & {(1 << PERIOD_BITS) - 1}L"""


def with_rates(counted: pa.Table) -> pa.Table:
    """Add the rate of use (per 1 000 patients) and the intensity (per 1 000 patient-years), with 95 % intervals.

    Needs the columns `events`, `patients`, `base_patients` and `patient_years`.
    """
    column = {
        n: counted[n].to_numpy().astype(np.float64) for n in ("events", "patients", "base_patients", "patient_years")
    }
    base, time = column["base_patients"], column["patient_years"]
    low, high = wilson(np.minimum(column["patients"], base), base)
    events_low, events_high = garwood(column["events"])
    with np.errstate(divide="ignore", invalid="ignore"):
        figures = {
            "rate_per_1000": 1000 * column["patients"] / base,
            "rate_low": 1000 * low,
            "rate_high": 1000 * high,
            "intensity": 1000 * column["events"] / time,
            "intensity_low": 1000 * events_low / time,
            "intensity_high": 1000 * events_high / time,
        }
    for name, values in figures.items():
        counted = counted.append_column(name, finite(values))
    return counted


def with_stay_rates(counted: pa.Table) -> pa.Table:
    """Add the figures of `with_rates`, and the mean length of stay in days; needs the column `days` too."""
    events = counted["events"].to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = counted["days"].to_numpy() / events
    return with_rates(counted).append_column("mean_length_of_stay", finite(mean))


def finite(values: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> pa.Array:
    """Numbers as an Arrow array; NaN and infinite values (division by zero) become null."""
    return pa.array(values, pa.float64(), mask=~np.isfinite(values))
