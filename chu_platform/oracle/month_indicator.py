"""Indicator 10: deaths by month, region and sex beside those expected, computed month by month in Python."""

from calendar import monthrange
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from statistics import median

import duckdb
import pyarrow as pa


def compute(
    connection: duckdb.DuckDBPyConnection, people: Mapping[tuple[int, str, str], Sequence[float]], comparable: set[int]
) -> pa.Table:
    """The indicator from `dated_death` (`death_indicator`), `department` and the population (`middle_of_years`)."""
    regions: Mapping[str, str] = dict(connection.sql("SELECT code, region FROM department").fetchall())
    lived: dict[tuple[str, str, int], float] = defaultdict(float)
    for (year, department, sex), counts in people.items():
        for code in ("all", regions[department]):
            for of in ("all", sex):
                lived[code, of, year] += sum(counts)
    died: Counter[tuple[str, str, int, int]] = Counter()
    counted = connection.sql("SELECT year, month, region_code, department, sex, count(*) FROM dated_death GROUP BY ALL")
    for year, month, region, department, sex, deaths in counted.fetchall():
        there = (region, "all", year) in lived if department is None else (year, department, "F") in people
        if month and there:
            for code in ("all", region):
                for of in ("all", sex) if sex else ("all",):
                    died[code, of, year, month] += deaths
    last_year, last = connection.sql(
        "SELECT max(year), max(100 * year + month) FILTER (month IS NOT NULL) FROM dated_death"
    ).fetchall()[0]
    rows = [
        _row(died, lived, comparable, (code, sex, year, month), year == last_year)
        for (code, sex, year) in lived
        for month in range(1, 13)
        if 100 * year + month <= last
    ]
    return pa.Table.from_pylist(rows).sort_by([("period_start", "ascending"), ("region_code", "ascending")])


def _row(
    died: Mapping[tuple[str, str, int, int], int],
    lived: Mapping[tuple[str, str, int], float],
    comparable: set[int],
    cell: tuple[str, str, int, int],
    is_partial: bool,
) -> dict[str, object]:
    code, sex, year, month = cell
    time = lived[code, sex, year] * monthrange(year, month)[1]
    before = [y for y in range(year - 1, year - 8, -1) if y in comparable and lived.get((code, sex, y))][:5]
    expected = None
    if year in comparable and len(before) == 5 and time:
        rates = (died[code, sex, y, month] / (lived[code, sex, y] * monthrange(y, month)[1]) for y in before)
        expected = median(rates) * time
    deaths = died[code, sex, year, month]
    return {
        "period_grain": "month",
        "period_start": date(year, month, 1),
        "region_code": code,
        "sex": sex,
        "is_partial": is_partial,
        "is_comparable": year in comparable,
        "deaths": deaths,
        "population": lived[code, sex, year],
        "expected": expected,
        "excess": None if expected is None else deaths - expected,
        "p_score": 100 * (deaths - expected) / expected if expected else None,
    }
