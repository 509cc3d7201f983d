"""The grammar of charts: a chart is two axes and marks in a frame, and its form is which marks it has.

A mark draws itself where the axes place it, and has at most one entry in the legend. Forms are composed from marks
(`trend`, `dots`, `series`, `control`, `funnel`, `curve`, `sparkline`, `strip`); none draws axes, legends or frames of
its own. Marks of periods and of rows alone are in `period_marks` and `row_marks`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from math import floor
from typing import Final, Protocol

from markupsafe import Markup

from chu_platform import french
from chu_platform.portal.charts.drawing import (
    NARROW,
    SLIDE,
    WIDE,
    Key,
    Scale,
    Size,
    cut,
    drawn_width,
    element,
    framed,
    hatching,
    legend,
    line,
    path,
    scale,
    text_width,
    tick_digits,
    tooltip,
    withheld,
    words,
)

TOP: Final = 30
HEIGHTS: Final = {WIDE.name: 230, NARROW.name: 210, SLIDE.name: 330}
# Of the names of spans: the height of a row, and where the first one is written.
SPAN_ROW: Final = 18
SPAN_TOP: Final = 15
# The height of a row below the horizontal axis.
STRIP: Final = 18
# Of a chart whose vertical axis is rows: the height of one, and where it lies between its upper and lower end. On a
# phone its words stand above it.
ROWS: Final = {WIDE.name: 27, NARROW.name: 44, SLIDE.name: 20}
MIDDLES: Final = {WIDE.name: 0.5, NARROW.name: 0.68, SLIDE.name: 0.5}
ROWS_TOP: Final = 34
MAX_LABEL_WIDTH: Final = 270
# Around the plot of a small chart.
SMALL_MARGIN: Final = 6
RADIUS: Final = 4.5
# A cloud of thousands of points is one path of short strokes, whose round ends are the dots.
CLOUD_DOT: Final = 0.01
Point = tuple[float, float]


@dataclass(frozen=True)
class Axis:
    """From `low` to `high`; `ticks` are the values that have words. `title` says what is measured, with its unit.

    The words of the tick `chosen` stand out, and those near it stand back.
    """

    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    title: str = ""
    chosen: float | None = None


@dataclass(frozen=True)
class AxisRow:
    """A row: its label, its figures in words, and the styles of both."""

    label: str
    figures: str
    style: str
    figures_style: str


@dataclass(frozen=True)
class Rows:
    """A vertical axis of rows with words at both sides: the place of the n-th one is n, from above."""

    rows: Sequence[AxisRow]


def value_axis(values: Sequence[float], from_zero: bool, title: str = "", steps: int = 4, unit: str = "") -> Axis:
    """An axis over values, with round ends; the last tick has the `unit`."""
    found = scale(values, 0.0, 1.0, from_zero, steps)
    digits = tick_digits(found.ticks)
    ticks = [(t, french.number(t, digits)) for t in found.ticks]
    if unit:
        ticks[-1] = (ticks[-1][0], f"{ticks[-1][1]}{french.NO_BREAK}{unit}")
    return Axis(found.low, found.high, ticks, title)


def period_axis(ticks: Sequence[str], chosen: int | None = None) -> Axis:
    """An axis of as many periods as there are `ticks`, one beside the other: the place of the n-th one is n."""
    named = [(float(n), text) for n, text in enumerate(ticks) if text]
    # A chosen period without words of its own needs no room for them.
    stands_out = chosen if chosen is not None and ticks[chosen] else None
    return Axis(-0.5, max(len(ticks), 1) - 0.5, named, chosen=stands_out)


@dataclass(frozen=True)
class Plot:
    """Where marks are drawn: the scales of both axes, in pixels, the size, and the name of its hatching."""

    x: Scale
    y: Scale
    size: Size
    hatch: str

    def at(self, point: Point) -> Point:
        """A point in pixels."""
        return self.x(point[0]), self.y(point[1])


class Mark(Protocol):
    """What a chart is composed of."""

    def drawn(self, plot: Plot, /) -> Iterator[str]:
        """The elements, as SVG."""
        ...

    def key(self, hatch: str, /) -> Key | None:
        """Its entry in the legend, if it has one; `hatch` is the name of the hatching."""
        ...


def _key(sample: Callable[[float, float], str], label: str) -> Key | None:
    """An entry of the legend, if it has words."""
    return Key(sample, label) if label else None


def hatched_key(hatch: str, label: str) -> Key | None:
    """The entry of what is withheld."""
    return _key(lambda x, y: withheld(x, y, 22, 12, hatch, label), label)


def remark_key(sample: str, label: str) -> Key:
    """An entry whose sample is words."""
    return Key(lambda x, y: words(x + 11, y + 10.5, sample, "soft", "middle", 12), label)


@dataclass(frozen=True)
class Line:
    """A line through points; it breaks where a value is None."""

    points: Sequence[tuple[float, float | None]]
    style: str
    label: str = ""

    def drawn(self, plot: Plot) -> Iterator[str]:
        """One path for each unbroken part."""
        for known, run in groupby(self.points, key=lambda p: p[1] is not None):
            part = [plot.at((x, y)) for x, y in run if y is not None]
            if known and len(part) > 1:
                yield element("path", self.style, d=path(part))

    def key(self, _hatch: str, /) -> Key | None:
        """A stroke."""
        return _key(lambda x, y: line(x, y + 6, x + 22, y + 6, self.style), self.label)


@dataclass(frozen=True)
class Rule:
    """A horizontal line over the whole plot."""

    value: float
    style: str
    label: str = ""

    def drawn(self, plot: Plot) -> Iterator[str]:
        """The line."""
        yield line(plot.x.start, plot.y(self.value), plot.x.end, plot.y(self.value), self.style)

    def key(self, _hatch: str, /) -> Key | None:
        """A stroke."""
        return _key(lambda x, y: line(x, y + 6, x + 22, y + 6, self.style), self.label)


@dataclass(frozen=True)
class Upright:
    """A vertical line over the whole plot."""

    value: float
    style: str
    label: str = ""

    def drawn(self, plot: Plot) -> Iterator[str]:
        """The line."""
        yield line(plot.x(self.value), plot.y.start, plot.x(self.value), plot.y.end, self.style)

    def key(self, _hatch: str, /) -> Key | None:
        """A stroke."""
        return _key(lambda x, y: line(x, y + 6, x + 22, y + 6, self.style), self.label)


@dataclass(frozen=True)
class Band:
    """An area between two lines, given as (x, low, high); it breaks at None."""

    limits: Sequence[tuple[float, float, float] | None]
    style: str
    label: str = ""

    def drawn(self, plot: Plot) -> Iterator[str]:
        """One area for each unbroken part; a bar where that has one place only."""
        for _, run in groupby(self.limits, key=lambda one: one is not None):
            part = [one for one in run if one is not None]
            lows = [plot.at((x, low)) for x, low, _ in part]
            highs = [plot.at((x, high)) for x, _, high in part]
            if len(part) == 1:
                yield line(*highs[0], *lows[0], "whisker")
            elif part:
                yield element("path", self.style, d=path([*highs, *reversed(lows)], closed=True))

    def key(self, _hatch: str, /) -> Key | None:
        """A box."""
        return _key(lambda x, y: element("rect", self.style, x=x, y=y, width=22, height=12), self.label)


# Shapes of marks by name: from the centre in pixels, a style and a content to an element. Shapes tell what colours do
# not.
Shape = Callable[[float, float, str, str], str]


def _polygon(*corners: Point) -> Shape:
    def drawn(x: float, y: float, style: str, content: str) -> str:
        around = [(x + dx * RADIUS, y + dy * RADIUS) for dx, dy in corners]
        return element("path", style, content, d=path(around, closed=True))

    return drawn


SHAPES: Final[dict[str, Shape]] = {
    "circle": lambda x, y, style, content: element("circle", style, content, cx=x, cy=y, r=RADIUS),
    # Around a circle, so that one is seen to be chosen.
    "halo": lambda x, y, style, content: element("circle", style, content, cx=x, cy=y, r=RADIUS + 3.5),
    "square": _polygon((-0.95, -0.95), (0.95, -0.95), (0.95, 0.95), (-0.95, 0.95)),
    "triangle": _polygon((0.0, -1.25), (1.2, 0.9), (-1.2, 0.9)),
    "diamond": _polygon((0.0, -1.35), (1.35, 0.0), (0.0, 1.35), (-1.35, 0.0)),
    "wedge": _polygon((0.0, 1.25), (1.2, -0.9), (-1.2, -0.9)),
}


@dataclass(frozen=True)
class Dots:
    """Points with a shape; each says its text when it is pointed at."""

    points: Sequence[tuple[Point, str]]
    style: str
    label: str = ""
    shape: str = "circle"

    def drawn(self, plot: Plot) -> Iterator[str]:
        """A shape for each point."""
        for point, text in self.points:
            yield SHAPES[self.shape](*plot.at(point), self.style, tooltip(text))

    def key(self, _hatch: str, /) -> Key | None:
        """The shape."""
        label = self.label if self.points else ""
        return _key(lambda x, y: SHAPES[self.shape](x + 11, y + 6, self.style, ""), label)


@dataclass(frozen=True)
class Entry:
    """An entry of the legend alone, where marks are drawn in another order than they are named.

    `line` is the style of the stroke below the shape, if it has one.
    """

    line: str
    style: str
    label: str
    shape: str

    def drawn(self, _plot: Plot, /) -> Iterator[str]:
        """Nothing."""
        yield from ()

    def key(self, _hatch: str, /) -> Key | None:
        """The shape on its line."""

        def sample(x: float, y: float) -> str:
            stroke = line(x, y + 6, x + 22, y + 6, self.line) if self.line else ""
            return stroke + SHAPES[self.shape](x + 11, y + 6, self.style, "")

        return Key(sample, self.label)


@dataclass(frozen=True)
class Cloud:
    """Many points without words."""

    points: Sequence[Point]
    style: str
    label: str = ""

    def drawn(self, plot: Plot) -> Iterator[str]:
        """One path for all."""
        if self.points:
            yield element("path", self.style, d=_dashes([plot.at(point) for point in self.points]))

    def key(self, _hatch: str, /) -> Key | None:
        """Three points."""
        label = self.label if self.points else ""
        return _key(lambda x, y: element("path", self.style, d=_dashes([(x + n, y + 6.0) for n in (4, 11, 18)])), label)


def _dashes(points: Sequence[Point]) -> str:
    return "".join(f"M{x:.1f} {y:.1f}h{CLOUD_DOT}" for x, y in points)


@dataclass(frozen=True)
class Shared:
    """A mark that the charts of many pages have in common: it is written once for each size."""

    mark: Mark
    _written: dict[tuple[Scale, Scale], str] = field(default_factory=dict, compare=False, repr=False)

    def drawn(self, plot: Plot) -> Iterator[str]:
        """The elements of the mark."""
        scales = (plot.x, plot.y)
        if scales not in self._written:
            self._written[scales] = "".join(self.mark.drawn(plot))
        yield self._written[scales]

    def key(self, hatch: str, /) -> Key | None:
        """That of the mark."""
        return self.mark.key(hatch)


@dataclass(frozen=True)
class Named:
    """Words beside a point, over everything else."""

    point: Point
    text: str

    def drawn(self, plot: Plot) -> Iterator[str]:
        """The words, within the plot and so beside the words of its axis, above the point."""
        x, y = plot.at(self.point)
        half = text_width(self.text) / 2 + 2
        x = min(max(x, plot.x.start + half + 4), plot.size.width - 8 - half)
        yield words(x, max(y - 12, 13), self.text, "value", "middle")

    def key(self, _hatch: str, /) -> None:
        """None: it speaks for itself."""


@dataclass(frozen=True)
class Whiskers:
    """The interval of each of some points, given as (x, low, high)."""

    limits: Sequence[tuple[float, float, float]]
    style: str
    label: str = ""

    def drawn(self, plot: Plot) -> Iterator[str]:
        """A vertical line for each."""
        for x, low, high in self.limits:
            yield line(*plot.at((x, low)), *plot.at((x, high)), self.style)

    def key(self, _hatch: str, /) -> Key | None:
        """A vertical stroke."""
        label = self.label if self.limits else ""
        return _key(lambda x, y: line(x + 11, y, x + 11, y + 12, self.style), label)


@dataclass(frozen=True)
class Withheld:
    """Spans of the x axis (start, end) whose figures are withheld; `why` has the words of each of them."""

    spans: Sequence[tuple[float, float]]
    why: Sequence[str]
    label: str

    def drawn(self, plot: Plot) -> Iterator[str]:
        """Hatched boxes; those that have room say so."""
        for (start, end), why in zip(self.spans, self.why, strict=True):
            x, height = plot.x(start), plot.y.start - plot.y.end
            yield withheld(x, plot.y.end, plot.x(end) - x, height, plot.hatch, why)
            if plot.x(end) - x > text_width(french.MASKED) + 8:
                yield plate((x + plot.x(end)) / 2, plot.y.start - 16, french.MASKED, "soft")

    def key(self, hatch: str, /) -> Key | None:
        """A hatched box."""
        return hatched_key(hatch, self.label if self.spans else "")


def periods_withheld(places: Sequence[int], why: str, label: str) -> Withheld:
    """The boxes of withheld periods, by their places on a `period_axis`; neighbours are one box."""
    runs: list[tuple[float, float]] = []
    for place in places:
        if runs and place - 0.5 == runs[-1][1]:
            runs[-1] = (runs[-1][0], place + 0.5)
        else:
            runs.append((place - 0.5, place + 0.5))
    return Withheld(runs, [why] * len(runs), label)


def plate(x: float, y: float, text: str, style: str) -> str:
    """Words around a place, on a ground that covers what lies below them."""
    half = text_width(text) / 2 + 6
    ground = element("rect", "row", x=x - half, y=y - 15, width=2 * half, height=22, rx=3)
    return ground + words(x, y, text, style, "middle")


@dataclass(frozen=True)
class Span:
    """A named part of the horizontal axis; `told` is what it says when it is pointed at."""

    start: float
    end: float
    name: str
    told: str


@dataclass(frozen=True)
class Spans:
    """Named parts of the horizontal axis, behind all marks; their names stand in rows above the plot."""

    spans: Sequence[Span]
    label: str = ""

    def rows(self, x: Scale, size: Size) -> Sequence[tuple[float, int]]:
        """Where each name is written, and in which row: the first one that has room for it."""
        found: list[tuple[float, int]] = []
        free: list[float] = []
        for span in self.spans:
            half = text_width(span.name) / 2 + 4
            at = min(max(x((span.start + span.end) / 2), half + 4), size.width - 4 - half)
            row = next((i for i, end in enumerate(free) if at - half >= end), len(free))
            free[row : row + 1] = [at + half]
            found.append((at, row))
        return found

    def drawn(self, plot: Plot) -> Iterator[str]:
        """A bar for each, up to its name."""
        for span, (at, row) in zip(self.spans, self.rows(plot.x, plot.size), strict=True):
            x, y = plot.x(span.start), SPAN_TOP + SPAN_ROW * row
            width, height = max(plot.x(span.end) - x, 3), plot.y.start - y - 4
            yield element("rect", "span", tooltip(span.told), x=x, y=y + 4, width=width, height=height)
            yield words(at, y, span.name, "strong", "middle")

    def key(self, _hatch: str, /) -> Key | None:
        """A box."""
        return _key(lambda x, y: element("rect", "span", x=x, y=y, width=22, height=12), self.label)


@dataclass(frozen=True)
class Strips:
    """Places of a `period_axis` that are withheld of one of several series: a row below the axis for each series.

    Given as the entry of the series, and its places with the words of each.
    """

    rows: Sequence[tuple[Entry, Sequence[tuple[int, str]]]]
    label: str = ""

    def drawn(self, plot: Plot, top: float) -> Iterator[str]:
        """The shape of each series, and a hatched box for each place."""
        half = (plot.x(1.0) - plot.x(0.0)) / 2
        for number, (entry, places) in enumerate(self.rows):
            y = top + STRIP * number
            yield SHAPES[entry.shape](plot.x.start - 11, y + 6, entry.style, "")
            for place, why in places:
                yield withheld(plot.x(place) - half, y, 2 * half, 12, plot.hatch, why)

    def key(self, hatch: str, /) -> Key | None:
        """A hatched box."""
        return hatched_key(hatch, self.label if self.rows else "")


@dataclass(frozen=True)
class Chart:
    """A chart; `description` is what a screen reader reads of it. `spans` are behind the marks, `strips` below them."""

    title: str
    description: str
    x: Axis
    y: Axis | Rows
    marks: Sequence[Mark]
    spans: Spans = Spans(())
    strips: Strips = Strips(())


def both(chart: Chart, name: str) -> Markup:
    """The chart for wide and for narrow pages; `name` is unique in its page."""
    return draw(chart, name, WIDE) + draw(chart, name, NARROW)


def draw(chart: Chart, name: str, size: Size) -> Markup:
    """The chart for one width."""
    hatch = hatch_of(name, size)
    if isinstance(chart.y, Rows):
        plot = _plot_of_rows(chart.x, chart.y, size, hatch)
        axes, under = [*_rows(chart.y, plot), *_x_axis_above(chart.x, plot)], plot.y.end + 12
    else:
        plot = _plot(chart, chart.y, size, hatch)
        axes, under = [*_y_axis(chart.y, plot), *_x_axis(chart.x, plot)], plot.y.start + (50 if chart.x.title else 34)
    drawn = [*axes, *(part for mark in (chart.spans, *chart.marks) for part in mark.drawn(plot))]
    drawn += chart.strips.drawn(plot, under - 4)
    under += STRIP * len(chart.strips.rows)
    found = [*(mark.key(hatch) for mark in (*chart.marks, chart.spans)), chart.strips.key(hatch)]
    keys = [key for key in found if key]
    return whole(size, name, chart.title, chart.description, drawn, keys, under)


def whole(
    size: Size,
    name: str,
    title: str,
    description: str,
    drawn: Sequence[str],
    keys: Sequence[Key],
    under: float,
    linked: bool = False,
) -> Markup:
    """A chart in its frame: what is drawn, and from `under` on the legend. Its hatching is `hatch_of` its name."""
    named, height = legend(keys, size, 4, under)
    parts = "".join([element("defs", content=hatching(hatch_of(name, size))), *drawn, named])
    return framed(size, name, under + 4 + height, title, description, parts, linked)


def hatch_of(name: str, size: Size) -> str:
    """The name of the hatching of a chart."""
    return f"{name}-{size.name}-hatch"


def small(chart: Chart, name: str, size: Size, height: float) -> Markup:
    """The chart in the size of a word: without words, legend and what would need them."""
    assert isinstance(chart.y, Axis)
    x = Scale(chart.x.low, chart.x.high, SMALL_MARGIN, size.width - SMALL_MARGIN, ())
    plot = Plot(x, Scale(chart.y.low, chart.y.high, height - SMALL_MARGIN, SMALL_MARGIN, ()), size, "")
    drawn = "".join(part for mark in chart.marks for part in mark.drawn(plot))
    return framed(size, name, height, chart.title, chart.description, drawn)


def _plot(chart: Chart, y: Axis, size: Size, hatch: str) -> Plot:
    """Between the words of the axes, below the names of spans."""
    left = 14 + max((text_width(text) for _, text in y.ticks), default=0.0)
    x = Scale(chart.x.low, chart.x.high, left, size.width - 12.0, ())
    top = TOP + SPAN_ROW * max((row + 1 for _, row in chart.spans.rows(x, size)), default=0)
    return Plot(x, Scale(y.low, y.high, top + HEIGHTS[size.name], top, ()), size, hatch)


def _plot_of_rows(x: Axis, y: Rows, size: Size, hatch: str) -> Plot:
    """Between the labels and the figures of the rows; below them on a phone."""
    left, right = 14.0, 14.0
    if not size.is_narrow:
        left = 20 + min(max((text_width(row.label) for row in y.rows), default=0.0), MAX_LABEL_WIDTH)
        right = 20 + max((text_width(row.figures) for row in y.rows), default=0.0)
    first, many = -MIDDLES[size.name], max(len(y.rows), 1)
    rows = Scale(first, first + many, ROWS_TOP, ROWS_TOP + ROWS[size.name] * many, ())
    return Plot(Scale(x.low, x.high, left, size.width - right, ()), rows, size, hatch)


def _rows(axis: Rows, plot: Plot) -> Iterator[str]:
    """The words of the rows; every other row has a ground. A label is cut where figures begin."""
    width, height = plot.size.width, ROWS[plot.size.name]
    for number, row in enumerate(axis.rows):
        top = ROWS_TOP + number * height
        if number % 2 == 0:
            yield element("rect", "row", x=0, y=top, width=width, height=height, rx=3)
        baseline = top + 17 if plot.size.is_narrow else plot.y(number) + 4.5
        room = width - 24 - drawn_width(row.figures) if plot.size.is_narrow else plot.x.start - 16
        yield words(8, baseline, cut(row.label, room), row.style)
        yield words(width - 8, baseline, row.figures, row.figures_style, "end")


def _x_axis_above(axis: Axis, plot: Plot) -> Iterator[str]:
    if axis.title:
        yield words(8, ROWS_TOP - 12, axis.title, "strong")
    for value, text in axis.ticks:
        yield line(plot.x(value), ROWS_TOP - 6, plot.x(value), plot.y.end, "grid")
        yield words(plot.x(value), ROWS_TOP - 12, text, "soft", "middle")


def _y_axis(axis: Axis, plot: Plot) -> Iterator[str]:
    if axis.title:
        yield words(4, 14, axis.title, "soft", size=12.5)
    yield line(plot.x.start, plot.y.start, plot.x.end, plot.y.start, "axis")
    for value, text in axis.ticks:
        at = plot.y(value)
        if value != axis.low:
            yield line(plot.x.start, at, plot.x.end, at, "grid")
        yield words(plot.x.start - 8, at + 4.5, text, "soft", "end")


def _x_axis(axis: Axis, plot: Plot) -> Iterator[str]:
    """The ticks that have room; those near the chosen one stand back for it."""
    bottom = plot.y.start
    room = max((text_width(text) for _, text in axis.ticks), default=0.0) + 10
    free = float("-inf")
    for value, text in axis.ticks:
        x = plot.x(value)
        is_chosen = value == axis.chosen
        if not is_chosen and (x < free or (axis.chosen is not None and abs(x - plot.x(axis.chosen)) < room)):
            continue
        free = x + room
        half = text_width(text) / 2
        style = "strong" if is_chosen else "soft"
        yield line(x, bottom, x, bottom + 5, "axis")
        yield words(floor(min(max(x, half), plot.size.width - 4 - half)), bottom + 19, text, style, "middle")
    if axis.title:
        yield words((plot.x.start + plot.x.end) / 2, bottom + 37, axis.title, "soft", "middle", 12.5)
