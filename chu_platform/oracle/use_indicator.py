"""Indicator 12: use over time, patient by patient: who is new, who consults most often, which hours."""

from collections import Counter, defaultdict
from datetime import date

import duckdb
import pyarrow as pa

SHARES = (1, 5, 10, 25, 50)
Key = tuple[str, date, date, bool]


def compute(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """The table of the indicator, from the tables that `care_indicators` has prepared."""
    first = dict(
        connection.execute(
            "SELECT c.patient, min(c.date) FROM consultation c JOIN patient p ON p.id = c.patient GROUP BY c.patient"
        ).fetchall()
    )
    found = connection.execute(
        """
        SELECT p.period_grain, p.period_start, p.period_end, p.is_partial, if(is_known, patient, NULL), hour(c.begins),
            c.begins > c.ends
        FROM consultation_in c JOIN consultation_period p USING (period_grain, period_start)
        """
    )
    every: Counter[Key] = Counter()
    visits: dict[Key, Counter[int]] = defaultdict(Counter)
    late: dict[Key, dict[str, list[int | None]]] = defaultdict(lambda: {"evening": [], "night": []})
    while batch := found.fetchmany(100_000):
        for *key, patient, hour, overnight in batch:
            of = (key[0], key[1], key[2], key[3])
            every[of] += 1
            if patient is not None:
                visits[of][patient] += 1
            if overnight:
                late[of]["night"].append(patient)
            if overnight or (hour is not None and (hour >= 20 or hour < 6)):
                late[of]["evening"].append(patient)
    rows = []
    for of, events in every.items():
        grain, start, _, _ = of
        numbers = sorted(visits[of].values(), reverse=True)
        # The period `all` begins with the data: everybody is new in it.
        new = sum(grain == "all" or first[patient] >= start for patient in visits[of])
        row = dict(zip(("period_grain", "period_start", "period_end", "is_partial"), of, strict=True)) | {
            "events": events,
            "patients": len(numbers),
            "new_patients": new,
            "returning_patients": len(numbers) - new,
        }
        for slot, patients in late[of].items():
            row[f"{slot}_events"] = len(patients)
            row[f"{slot}_patients"] = len({*patients} - {None})
            row[f"{slot}_share"] = len(patients) / events
        for share in SHARES:
            group = numbers[: -(-len(numbers) * share // 100)]
            row |= {
                f"top_{share}_patients": len(group),
                f"top_{share}_events": sum(group),
                f"top_{share}_share": sum(group) / events,
            }
        rows.append(row)
    return pa.Table.from_pylist(rows).sort_by([(n, "ascending") for n in ("period_grain", "period_start")])
