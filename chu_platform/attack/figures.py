"""The published figures: which are visible, which are masked, and which can be read from rates and intervals."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Any, Final

import numpy as np
import pyarrow as pa

from chu_platform.attack.findings import Finding
from chu_platform.attack.inputs import (
    ATTENDANCE,
    FOLLOW_UP,
    PLACES,
    STAYS,
    STAYS_BY_AGE,
    STAYS_BY_DIAGNOSIS,
    USE,
    Tables,
)

# Counts from 1 to this value must not be known.
SMALL: Final = 10
# A figure rests on at least this number of professionals, and no one of them makes more than this share of it.
FEWEST: Final = 3
LARGEST_SHARE: Final = 0.85
TOLERANCE: Final = 1e-6
ALL: Final = "all"
# Rows that are Python objects at once.
_BATCH: Final = 10_000
# Table, grain of the period, first day of the period (None for the grain `all`), key of the row.
Cell = tuple[str, str, date | None, tuple[str, ...]]
# Cell and measure.
Figure = tuple[Cell, str]

PERIOD_COLUMNS: Final = ("period_grain", "period_start", "period_end")
KEY_COLUMNS: Final = ("outcome", "level", "code", "region_code", "sex", "age_band", "profession", "speciality")
# The stays of which some are followed.
WHOLE_STAYS: Final = "stays"
# Of use over time, by level: what is counted, and the whole of which it is a part. The number of the patients who
# consult most often follows from that of all.
OF_USE: Final = {"patients": ("patients", "period_patients"), "slot": ("consultations", "period_consultations")}
# What the rows of use over time repeat of the total of their period.
REPEATED: Final = {
    "patients": "period_patients",
    "consultations": "period_consultations",
    "events": "period_consultations",
}
TOTAL: Final = ("total", "total")
# What the rows of attendance repeat of their year: for a slot, that of the year; else all consultations of the place.
OF_YEAR: Final = "year_consultations"
MEASURES: Final = ("events", "consultations", "days", "patients", "professionals", "active_years")
# Only rows by sex and age have a base of their own; in other tables it is the whole base of the period.
BASE: Final = "base_patients"


def is_small(value: float) -> bool:
    """Whether a count is more than 0 and at most 10. Shares of events are rounded to twelve decimals."""
    return TOLERANCE < value < SMALL + TOLERANCE


@dataclass
class Figures:
    """The figures of published tables.

    Attributes:
        visible: The published figures, and those that follow from visible rates.
        masked: The masked figures.
        recovered: The masked figures that follow from visible rates of their row, or that another row repeats; they are
            in `visible`.
        ends: The last day (excluded) of the period of each row, in the order of the rows.
        bases: The patients of the base of each period (table, grain, start) whose rows have a common base.
    """

    visible: dict[Figure, float] = field(default_factory=dict)
    masked: dict[Figure, None] = field(default_factory=dict)
    recovered: list[Figure] = field(default_factory=list)
    ends: dict[Cell, date] = field(default_factory=dict)
    bases: dict[tuple[str, str, date | None], float] = field(default_factory=dict)

    @classmethod
    def of(cls, tables: Tables) -> "Figures":
        """The figures of tables, by name."""
        figures = cls()
        for name, table in tables.items():
            figures._read(name, table)
        return figures

    def value(self, cell: Cell, measure: str) -> float | None:
        """A visible figure; None if it is masked or does not exist."""
        return self.visible.get((cell, measure))

    def base(self, cell: Cell) -> float | None:
        """The patients of the base of a row, if known."""
        own = self.visible.get((cell, BASE))
        return own if own is not None else self.bases.get(cell[:3])

    def _read(self, name: str, table: pa.Table) -> None:
        of_table = measures_of(table)
        for cell, row in rows_of(name, table):
            measures = of_table
            if name == USE:
                measures = [m for m, _ in (OF_USE[k] for k in cell[3][:1] if k in OF_USE)]
            elif name == ATTENDANCE:
                measures = ["consultations"]
            self.ends[cell] = row["period_end"]
            if BASE not in measures and row.get(BASE) is not None:
                self.bases[cell[:3]] = float(row[BASE])
            known = {m: float(row[m]) for m in measures if row[m] is not None}
            for measure in measures:
                if measure in known:
                    self.visible[cell, measure] = known[measure]
                elif name == ATTENDANCE and (whole := self._whole_week(cell)) is not None:
                    self.visible[cell, measure] = whole
                else:
                    self.masked[cell, measure] = None
            if len(known) < len(measures):
                for measure, value in _from_rates(row, known, self.bases.get(cell[:3])).items():
                    if measure in measures and measure not in known:
                        self._recover((cell, measure), value)
            if name == FOLLOW_UP and row[WHOLE_STAYS] is not None:
                self._recover((stays_of(cell), "events"), float(row[WHOLE_STAYS]))
            if name == USE:
                for measure, column in REPEATED.items():
                    if row.get(column) is not None:
                        self._recover(((PLACES, *cell[1:3], TOTAL), measure), float(row[column]))

            if name == ATTENDANCE:
                for repeated, column in repeated_by(cell):
                    if row.get(column) is not None:
                        self._recover((repeated, "consultations"), float(row[column]))

    def _whole_week(self, cell: Cell) -> float | None:
        """The consultations of a whole week of attendance that another row shows: a mask makes them no secret."""
        is_whole = cell[3][:2] == ("week", ALL)
        return self.visible.get((whole_place(cell), "consultations")) if is_whole else None

    def _recover(self, figure: Figure, value: float) -> None:
        if figure in self.masked:
            self.visible[figure] = value
            del self.masked[figure]
            self.recovered.append(figure)


def whole_place(cell: Cell) -> Cell:
    """The cell of all consultations of the place and the period of a cell of attendance."""
    _, grain, start, (_, _, region) = cell
    return PLACES, grain, start, TOTAL if region == ALL else ("region", region)


def repeated_by(cell: Cell) -> Iterator[tuple[Cell, str]]:
    """The cells whose consultations a row of attendance repeats, and in which column."""
    table, _, start, keys = cell
    yield whole_place(cell), "period_consultations"
    of_year: Cell = (table, "year", start.replace(month=1, day=1) if start else None, keys)
    yield of_year if keys[0] == "slot" else whole_place(of_year), OF_YEAR


def stays_of(cell: Cell) -> Cell:
    """The cell of the stays of which a cell of the follow-up counts those that are followed."""
    _, grain, start, (_, level, code) = cell
    if level == "total":
        return STAYS, grain, start, ()
    if level == "chapter":
        return STAYS_BY_DIAGNOSIS, grain, start, (level, code)
    return STAYS_BY_AGE, grain, start, (code, ALL) if level == "sex" else (ALL, code)


def measures_of(table: pa.Table) -> list[str]:
    """The measures of a table that count persons or events."""
    found = [m for m in MEASURES if m in table.column_names]
    return [*found, BASE] if "sex" in table.column_names and BASE in table.column_names else found


def rows_of(name: str, table: pa.Table) -> Iterator[tuple[Cell, Mapping[str, Any]]]:
    """The rows of a table of periods, each with its cell; without texts that are not part of the key."""
    keys = [c for c in KEY_COLUMNS if c in table.column_names]
    texts = [f.name for f in table.schema if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)]
    read = table.drop_columns([c for c in texts if c not in {*keys, "period_grain"}])
    for batch in read.to_batches(max_chunksize=_BATCH):
        for row in batch.to_pylist():
            grain = row["period_grain"]
            start = None if grain == ALL else row["period_start"]
            yield (name, grain, start, tuple(row[k] for k in keys)), row


def key_names(cell: Cell) -> Sequence[str]:
    """The columns of the key of a cell, after its period."""
    if "by_sex_and_age" in cell[0]:
        return ("sex", "age_band")
    if "by_professional" in cell[0]:
        return ("profession", "speciality")
    if cell[0] == FOLLOW_UP:
        return ("outcome", "level", "code")
    if cell[0] == ATTENDANCE:
        return ("level", "code", "region_code")
    return ("level", "code") if cell[3] else ()


def finding(cell: Cell, what: str) -> Finding:
    """The finding about a cell."""
    table, grain, start, keys = cell
    period = [("period_grain", grain), *([("period_start", start.isoformat())] if start else [])]
    return Finding(table, (*period, *zip(key_names(cell), keys, strict=True)), what)


def _from_rates(row: Mapping[str, Any], known: Mapping[str, float], base: float | None) -> dict[str, float]:
    """The counts of a row that follow from its rates, means and intervals."""

    def figure(column: str) -> float | None:
        value = row.get(column)
        return None if value is None else float(value)

    found = dict(known)
    years, length = figure("patient_years"), figure("mean_length_of_stay")
    base = known.get(BASE) or figure(BASE) or base
    if (rate := figure("rate_per_1000")) is not None and base:
        found.setdefault("patients", rate * base / 1000)
    if base:
        for bound, sign in (("rate_low", -1), ("rate_high", 1)):
            if (limit := figure(bound)) is not None and "patients" not in found:
                found["patients"] = float(round(_invert(partial(_wilson, base, sign), limit / 1000, base)))
    if years:
        if (intensity := figure("intensity")) is not None:
            found.setdefault("events", intensity * years / 1000)
        for bound, upper in (("intensity_low", False), ("intensity_high", True)):
            if (limit := figure(bound)) is not None and "events" not in found:
                found["events"] = _invert(partial(_garwood, upper), limit * years / 1000, 1e7)
    per_day, days = figure("per_day"), figure("days")
    if per_day is not None and days is not None:
        found.setdefault("consultations", per_day * days)
    percent = figure("percent")
    for measure, column in (("events", WHOLE_STAYS), *OF_USE.values()):
        if (whole := figure(column)) is not None and percent is not None:
            found.setdefault(measure, whole * percent / 100)
    pace, active = figure("events_per_active_year"), found.get("active_years")
    if pace is not None and active:
        found.setdefault("events", pace * active)
    if length is not None:
        if "events" in found:
            found.setdefault("days", length * found["events"])
        elif "days" in found and length > 0:
            found["events"] = found["days"] / length
    return found


def _wilson(trials: float, sign: int, successes: float) -> float:
    """A limit of Wilson's interval at 95 %, as a share."""
    z = 1.959963984540054
    share = successes / trials
    half = z * np.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return float((share + z * z / (2 * trials) + sign * half) / (1 + z * z / trials))


def _garwood(upper: bool, events: float) -> float:
    """A limit of Garwood's interval at 95 %."""
    from scipy.stats import gamma  # takes a second to import

    if upper:
        return float(gamma.ppf(0.975, events + 1))
    return float(gamma.ppf(0.025, events)) if events > 0 else 0.0


def _invert(increasing: Callable[[float], float], wanted: float, high: float) -> float:
    """Where an increasing function of a count has a value, by bisection."""
    low = 0.0
    for _ in range(100):
        middle = (low + high) / 2
        if increasing(middle) < wanted:
            low = middle
        else:
            high = middle
    return (low + high) / 2
