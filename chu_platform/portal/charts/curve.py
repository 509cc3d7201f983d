"""The curve: a figure over another one, such as days or a share; a step line, or straight lines between its points."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from chu_platform import french
from chu_platform.portal.charts.drawing import (
    NARROW,
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
from chu_platform.portal.charts.trend import ALL_MASKED, INTERVAL, PLOT, WHY_MASKED

TOP: Final = 30
# Room at the right for the figure of the last point.
RIGHT: Final = 48


@dataclass(frozen=True)
class Point:
    """A point: where it is (`x`, named by `label` and `tick`), and its value, None where it is masked."""

    x: float
    label: str
    tick: str
    value: float | None
    low: float | None = None
    high: float | None = None
    chosen: bool = False


@dataclass(frozen=True)
class Curve:
    """A curve from 0; `title` says what is shown, `across` what the horizontal axis is, `unit` follows the figures.

    `points` are in order. In `steps`, the line stays level up to each point: the figure is at least that, as it never
    falls. `last` is where both axes end, if they end at the same value; the line of equality then leads there.
    """

    title: str
    across: str
    unit: str
    digits: int
    points: Sequence[Point]
    steps: bool
    last: float | None = None
    interval_label: str = INTERVAL

    @property
    def shown(self) -> bool:
        """Whether there is any figure to draw."""
        return any(p.value is not None for p in self.points)


def described(chart: Curve) -> str:
    """The curve in words."""
    texts = [
        f"{p.label} : {'masqué' if p.value is None else french.amount(p.value, chart.unit, chart.digits)}"
        for p in chart.points
    ]
    form = "Courbe en escalier" if chart.steps else "Courbe"
    return f"{form} ; axe horizontal : {chart.across}. {' ; '.join(texts)}."


def curve(chart: Curve, name: str) -> Markup:
    """The chart for wide and for narrow pages; `name` is unique in its page."""
    return draw(chart, name, WIDE) + draw(chart, name, NARROW)


def draw(chart: Curve, name: str, size: Size) -> Markup:
    """The chart for one width."""
    bottom = TOP + PLOT[size.name]
    values = [v for p in chart.points for v in (p.value, p.low, p.high) if v is not None]
    y = scale([*values, *([chart.last] if chart.last else [])], bottom, TOP, from_zero=True, steps=4)
    left = 14 + max(text_width(_tick(chart, y, t)) for t in y.ticks)
    end = chart.last or max((p.x for p in chart.points), default=1.0)
    x = Scale(0.0, end, left, size.width - RIGHT, [0.0, end])
    hatch = f"{name}-{size.name}-hatch"
    marks = [
        element("defs", content=hatching(hatch)),
        *_grid(chart, y, left, size),
        *_withheld(chart, x, bottom, hatch),
        *([line(x(0), y(0), x(chart.last), y(chart.last), "reference")] if chart.last else []),
        *_line(chart, x, y),
        *_points(chart, x, y),
        *_across(chart, x, bottom, size),
    ]
    if not chart.shown:
        marks.append(words(size.width / 2, (TOP + bottom) / 2, ALL_MASKED, "strong", "middle"))
    keys, height = legend(_keys(chart, hatch), size, 4, bottom + 54)
    return framed(size, name, bottom + 58 + height, chart.title, described(chart), "".join(marks) + keys)


def _tick(chart: Curve, y: Scale, value: float) -> str:
    text = french.number(value, tick_digits(y.ticks))
    return f"{text}{french.NO_BREAK}{chart.unit}" if value == y.ticks[-1] else text


def _grid(chart: Curve, y: Scale, left: float, size: Size) -> Iterator[str]:
    for value in y.ticks if chart.shown else y.ticks[:1]:
        yield line(left, y(value), size.width - 8, y(value), "axis" if value == y.ticks[0] else "grid")
        if chart.shown:
            yield words(left - 8, y(value) + 4.5, _tick(chart, y, value), "soft", "end")


def _withheld(chart: Curve, x: Scale, bottom: float, hatch: str) -> Iterator[str]:
    """A hatched band before each masked point, from the point before it."""
    before = 0.0
    for point in chart.points:
        if point.value is None:
            why = f"{point.label} : {WHY_MASKED}"
            yield withheld(x(before), TOP, x(point.x) - x(before), bottom - TOP, hatch, why)
        before = point.x


def _line(chart: Curve, x: Scale, y: Scale) -> Iterator[str]:
    """The line from 0 through the points with a value; it is interrupted at a masked one."""
    corners = [(x(0), y(0))]
    for point in chart.points:
        if point.value is None:
            if len(corners) > 1:
                yield element("path", "line", d=path(corners))
            corners = []
            continue
        if chart.steps and corners:
            corners.append((x(point.x), corners[-1][1]))
        corners.append((x(point.x), y(point.value)))
    if len(corners) > 1:
        yield element("path", "line", d=path(corners))


def _points(chart: Curve, x: Scale, y: Scale) -> Iterator[str]:
    for point in chart.points:
        if point.value is None:
            continue
        at, style = x(point.x), "whisker-chosen" if point.chosen else "whisker"
        text = f"{point.label} : {french.amount(point.value, chart.unit, chart.digits)}"
        if point.low is not None and point.high is not None:
            text += f" ({chart.interval_label} : {french.interval(point.low, point.high, chart.unit, chart.digits)})"
            yield line(at, y(point.low), at, y(point.high), style)
        if point.chosen:
            yield element("circle", "dot-chosen", cx=at, cy=y(point.value), r=8)
        yield element("circle", "dot", tooltip(text), cx=at, cy=y(point.value), r=4.5)
        top = y(point.high if point.high is not None else point.value) - 9
        yield words(at, max(top, 13), french.amount(point.value, chart.unit, chart.digits), "value", "middle")


def _across(chart: Curve, x: Scale, bottom: float, size: Size) -> Iterator[str]:
    """The ticks of the horizontal axis that have room, and what it is."""
    free = float("-inf")
    for at, tick in [(x(0), "0"), *((x(p.x), p.tick) for p in chart.points)]:
        half = text_width(tick) / 2
        yield line(at, bottom, at, bottom + 5, "axis")
        if at - half >= free:
            yield words(at, bottom + 19, tick, "soft", "middle")
            free = at + half + 6
    yield words(size.width - 8, bottom + 38, french.capital(chart.across), "soft", "end")


def _keys(chart: Curve, hatch: str) -> list[Key]:
    keys = []
    if chart.shown:
        text = "valeur connue ; entre deux points, au moins" if chart.steps else "valeur connue"
        keys.append(Key(_sample, text))
    if any(p.low is not None for p in chart.points):
        keys.append(Key(lambda x, y: line(x + 11, y, x + 11, y + 12, "whisker"), chart.interval_label))
    if chart.last:
        keys.append(Key(lambda x, y: line(x, y + 6, x + 22, y + 6, "reference"), "égalité"))
    if any(p.value is None for p in chart.points):
        keys.append(Key(lambda x, y: withheld(x, y, 22, 12, hatch, WHY_MASKED), "masqué (secret statistique)"))
    return keys


def _sample(x: float, y: float) -> str:
    return line(x, y + 6, x + 22, y + 6, "line") + element("circle", "dot", cx=x + 11, cy=y + 6, r=4.5)
