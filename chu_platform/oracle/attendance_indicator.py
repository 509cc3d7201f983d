"""Indicator 14: attendance, consultation by consultation: the places of its professional, its weekday and its slot."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, time
from fractions import Fraction

import duckdb
import pyarrow as pa

# Place (level and code), weekday and slot.
Moment = tuple[str, str, str, str]
Period = tuple[str, date, date, bool]
KEY = ("level", "code", "weekday", "slot")


def compute(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """The table of the indicator, from the tables that `care_indicators` has prepared."""
    homes: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    for who, *place in connection.execute(
        "SELECT a.professional, o.id, o.department, o.region "
        "FROM attachment a JOIN organisation o ON o.id = a.organisation"
    ).fetchall():
        homes[who].append((place[0], place[1], place[2]))
    whole: dict[Period, Counter[Moment]] = defaultdict(Counter)
    shares: dict[Period, dict[Moment, Fraction]] = defaultdict(lambda: defaultdict(Fraction))
    found = connection.execute(
        """
        SELECT p.period_grain, p.period_start, p.period_end, p.is_partial, professional, date, begins, ends
        FROM consultation_in c JOIN consultation_period p USING (period_grain, period_start)
        """
    )
    while batch := found.fetchmany(100_000):
        for grain, start, end, is_partial, who, day, begins, ends in batch:
            of = (grain, start, end, is_partial)
            weekday, slot = str(day.isoweekday()), _slot(begins, ends)
            for (level, code), share in _places(homes.get(who, [])):
                whole[of][level, code, weekday, slot] += 1
                shares[of][level, code, weekday, slot] += share
    rows = [
        dict(zip(("period_grain", "period_start", "period_end", "is_partial"), of, strict=True))
        | dict(zip(KEY, moment, strict=True))
        | {"consultations": number, "events": round(float(shares[of][moment]), 9)}
        for of, moments in whole.items()
        for moment, number in moments.items()
    ]
    order = [(name, "ascending") for name in ("period_grain", "period_start", *KEY)]
    return pa.Table.from_pylist(rows).sort_by(order)


def _places(homes: list[tuple[str, str, str]]) -> Iterator[tuple[tuple[str, str], Fraction]]:
    """The places of a consultation, each once, with its share: one part for each organisation of its professional."""
    yield ("total", "total"), Fraction(1)
    if not homes:
        yield ("unattached", "unattached"), Fraction(1)
    for column, level in enumerate(("establishment", "department", "region")):
        for code, number in Counter(home[column] for home in homes).items():
            yield (level, code), Fraction(number, len(homes))


def _slot(begins: time | None, ends: time | None) -> str:
    if begins is None:
        return "inconnu"
    if (ends is not None and ends < begins) or begins.hour >= 20 or begins.hour < 6:
        return "20-06"
    return "06-13" if begins.hour < 13 else "13-20"
