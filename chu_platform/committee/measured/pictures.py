"""Pictures of measured times: one query on all layouts and engines, and the growth of all queries."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from chu_platform import french
from chu_platform.building_blocks.measurement_file import Row
from chu_platform.committee.document import FONT, PAGE_WIDTH
from chu_platform.layouts.declarations import LAYOUTS
from chu_platform.layouts.engines import ENGINES
from chu_platform.layouts.queries import QUERIES
from chu_platform.layouts.results import COLD, WARM
from chu_platform.portal.charts.drawing import element, line, path, tooltip, words

SMALL: Final = 10.5
NAMES: Final = {"sail": "Sail", "spark": "Spark", "duckdb": "DuckDB", "polars": "Polars", "delta-rs": "delta-rs"}
# Names of layouts, short enough to stand before a row.
ROW_LABELS: Final = {
    "platform": "plateforme",
    "flat": "sans partition",
    "year": "par année",
    "month": "par mois",
    "region": "par région",
    "z_order": "ordre Z",
    "clustered": "regroupement (liquid)",
    "buckets": "compartiments (Delta)",
    "spark_buckets": "compartiments (Spark)",
}
LABELS: Final = 148
TOP: Final = 40
ROW: Final = 19
GAP: Final = 12
COLOURS: Final = dict(zip(ENGINES, ("own", "second", "third", "fourth", "region"), strict=True))


class LogScale:
    """Positive values to pixels, by their logarithms; the ticks are powers of ten within, or the two ends."""

    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        self._low, self._high = math.log10(min(values)), math.log10(max(values))
        if self._high - self._low < 0.2:
            self._low, self._high = self._low - 0.1, self._high + 0.1
        self._start, self._end = start, end
        powers = range(math.ceil(self._low - 1e-9), math.floor(self._high + 1e-9) + 1)
        self.ticks = [10.0**n for n in powers]
        if len(self.ticks) < 2:
            # Less than two powers: round values near both ends.
            self.ticks = sorted({_rounded_up(10**self._low), _rounded_down(10**self._high)})

    def __call__(self, value: float) -> float:
        """Pixel of a value."""
        return self._start + (math.log10(value) - self._low) / (self._high - self._low) * (self._end - self._start)


def _rounded_up(value: float) -> float:
    step = 10.0 ** math.floor(math.log10(value))
    return math.ceil(value / step - 1e-9) * step


def _rounded_down(value: float) -> float:
    step = 10.0 ** math.floor(math.log10(value))
    return math.floor(value / step + 1e-9) * step


def times_picture(rows: Sequence[Row]) -> str:
    """The times of one query at one scale: a panel for each engine, a row for each layout, cold and warm.

    A mark is a median, a line through it the interval of 95 %.
    """
    layouts = [layout.name for layout in LAYOUTS if any(r["layout"] == layout.name for r in rows)]
    engines = [name for name in ENGINES if any(r["engine"] == name for r in rows)]
    values = [v for r in rows for v in (r["low_ms"], r["median_ms"], r["high_ms"]) if v]
    width = (PAGE_WIDTH - LABELS - GAP * len(engines)) / len(engines)
    bottom = TOP + ROW * len(layouts)
    drawn = [words(0, TOP + ROW * n + 13, ROW_LABELS[name], "ink", size=SMALL) for n, name in enumerate(layouts)]
    for number, engine in enumerate(engines):
        left = LABELS + number * (width + GAP)
        scale = LogScale(values, left + 4, left + width - 4)
        drawn.append(words(left + width / 2, TOP - 8, NAMES[engine], "strong", "middle", 11.5))
        drawn += _grid(scale, TOP, bottom, left, left + width)
        for row in (r for r in rows if r["engine"] == engine):
            middle = TOP + ROW * layouts.index(row["layout"]) + ROW / 2
            drawn += _interval(row, scale, middle + (3.5 if row["state"] == COLD else -3.5))
    drawn += _key(bottom + 34)
    return _svg(PAGE_WIDTH, bottom + 46, drawn)


def _grid(scale: LogScale, top: float, bottom: float, left: float, right: float) -> Iterator[str]:
    yield line(left, bottom, right, bottom, "axis")
    for tick in scale.ticks:
        yield line(scale(tick), top, scale(tick), bottom, "grid")
        yield words(scale(tick), bottom + 13, _milliseconds(tick), "soft", "middle", 10)


def _interval(row: Row, scale: LogScale, y: float) -> Iterator[str]:
    said = f"{ROW_LABELS[row['layout']]}, {NAMES[row['engine']]} : {french.measured(row['median_ms'])} ms"
    if row["low_ms"]:
        yield line(scale(row["low_ms"]), y, scale(row["high_ms"]), y, "whisker" if row["state"] == WARM else "axis")
    style = "dot" if row["state"] == WARM else "dot-partial"
    yield element("circle", style, tooltip(said), cx=scale(row["median_ms"]), cy=y, r=3.2)


def _key(y: float) -> Iterator[str]:
    for x, style, text in (
        (LABELS + 4, "dot", "à chaud"),
        (LABELS + 74, "dot-partial", "à froid"),
    ):
        yield element("circle", style, cx=x, cy=y - 4, r=3.2)
        yield words(x + 8, y, text, "soft", size=SMALL)
    yield words(LABELS + 144, y, "millisecondes, échelle logarithmique ; trait : intervalle à 95 %", "soft", size=SMALL)


def growth_picture(rows: Sequence[Row], said: Callable[[str], str]) -> str:
    """The median warm times of each query over the scale, a line for each engine; both axes are logarithmic.

    `said` gives what is written below the title of a query.
    """
    queries = [q for q in QUERIES if any(r["query"] == q.name for r in rows)]
    engines = [name for name in ENGINES if any(r["engine"] == name for r in rows)]
    columns, height = 3, 146
    width = (PAGE_WIDTH - GAP * (columns - 1)) / columns
    drawn = []
    for number, engine in enumerate(engines):
        x = 4 + number * 92
        drawn.append(line(x, 12, x + 22, 12, f"series-{COLOURS[engine]}"))
        drawn.append(words(x + 28, 16, NAMES[engine], "soft", size=SMALL))
    for number, query in enumerate(queries):
        left, top = (number % columns) * (width + GAP), 30 + number // columns * height
        of_query = [r for r in rows if r["query"] == query.name]
        drawn += _growth(
            of_query, engines, (left, top, width, height), f"{QUERIES.index(query) + 1}. {said(query.name)}"
        )
    lines = math.ceil(len(queries) / columns)
    return _svg(PAGE_WIDTH, 30 + lines * height, drawn)


def _growth(
    rows: Sequence[Row], engines: Sequence[str], box: tuple[float, float, float, float], title: str
) -> Iterator[str]:
    left, top, width, height = box
    plot_left, plot_top, bottom = left + 44, top + 22, top + height - 28
    x = LogScale([r["scale"] for r in rows], plot_left + 6, left + width - 14)
    y = LogScale([v for r in rows for v in (r["low_ms"], r["median_ms"], r["high_ms"]) if v], bottom - 4, plot_top + 4)
    yield words(left, top + 12, title, "strong", size=SMALL)
    yield line(plot_left, bottom, left + width, bottom, "axis")
    for tick in y.ticks:
        yield line(plot_left, y(tick), left + width, y(tick), "grid")
        yield words(plot_left - 4, y(tick) + 3.5, _milliseconds(tick), "soft", "end", 10)
    for tick in sorted({r["scale"] for r in rows}):
        yield words(x(tick), bottom + 13, french.measured(tick), "soft", "middle", 10)
    for engine in engines:
        found = sorted((r for r in rows if r["engine"] == engine), key=lambda r: float(r["scale"]))
        colour = COLOURS[engine]
        yield element("path", f"series-{colour}", d=path([(x(r["scale"]), y(r["median_ms"])) for r in found]))
        for row in found:
            if row["low_ms"]:
                yield line(x(row["scale"]), y(row["low_ms"]), x(row["scale"]), y(row["high_ms"]), f"series-{colour}")
            yield element("circle", f"mark-{colour}", cx=x(row["scale"]), cy=y(row["median_ms"]), r=2.4)


def _milliseconds(value: float) -> str:
    return french.measured(value) if value < 1000 else f"{french.measured(value / 1000)} s"


def _svg(width: float, height: float, drawn: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" font-family="{FONT}" role="img">'
        f"{''.join(drawn)}</svg>"
    )
