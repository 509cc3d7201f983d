"""Indicator 11: what follows a stay, from lists of days: shares by the product of Kaplan and Meier, day after day."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import duckdb
import pyarrow as pa

OUTCOMES = {"followed_7": 7, "followed_30": 30, "followed_90": 90, "readmitted_30": 30}


def compute(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """The table of the indicator, from the tables that `care_indicators` has prepared."""
    consultations = _days_by_patient(connection, "consultation")
    stays = _days_by_patient(connection, "stay")
    last = {name: max(day for days in found.values() for day in days) for name, found in
            (("consultation", consultations), ("stay", stays))}  # fmt: skip
    found = connection.execute(
        """
        SELECT s.period_grain, s.period_start, p.period_end, p.is_partial, s.patient, s.is_known, s.sex, s.date, s.days,
            d.chapter, CASE WHEN s.birth IS NULL OR s.birth > s.date THEN NULL ELSE age(s.birth, s.date) END AS age
        FROM stay_in s JOIN stay_period p USING (period_grain, period_start) JOIN diagnosis d USING (code)
        WHERE s.period_grain IN ('year', 'all')
        """
    )
    names = [column[0] for column in found.description or ()]
    groups: dict[tuple[object, ...], list[Mapping[str, Any]]] = defaultdict(list)
    for values in found.fetchall():
        stay = dict(zip(names, values, strict=True))
        of = (stay["period_grain"], stay["period_start"], stay["period_end"], stay["is_partial"])
        band = "unknown" if stay["age"] is None else "85+" if stay["age"] >= 85 else _band(stay["age"])
        for level, code in (("total", "total"), ("age_band", band), ("chapter", stay["chapter"])):
            groups[*of, level, code].append(stay)
        if stay["sex"] is not None:
            groups[*of, "sex", stay["sex"]].append(stay)
    rows = []
    for key, members in groups.items():
        row = dict(zip(("period_grain", "period_start", "period_end", "is_partial", "level", "code"), key, strict=True))
        row |= {"stays": len(members)}
        for outcome, horizon in OUTCOMES.items():
            kind = "stay" if outcome == "readmitted_30" else "consultation"
            events = stays if kind == "stay" else consultations
            courses = [_course(m, events, last[kind], horizon) for m in members]
            row[f"{outcome}_stays"] = sum(happened for _, happened in courses)
            row[f"{outcome}_patients"] = len(
                {m["patient"] for m, (_, happened) in zip(members, courses, strict=True) if happened}
            )
            row[outcome] = _share(courses)
        rows.append(row)
    return pa.Table.from_pylist(rows).sort_by(
        [(n, "ascending") for n in ("period_grain", "period_start", "level", "code")]
    )


def _days_by_patient(connection: duckdb.DuckDBPyConnection, table: str) -> dict[int, list[date]]:
    found: dict[int, list[date]] = defaultdict(list)
    for patient, day in connection.execute(f"SELECT patient, date FROM {table} ORDER BY date").fetchall():
        found[patient].append(day)
    return found


def _band(age: int) -> str:
    return f"{age // 5 * 5}-{age // 5 * 5 + 4}"


def _course(
    stay: Mapping[str, Any], events: Mapping[int, Sequence[date]], last: date, horizon: int
) -> tuple[int, bool]:
    """Day of the first event after the discharge, or the last day observed within the horizon; whether it happened."""
    discharge = stay["date"] + timedelta(days=int(stay["days"]))
    after = [day for day in events.get(stay["patient"], ()) if day > discharge] if stay["is_known"] else []
    if after and (after[0] - discharge).days <= horizon:
        return (after[0] - discharge).days, True
    return min(max((last - discharge).days, 0), horizon), False


def _share(courses: Sequence[tuple[int, bool]]) -> float:
    staying = 1.0
    for day in sorted({day for day, happened in courses if happened}):
        at_risk = sum(d >= day for d, _ in courses)
        staying *= 1 - sum(d == day and happened for d, happened in courses) / at_risk
    return 1 - staying
