"""Several X on one chart: a line for each, told apart by shape, dashes and colour."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from chu_platform import french
from chu_platform.portal.charts.drawing import Reference
from chu_platform.portal.charts.grammar import Chart, Dots, Entry, Line, Mark, Rule, period_axis, value_axis

# Of each series, the shape of its marks; `drawing.SERIES` has the colours and dashes.
SHAPE_OF: Final = {
    "own": "circle",
    "second": "square",
    "third": "triangle",
    "fourth": "diamond",
    "region": "circle",
    "france": "square",
}
# Of many periods, each of so many has a mark, and the last one: the line is told by them, and stays a line.
MARKED_OF_MANY: Final = 5
MANY: Final = 15


@dataclass(frozen=True)
class Series:
    """The figures of one X by period, None where there is none; `role` is one of SHAPE_OF."""

    label: str
    role: str
    values: Sequence[float | None]


def series_chart(
    title: str,
    unit: str,
    digits: int,
    periods: Sequence[str],
    series: Sequence[Series],
    reference: Reference | None = None,
) -> Chart:
    """The chart of series over equally long periods. The first series is drawn last, over the others."""
    values = [v for s in series for v in s.values if v is not None]
    marks: list[Mark] = []
    if reference:
        values.append(reference.value)
        marks.append(Rule(reference.value, "reference", f"{reference.label} : {french.number(reference.value, 0)}"))
    for each in reversed(series):
        points = [(float(n), v) for n, v in enumerate(each.values)]
        marks.append(Line(points, f"series-{each.role}"))
        said = [
            ((n, v), f"{each.label}, {period} : {french.amount(v, unit, digits)}")
            for (n, v), period in zip(points, periods, strict=True)
            if v is not None
        ]
        if len(periods) > MANY:
            said = [one for one in said if one[0][0] % MARKED_OF_MANY == 0 or one is said[-1]]
        marks.append(Dots(said, f"mark-{each.role}", shape=SHAPE_OF[each.role]))
    marks += [Entry(f"series-{s.role}", f"mark-{s.role}", s.label, SHAPE_OF[s.role]) for s in series]
    axis = value_axis(values, from_zero=False, title=unit)
    return Chart(title, _described(unit, digits, periods, series), period_axis(periods), axis, marks)


def _described(unit: str, digits: int, periods: Sequence[str], series: Sequence[Series]) -> str:
    parts = []
    for each in series:
        shown = [(p, v) for p, v in zip(periods, each.values, strict=True) if v is not None]
        if not shown:
            parts.append(f"{each.label} : aucun chiffre.")
            continue
        ends = [f"{french.amount(v, unit, digits)} ({p})" for p, v in dict.fromkeys((shown[0], shown[-1]))]
        parts.append(f"{each.label} : {' puis '.join(ends)}.")
    return " ".join(parts)
