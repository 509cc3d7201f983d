"""Several X on one chart: a line for each, told apart by shape, dashes and colour."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from chu_platform import french
from chu_platform.portal.charts.drawing import Reference
from chu_platform.portal.charts.grammar import Chart, Dots, Entry, Line, Mark, Rule, Strips, period_axis, value_axis
from chu_platform.portal.charts.trend import MASKED_KEY, WHY_MASKED

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
    """The figures of one X by period, None where there is none; `role` is one of SHAPE_OF.

    `masked` are the numbers of the periods that are masked, `apart` those of values without a line to others.
    """

    label: str
    role: str
    values: Sequence[float | None]
    masked: Sequence[int] = ()
    apart: Sequence[int] = ()


def series_chart(
    title: str,
    unit: str,
    digits: int,
    periods: Sequence[str],
    series: Sequence[Series],
    reference: Reference | None = None,
    ticks: Sequence[str] | None = None,
    from_zero: bool = False,
) -> Chart:
    """The chart of series over equally long periods. The first series is drawn last, over the others.

    `ticks` are the words of the periods on the axis, if they are others than their names.
    """
    values = [v for s in series for v in s.values if v is not None]
    marks: list[Mark] = []
    if reference:
        values.append(reference.value)
        marks.append(Rule(reference.value, "reference", f"{reference.label} : {french.number(reference.value, 0)}"))
    for each in reversed(series):
        points = [(float(n), v) for n, v in enumerate(each.values)]
        line = [(n, None if n in each.apart else v) for n, v in points]
        marks.append(Line(line, f"series-{each.role}"))
        said = [
            ((n, v), f"{each.label}, {period} : {french.amount(v, unit, digits)}")
            for (n, v), period in zip(points, periods, strict=True)
            if v is not None
        ]
        if len(periods) > MANY:
            kept = (*each.apart, *(range(0, len(periods), MARKED_OF_MANY)))
            said = [one for one in said if one[0][0] in kept or one is said[-1]]
        marks.append(Dots(said, f"mark-{each.role}", shape=SHAPE_OF[each.role]))
    entries = [Entry(f"series-{s.role}", f"mark-{s.role}", s.label, SHAPE_OF[s.role]) for s in series]
    hidden = [
        (entry, [(n, f"{s.label}, {periods[n]} : {WHY_MASKED}") for n in s.masked])
        for entry, s in zip(entries, series, strict=True)
        if s.masked
    ]
    axis = value_axis(values, from_zero, title=unit)
    if not values:
        # A scale without a figure would be made up.
        axis = replace(axis, ticks=[])
    description = _described(unit, digits, periods, series)
    return Chart(
        title, description, period_axis(ticks or periods), axis, [*marks, *entries], strips=Strips(hidden, MASKED_KEY)
    )


def _described(unit: str, digits: int, periods: Sequence[str], series: Sequence[Series]) -> str:
    parts = []
    for each in series:
        shown = [(p, v) for p, v in zip(periods, each.values, strict=True) if v is not None]
        if not shown:
            parts.append(f"{each.label} : {'masqué' if each.masked else 'aucun chiffre'}.")
            continue
        ends = [f"{french.amount(v, unit, digits)} ({p})" for p, v in dict.fromkeys((shown[0], shown[-1]))]
        masked = f", {french.counted(len(each.masked), 'période masquée', 'périodes masquées')}" if each.masked else ""
        parts.append(f"{each.label} : {' puis '.join(ends)}{masked}.")
    return " ".join(parts)
