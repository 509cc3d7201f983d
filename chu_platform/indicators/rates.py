"""Shared parts of the indicators of use of care: columns, SQL of counts by period, rate of use and intensity."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from chu_platform.building_blocks.period_columns import PERIOD_KEY
from chu_platform.indicators.intervals import garwood, wilson
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
# The number of patients in the rows of `events_by_patient`. The unknown patient is not counted, nor is it in the base.
DISTINCT_PATIENTS: Final = f"count(CASE WHEN patient_key <> '{UNKNOWN}' THEN 1 END)"


def events_by_patient(periods: Periods, event: str, keys: Sequence[str], sums: Sequence[str]) -> str:
    """SQL of the events of each patient in each period: one row for each patient, period and `keys`, with `sums` summed.

    Distinct patients are then counted by count(): count(DISTINCT) would keep a set in memory for each of millions of
    groups.
    """
    key_columns = ", ".join([*keys, "grain", "start", "patient_key"])
    sum_columns = ", ".join(f"sum({s}) AS {s}" for s in sums)
    return f"""
            SELECT {key_columns}, {sum_columns}
            FROM ({periods.expand(event, ", ".join([*keys, "patient_key", *sums]))}
            ) GROUP BY {key_columns}"""


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
