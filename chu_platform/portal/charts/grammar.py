"""The grammar of charts: a chart is two axes and marks in a frame, and its form is which marks it has.

A mark draws itself where the axes place it, and has at most one entry in the legend. New forms are composed from marks
(`series`, `control`, `funnel`, `curve`); none draws axes, legends or frames of its own.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
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
RADIUS: Final = 4.5
# A cloud of thousands of points is one path of short strokes, whose round ends are the dots.
CLOUD_DOT: Final = 0.01
MOST_CLOUDS: Final = 50
Point = tuple[float, float]


@dataclass(frozen=True)
class Axis:
    """From `low` to `high`; `ticks` are the values that have words. `title` says what is measured, with its unit."""

    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    title: str = ""


def value_axis(values: Sequence[float], from_zero: bool, title: str = "", steps: int = 4) -> Axis:
    """An axis over values, with round ends."""
    found = scale(values, 0.0, 1.0, from_zero, steps)
    digits = tick_digits(found.ticks)
    return Axis(found.low, found.high, [(t, french.number(t, digits)) for t in found.ticks], title)


def period_axis(ticks: Sequence[str]) -> Axis:
    """An axis of as many periods as there are `ticks`, one beside the other: the place of the n-th one is n."""
    return Axis(-0.5, max(len(ticks), 1) - 0.5, [(float(n), text) for n, text in enumerate(ticks) if text])


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
        return Key(lambda x, y: line(x, y + 6, x + 22, y + 6, self.style), self.label) if self.label else None


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
        return Key(lambda x, y: line(x, y + 6, x + 22, y + 6, self.style), self.label) if self.label else None


@dataclass(frozen=True)
class Band:
    """An area between two lines, given as (x, low, high)."""

    limits: Sequence[tuple[float, float, float]]
    style: str
    label: str = ""

    def drawn(self, plot: Plot) -> Iterator[str]:
        """The area; a bar where it has one place only."""
        lows = [plot.at((x, low)) for x, low, _ in self.limits]
        highs = [plot.at((x, high)) for x, _, high in self.limits]
        if len(lows) == 1:
            yield line(*highs[0], *lows[0], "whisker")
        elif lows:
            yield element("path", self.style, d=path([*highs, *reversed(lows)], closed=True))

    def key(self, _hatch: str, /) -> Key | None:
        """A box."""

        def sample(x: float, y: float) -> str:
            return element("rect", self.style, x=x, y=y, width=22, height=12)

        return Key(sample, self.label) if self.label else None


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

        def sample(x: float, y: float) -> str:
            return SHAPES[self.shape](x + 11, y + 6, self.style, "")

        return Key(sample, self.label) if self.label and self.points else None


@dataclass(frozen=True)
class Entry:
    """An entry of the legend alone, where marks are drawn in another order than they are named."""

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
            return line(x, y + 6, x + 22, y + 6, self.line) + SHAPES[self.shape](x + 11, y + 6, self.style, "")

        return Key(sample, self.label)


@dataclass(frozen=True)
class Cloud:
    """Many points without words, which pages have in common: they are written once for each size."""

    points: tuple[Point, ...]
    style: str
    label: str = ""

    def drawn(self, plot: Plot) -> Iterator[str]:
        """One path for all."""
        if self.points:
            yield _cloud(self.points, self.style, plot.x, plot.y)

    def key(self, _hatch: str, /) -> Key | None:
        """Three points."""

        def sample(x: float, y: float) -> str:
            return element("path", self.style, d=_dashes([(x + n, y + 6.0) for n in (4, 11, 18)]))

        return Key(sample, self.label) if self.label and self.points else None


@lru_cache(maxsize=MOST_CLOUDS)
def _cloud(points: tuple[Point, ...], style: str, x: Scale, y: Scale) -> str:
    return element("path", style, d=_dashes([(x(px), y(py)) for px, py in points]))


def _dashes(points: Sequence[Point]) -> str:
    return "".join(f"M{x:.1f} {y:.1f}h{CLOUD_DOT}" for x, y in points)


@dataclass(frozen=True)
class Named:
    """Words beside a point, over everything else."""

    point: Point
    text: str

    def drawn(self, plot: Plot) -> Iterator[str]:
        """The words, within the chart, above the point."""
        x, y = plot.at(self.point)
        half = text_width(self.text) / 2 + 2
        yield words(min(max(x, half + 4), plot.size.width - 8 - half), max(y - 12, 13), self.text, "value", "middle")

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
        there = self.label and self.limits
        return Key(lambda x, y: line(x + 11, y, x + 11, y + 12, self.style), self.label) if there else None


@dataclass(frozen=True)
class Withheld:
    """Spans of the x axis (start, end) whose figures are withheld; `why` has the words of each of them."""

    spans: Sequence[tuple[float, float]]
    why: Sequence[str]
    label: str

    def drawn(self, plot: Plot) -> Iterator[str]:
        """Hatched boxes."""
        for (start, end), why in zip(self.spans, self.why, strict=True):
            x, height = plot.x(start), plot.y.start - plot.y.end
            yield withheld(x, plot.y.end, plot.x(end) - x, height, plot.hatch, why)

    def key(self, hatch: str, /) -> Key | None:
        """A hatched box."""
        return Key(lambda x, y: withheld(x, y, 22, 12, hatch, self.label), self.label) if self.spans else None


def periods_withheld(places: Sequence[int], why: str, label: str) -> Withheld:
    """The boxes of withheld periods, by their places on a `period_axis`; neighbours are one box."""
    runs: list[tuple[float, float]] = []
    for place in places:
        if runs and place - 0.5 == runs[-1][1]:
            runs[-1] = (runs[-1][0], place + 0.5)
        else:
            runs.append((place - 0.5, place + 0.5))
    return Withheld(runs, [why] * len(runs), label)


@dataclass(frozen=True)
class Chart:
    """A chart; `description` is what a screen reader reads of it."""

    title: str
    description: str
    x: Axis
    y: Axis
    marks: Sequence[Mark]


def both(chart: Chart, name: str) -> Markup:
    """The chart for wide and for narrow pages; `name` is unique in its page."""
    return draw(chart, name, WIDE) + draw(chart, name, NARROW)


def draw(chart: Chart, name: str, size: Size) -> Markup:
    """The chart for one width."""
    hatch = f"{name}-{size.name}-hatch"
    left = 14 + max((text_width(text) for _, text in chart.y.ticks), default=0.0)
    bottom = TOP + HEIGHTS[size.name]
    plot = Plot(
        Scale(chart.x.low, chart.x.high, left, size.width - 12.0, ()),
        Scale(chart.y.low, chart.y.high, bottom, TOP, ()),
        size,
        hatch,
    )
    marks = [element("defs", content=hatching(hatch)), *_y_axis(chart.y, plot), *_x_axis(chart.x, plot)]
    for mark in chart.marks:
        marks += mark.drawn(plot)
    under = bottom + (44 if chart.x.title else 28)
    keys, height = legend([key for mark in chart.marks if (key := mark.key(hatch))], size, 4, under + 6)
    return framed(size, name, under + 10 + height, chart.title, chart.description, "".join(marks) + keys)


def _y_axis(axis: Axis, plot: Plot) -> Iterator[str]:
    if axis.title:
        yield words(4, 14, axis.title, "soft", size=12.5)
    for n, (value, text) in enumerate(axis.ticks):
        at = plot.y(value)
        yield line(plot.x.start, at, plot.x.end, at, "grid" if n else "axis")
        yield words(plot.x.start - 8, at + 4.5, text, "soft", "end")


def _x_axis(axis: Axis, plot: Plot) -> Iterator[str]:
    """The ticks that have room."""
    bottom = plot.y.start
    room = max((text_width(text) for _, text in axis.ticks), default=0.0) + 10
    free = float("-inf")
    for value, text in axis.ticks:
        x = plot.x(value)
        if x < free:
            continue
        free = x + room
        half = text_width(text) / 2
        yield line(x, bottom, x, bottom + 5, "axis")
        yield words(floor(min(max(x, half), plot.size.width - 4 - half)), bottom + 19, text, "soft", "middle")
    if axis.title:
        yield words((plot.x.start + plot.x.end) / 2, bottom + 37, axis.title, "soft", "middle", 12.5)
