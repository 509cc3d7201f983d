"""The curve: a figure along an axis, such as days or shares of patients; in steps, or with the line of equality."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from chu_platform import french
from chu_platform.portal.charts.grammar import (
    Axis,
    Band,
    Chart,
    Dots,
    Line,
    Mark,
    Named,
    Whiskers,
    Withheld,
    value_axis,
)
from chu_platform.portal.charts.trend import ALL_MASKED, INTERVAL, WHY_MASKED

# Room at the end of an axis for the figure of the last point, as a share of the axis.
ROOM: Final = 0.04


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


def curve_chart(
    title: str,
    across: str,
    unit: str,
    digits: int,
    points: Sequence[Point],
    steps: bool,
    end: float | None = None,
    interval_label: str = INTERVAL,
) -> Chart:
    """The chart of a curve from 0; `across` is what the horizontal axis is, `unit` follows the figures.

    `points` are in order. In `steps`, the line stays level up to each point: the figure is at least that, as it never
    falls. With an `end`, both axes end there, and so does the curve: the line of equality leads there, too.
    """
    shown = [(p.x, p.value) for p in points if p.value is not None]
    limits = [(p, (p.x, p.low, p.high)) for p in points if p.low is not None and p.high is not None]
    values = [*(v for _, v in shown), *(p.high for p in points if p.high is not None)]
    last = max((p.x for p in points), default=1.0)
    line = [(0.0, 0.0), *((p.x, p.value) for p in points), *([(end, end)] if end else [])]
    marks: list[Mark] = [_withheld(points)]
    if end:
        marks.append(Line([(0.0, 0.0), (end, end)], "reference", "égalité : tous consultent autant"))
        if len(shown) == len(points):
            marks.append(Band([(x, x, y) for x, y in line if y is not None], "band"))
    marks += [
        Line(_in_steps(line) if steps else line, "line"),
        Whiskers([limit for p, limit in limits if not p.chosen], "whisker", interval_label),
        Whiskers([limit for p, limit in limits if p.chosen], "whisker-chosen"),
        Dots([((p.x, p.value), "") for p in points if p.chosen and p.value is not None], "dot-chosen", shape="halo"),
        Dots(
            [((p.x, p.value), _said(p, p.value, unit, digits, interval_label)) for p in points if p.value is not None],
            "dot",
            "valeur connue ; entre deux points, au moins" if steps else "valeur connue",
        ),
    ]
    marks += [
        Named((p.x, p.value if p.high is None else p.high), french.amount(p.value, unit, digits))
        for p in points
        if p.value is not None
    ]
    if not shown:
        marks.append(Named((last / 2, 0.5), ALL_MASKED))
    y = (
        Axis(0.0, end, [(end * n / 4, french.number(end * n / 4)) for n in range(5)])
        if end
        else value_axis([*values, 0.0] if shown else [0.0, 1.0], from_zero=True)
    )
    ticks = [(0.0, "0"), *((p.x, p.tick) for p in points), *([(end, french.number(end))] if end else [])]
    across_axis = Axis(0.0, end or last * (1 + ROOM), ticks, french.capital(across))
    y = Axis(y.low, y.high, y.ticks if shown else [], unit)
    return Chart(title, _described(across, unit, digits, points, steps), across_axis, y, marks)


def _withheld(points: Sequence[Point]) -> Withheld:
    """A hatched box before each masked point, from the point before it."""
    places = [0.0, *(p.x for p in points)]
    masked = [(span, p) for span, p in zip(pairwise(places), points, strict=True) if p.value is None]
    whys = [f"{p.label} : {WHY_MASKED}" for _, p in masked]
    return Withheld([span for span, _ in masked], whys, "masqué (secret statistique)")


def _in_steps(points: Sequence[tuple[float, float | None]]) -> list[tuple[float, float | None]]:
    """The points with the corners of a step line: level up to each point."""
    found = [*points[:1]]
    for (_, before), (x, after) in pairwise(points):
        found += [(x, before), (x, after)] if after is not None else [(x, None)]
    return found


def _said(point: Point, value: float, unit: str, digits: int, interval_label: str) -> str:
    text = f"{point.label} : {french.amount(value, unit, digits)}"
    if point.low is None or point.high is None:
        return text
    return f"{text} ({interval_label} : {french.interval(point.low, point.high, unit, digits)})"


def _described(across: str, unit: str, digits: int, points: Sequence[Point], steps: bool) -> str:
    """The curve in words."""
    texts = [f"{p.label} : {'masqué' if p.value is None else french.amount(p.value, unit, digits)}" for p in points]
    form = "Courbe en escalier" if steps else "Courbe"
    return f"{form} ; axe horizontal : {across}. {' ; '.join(texts)}."
