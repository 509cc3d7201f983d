"""Indicator 16: the steps of care, patient by patient: days to a stay, between consultations, of the stay itself."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from datetime import date, timedelta
from math import floor

import duckdb
import pyarrow as pa

YEAR = timedelta(days=365)
KEY = ("period_grain", "period_start", "period_end", "is_partial", "cycle", "level", "code")
# Days, and the patient (None: not in the database).
Step = tuple[int, int | None]


def compute(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """The table of the indicator, from the tables that `care_indicators` has prepared."""
    visits: dict[int, dict[date, set[str]]] = defaultdict(lambda: defaultdict(set))
    for patient, day, speciality in connection.execute(
        "SELECT patient, date, coalesce(s.speciality, 'Inconnu') FROM consultation c "
        "LEFT JOIN professional s ON s.id = c.professional WHERE patient IN (SELECT id FROM patient)"
    ).fetchall():
        visits[patient][day].add(speciality)
    days_of = {patient: sorted(days) for patient, days in visits.items()}
    first, last = connection.execute("SELECT min(date), max(date) FROM consultation").fetchall()[0]
    steps: dict[tuple[object, ...], list[Step]] = defaultdict(list)
    events: dict[tuple[object, ...], int] = defaultdict(int)
    for *period, patient, day, chapter, speciality in connection.execute(
        """
        SELECT c.period_grain, c.period_start, p.period_end, p.is_partial, c.patient, c.date, d.chapter,
            coalesce(s.speciality, 'Inconnu')
        FROM consultation_in c JOIN consultation_period p USING (period_grain, period_start)
        JOIN diagnosis d USING (code) LEFT JOIN professional s ON s.id = c.professional
        WHERE c.is_known AND c.period_grain IN ('year', 'all')
        """
    ).fetchall():
        if day < first + YEAR:
            continue
        before = bisect_left(days_of[patient], day) - 1
        gap = day - days_of[patient][before] if before >= 0 else None
        for group in (("total", "total"), ("chapter", chapter), ("speciality", speciality)):
            key = (*period, "between_consultations", *group)
            events[key] += 1
            if gap is not None and gap <= YEAR:
                steps[key].append((gap.days, patient))
    for *period, patient, is_known, day, length, chapter in connection.execute(
        """
        SELECT s.period_grain, s.period_start, p.period_end, p.is_partial, s.patient, s.is_known, s.date, s.days,
            d.chapter
        FROM stay_in s JOIN stay_period p USING (period_grain, period_start) JOIN diagnosis d USING (code)
        WHERE s.period_grain IN ('year', 'all')
        """
    ).fetchall():
        groups = [("total", "total"), ("chapter", chapter)]
        for group in groups:
            events[*period, "length_of_stay", *group] += 1
            steps[*period, "length_of_stay", *group].append((length, patient if is_known else None))
        if not is_known or not first + YEAR <= day <= last:
            continue
        earlier = bisect_right(days_of.get(patient, []), day) - 1
        consulted = days_of[patient][earlier] if earlier >= 0 else None
        found = consulted if consulted and day - consulted <= YEAR else None
        for group in groups:
            events[*period, "to_stay", *group] += 1
        if found:
            for group in [*groups, *(("speciality", s) for s in visits[patient][found])]:
                steps[*period, "to_stay", *group].append(((day - found).days, patient))
    rows = [
        {
            **dict(zip(KEY, key, strict=True)),
            "events": events.get(key),
            "n": len(of),
            "patients": len({patient for _, patient in of} - {None}),
            "median": _quantile([days for days, _ in of], 0.5),
            "p90": _quantile([days for days, _ in of], 0.9),
        }
        for key, of in steps.items()
    ]
    return pa.Table.from_pylist(rows).sort_by([(n, "ascending") for n in KEY])


def _quantile(values: list[int], share: float) -> float:
    """The quantile, between the two values around it in proportion."""
    ordered = sorted(values)
    at = share * (len(ordered) - 1)
    below = floor(at)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (at - below) * (ordered[above] - ordered[below])
