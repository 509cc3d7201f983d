"""What measurements allow to say, and how it is shown: pictures that fit their page, sentences of the report."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pyarrow as pa
import pytest

from chu_platform.committee.document import Picture
from chu_platform.committee.measured.pictures import LogScale, growth_picture, times_picture
from chu_platform.committee.measured.response_times import conclusion
from chu_platform.layouts.analysis import Verdict, comparisons
from chu_platform.layouts.declarations import LAYOUTS
from chu_platform.layouts.engines import ENGINES
from chu_platform.layouts.queries import QUERIES
from chu_platform.layouts.results import COLUMNS, MEASUREMENTS
from chu_platform.reports.response_time import response_time
from chu_platform.tables.columns import BOOLEAN, DOUBLE, LONG, STRING
from chu_platform.tables.rows import Query
from chu_platform_tests.layouts.test_results import row
from chu_platform_tests.small_duckdb import connect

pytestmark = pytest.mark.unit

TYPES: Final = {DOUBLE: pa.float64(), LONG: pa.int64(), BOOLEAN: pa.bool_(), STRING: pa.string()}


def timed(layout: str, median: float, spread: float = 0.1, **given: object) -> dict[str, Any]:
    """A measurement of a query whose interval is a part of its median wide on both sides."""
    limits = {"low_ms": median * (1 - spread), "high_ms": median * (1 + spread), "max_ms": median * (1 + spread)}
    limits["cpu_ms"] = median
    others = {"engine": "duckdb", "query": "full_scan", "state": "warm", "scale": 0.1, "layout": layout}
    return row(**{**others, "median_ms": median, **limits, **given})


def compared(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows with the columns that `reports/response_time` adds."""
    assert isinstance(response_time.rows, Query)
    measured = pa.Table.from_pylist(rows, pa.schema([(c.name, TYPES[c.type]) for c in COLUMNS]))
    with connect() as connection:
        connection.register("measured", measured)
        answer = connection.execute(response_time.rows.sql.format(measured="measured"))
        names = [column[0] for column in answer.description or ()]
        found = [dict(zip(names, values, strict=True)) for values in answer.fetchall()]
    assert len(found) == len(rows)
    by_key = {tuple(r[name] for name in MEASUREMENTS.key): r for r in found}
    return [{**row, **by_key[tuple(row[name] for name in MEASUREMENTS.key)]} for row in rows]


def test_layouts_differ_only_if_their_intervals_are_apart_and_by_a_fifth() -> None:
    rows = [
        timed("platform", 10),
        timed("flat", 5),
        timed("month", 30),
        # Apart, but by less than a fifth.
        timed("year", 8.7, 0.01),
        # Twice as slow, with an interval that reaches that of the platform.
        timed("region", 20, 0.5),
        timed("z_order", 5, low_ms=None),
        # Another process may have slowed the platform: the CPU time was the same.
        timed("buckets", 5, cpu_ms=10),
    ]
    rows[0] |= {"low_ms": 9.5, "high_ms": 10.5}
    found = compared(rows)
    assert {c.layout: c.verdict for c in comparisons(found)} == {
        "flat": Verdict.FASTER,
        "month": Verdict.SLOWER,
        "year": Verdict.ALIKE,
        "region": Verdict.ALIKE,
        "buckets": Verdict.ALIKE,
    }
    said = conclusion(found)
    assert "DuckDB, plus rapide que la plateforme : « sans partition » (× 0,50)" in said
    assert "plus lent que la plateforme : « par mois » (× 3,00)" in said and "région" not in said


def test_times_of_another_machine_scale_engine_or_state_are_not_compared() -> None:
    others: list[dict[str, Any]] = [
        {"machine": "b"},
        {"scale": 1.0},
        {"engine": "sail"},
        {"state": "cold"},
        {"query": "one_patient"},
    ]
    rows = compared([timed("platform", 10), *(timed("flat", 1, **other) for other in others)])
    assert [row["verdict"] for row in rows] == [None] * len(rows)


def test_the_cpu_time_is_compared_where_both_are_counted() -> None:
    rows = [timed("platform", 1, cpu_ms=10), timed("flat", 1, cpu_ms=5), timed("month", 1, cpu_ms=None)]
    assert [row["cpu_ratio"] for row in compared(rows)] == [None, 0.5, None]


def test_nothing_is_concluded_where_nothing_differs() -> None:
    said = conclusion(compared([timed("platform", 10), timed("flat", 10.4)]))
    assert "Aucune disposition ne se distingue de celle de la plateforme avec DuckDB." in said
    assert "rien à comparer" in conclusion(compared([timed("platform", 10)]))


@pytest.mark.parametrize(
    ("values", "ticks"),
    [([0.5, 2000], [1, 10, 100, 1000]), ([30, 30], [30]), ([5, 15], [5, 10])],
)
def test_an_axis_has_round_ticks_within(values: list[float], ticks: list[float]) -> None:
    scale = LogScale(values, 0, 100)
    inside = [t for t in scale.ticks if -1e-6 <= scale(t) <= 100 + 1e-6]
    assert inside == scale.ticks and scale.ticks
    assert scale(values[0]) <= scale(values[-1])


def test_pictures_of_everything_fit_their_page() -> None:
    rows = [
        timed(layout.name, 10 + 100 * n, engine=engine, state=state)
        for layout in LAYOUTS
        for n, engine in enumerate(ENGINES)
        for state in ("cold", "warm")
    ]
    assert Picture(times_picture(rows), "all", "command").size[0] <= 642
    grown = [
        timed("platform", 1 + 1000 * scale, engine=engine, query=query.name, scale=scale)
        for scale in (0.01, 0.1, 1.0)
        for engine in ENGINES
        for query in QUERIES
    ]
    assert Picture(growth_picture(grown, str.upper), "growth", "command").size[1] <= 860
