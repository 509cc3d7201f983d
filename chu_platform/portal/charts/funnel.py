"""The funnel plot: figures of places by how much was counted, between the limits that size explains."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from chu_platform import french
from chu_platform.portal.charts.drawing import Better, is_favourable, judgement
from chu_platform.portal.charts.grammar import (
    Chart,
    Cloud,
    Dots,
    Line,
    Mark,
    Named,
    Point,
    Rule,
    Shared,
    value_axis,
)
from chu_platform.portal.charts.series import SHAPE_OF
from chu_platform.portal.funnel_limits import LEVELS, Funnel

# So many places of a limit are drawn, nearer to each other where it is steep.
STEPS: Final = 60


@dataclass(frozen=True)
class Placed:
    """A place: its key, its name, its share or ratio, and the size that limits follow."""

    key: str
    label: str
    value: float
    size: float


@dataclass(frozen=True)
class Shown:
    """How values are written: `scale` of a share or ratio, unit, digits, what size is; which values are favourable."""

    scale: float
    unit: str
    digits: int
    of_size: str
    better: Better


def funnel_chart(title: str, places: Sequence[Placed], funnel: Funnel, shown: Shown) -> Chart:
    """The chart of places; those within the limits of 99.8 % are dots without words."""
    most = max(p.size for p in places)
    least = min(p.size for p in places)
    # Limits follow 1 / √size: equal steps of the root are nearer where they are steep.
    low_root, high_root = max(least, most / 10_000) ** 0.5, most**0.5
    sizes = [(low_root + (high_root - low_root) * n / STEPS) ** 2 for n in range(STEPS + 1)]
    bounds = {level: [(size, *funnel.limits(size, level)) for size in sizes] for level in LEVELS}
    drawn = [p.value for p in places]
    # The limits of the smallest places may be so wide that the others would be a line: there they leave the chart.
    drawn += [bound for _, low, high in bounds[LEVELS[-1]][STEPS // 5 :] for bound in (low, high)]
    y = value_axis([shown.scale * v for v in drawn], from_zero=False, title=shown.unit)
    marks: list[Mark] = [Rule(shown.scale * funnel.middle, "reference", f"ensemble : {_said(funnel.middle, shown)}")]
    for level, style in zip(LEVELS, ("limit", "limit-far"), strict=True):
        label = f"limites à {french.percent(level, 0 if level == LEVELS[0] else 1)}"
        for limit, text in ((2, label), (1, "")):
            line = [(one[0], shown.scale * one[limit]) for one in bounds[level]]
            marks.append(Line([(size, v if y.low <= v <= y.high else None) for size, v in line], style, text))
    within: list[Point] = []
    above: list[tuple[Point, str]] = []
    below: list[tuple[Point, str]] = []
    for place in places:
        point = (place.size, shown.scale * place.value)
        beyond = funnel.beyond(place.value, place.size)
        if abs(beyond) < len(LEVELS):
            within.append(point)
        else:
            (above if beyond > 0 else below).append((point, _text(place, shown)))
    marks += [
        Cloud(within, "cloud-within", "entre les limites à 99,8 %"),
        _apart(above, True, "au-dessus", "triangle", shown.better),
        _apart(below, False, "au-dessous", "wedge", shown.better),
    ]
    x = value_axis([most], from_zero=True, title=shown.of_size)
    described = (
        f"Entonnoir de {french.counted(len(places), 'lieu', 'lieux')} autour de {_said(funnel.middle, shown)}. "
        f"{len(above)} au-dessus des limites à 99,8 % ({judgement(True, shown.better)}), "
        f"{len(below)} au-dessous ({judgement(False, shown.better)})."
    )
    return Chart(title, described, x, y, [Shared(mark) for mark in marks])


def marked(chart: Chart, places: Mapping[str, Placed], shown: Shown) -> Chart:
    """The same chart with some places marked, given by their roles; the own one has its name, and is drawn last."""
    marks: list[Mark] = []
    for role, place in reversed(list(places.items())):
        point = (place.size, shown.scale * place.value)
        marks.append(Dots([(point, _text(place, shown))], f"mark-{role}", place.label, SHAPE_OF[role]))
        if role == "own":
            marks.append(Named(point, place.label))
    said = " ".join([chart.description, *(f"{_text(place, shown)}." for place in places.values())])
    return replace(chart, description=said, marks=[*chart.marks, *marks])


def _apart(points: Sequence[tuple[Point, str]], above: bool, words: str, shape: str, better: Better) -> Dots:
    """The places beyond the limits on one side."""
    style = "signal-good" if is_favourable(above, better) else "signal-bad"
    return Dots(points, style, f"{words} des limites à 99,8 % : {judgement(above, better)}", shape)


def _text(place: Placed, shown: Shown) -> str:
    return f"{place.label} : {_said(place.value, shown)}, {french.number(place.size)} {shown.of_size}"


def _said(value: float, shown: Shown) -> str:
    return french.amount(shown.scale * value, shown.unit, shown.digits)
