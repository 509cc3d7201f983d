"""What measurements allow to say, and how it is shown: pictures that fit their page, sentences of the report."""

from typing import Any

import pytest

from chu_platform.committee.document import Picture
from chu_platform.committee.measured.pictures import LogScale, growth_picture, times_picture
from chu_platform.committee.measured.response_times import conclusion
from chu_platform.layouts.analysis import Verdict, comparisons, cpu_ratio, growth_exponent, of_newest_machine
from chu_platform.layouts.declarations import LAYOUTS
from chu_platform.layouts.engines import ENGINES
from chu_platform.layouts.queries import QUERIES
from chu_platform_tests.layouts.test_results import row

pytestmark = pytest.mark.unit


def timed(layout: str, median: float, spread: float = 0.1, **given: object) -> dict[str, Any]:
    """A measurement of a query whose interval is a part of its median wide on both sides."""
    limits = {"low_ms": median * (1 - spread), "high_ms": median * (1 + spread), "max_ms": median * (1 + spread)}
    limits["cpu_ms"] = median
    others = {"engine": "duckdb", "query": "full_scan", "state": "warm", "scale": 0.1, "layout": layout}
    return row(**{**others, "median_ms": median, **limits, **given})


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
    found = {c.layout: c.verdict for c in comparisons(rows)}
    assert found == {
        "flat": Verdict.FASTER,
        "month": Verdict.SLOWER,
        "year": Verdict.ALIKE,
        "region": Verdict.ALIKE,
        "buckets": Verdict.ALIKE,
    }
    said = conclusion(rows)
    assert "DuckDB, plus rapide que la plateforme : « sans partition » (× 0,50)" in said
    assert "plus lent que la plateforme : « par mois » (× 3,00)" in said and "région" not in said


def test_the_cpu_time_is_compared_by_the_mean_of_ratios() -> None:
    rows = [
        timed("platform", 1, cpu_ms=10),
        timed("platform", 1, cpu_ms=40, query="large_join"),
        timed("flat", 1, cpu_ms=5),
        timed("flat", 1, cpu_ms=80, query="large_join"),
        timed("flat", 1, cpu_ms=3, query="one_patient"),
    ]
    assert cpu_ratio(rows, "flat", "warm") == pytest.approx(1)
    assert cpu_ratio(rows, "flat", "cold") is None


def test_nothing_is_concluded_where_nothing_differs() -> None:
    said = conclusion([timed("platform", 10), timed("flat", 10.4)])
    assert "Aucune disposition ne se distingue de celle de la plateforme avec DuckDB." in said
    assert "rien à comparer" in conclusion([timed("platform", 10)])


def test_the_exponent_of_growth_is_the_slope_of_the_logarithms() -> None:
    found = growth_exponent([timed("platform", 3 * s**0.5, scale=s) for s in (0.01, 0.1, 1.0)])
    assert found == pytest.approx(0.5)
    assert growth_exponent([timed("platform", 3)]) is None


def test_machines_are_not_mixed() -> None:
    old = timed("flat", 1, machine="a", measured_at="2026-01-01")
    new = timed("flat", 2, machine="b", measured_at="2026-01-02")
    assert of_newest_machine([new, old]) == [new]
    assert of_newest_machine([]) == []


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
