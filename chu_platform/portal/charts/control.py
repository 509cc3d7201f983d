"""The control chart: months, the limits of what is usual, and the months that are a signal."""

from collections.abc import Sequence
from typing import Final

from chu_platform import french
from chu_platform.portal.charts.grammar import (
    Chart,
    Cloud,
    Dots,
    Line,
    Mark,
    Named,
    Rule,
    period_axis,
    periods_withheld,
    value_axis,
)
from chu_platform.portal.charts.trend import WHY_MASKED
from chu_platform.portal.control_limits import Limits, Signal, Values
from chu_platform.portal.control_limits import Rule as ControlRule

# How the months of each rule are drawn: the side (None: both), the shape, and the words of the legend.
SHAPES: Final = (
    (ControlRule.BEYOND, True, "triangle", "au-dessus des limites"),
    (ControlRule.BEYOND, False, "wedge", "au-dessous des limites"),
    (ControlRule.RUN, None, "square", str(ControlRule.RUN)),
    (ControlRule.NEAR, None, "diamond", str(ControlRule.NEAR)),
)


def control_chart(
    title: str,
    unit: str,
    digits: int,
    months: Sequence[str],
    ticks: Sequence[str],
    values: Values,
    masked: Sequence[int],
    limits: Limits,
    signals: Sequence[Signal],
) -> Chart:
    """The chart of a series of months; `ticks` are the words of the axis, `masked` the numbers of masked months."""
    points = [(float(n), v) for n, v in enumerate(values)]
    shown = [(n, v) for n, v in points if v is not None]
    marks: list[Mark] = [
        periods_withheld(masked, WHY_MASKED, "masqué (secret statistique)"),
        Rule(limits.mean, "reference", f"moyenne : {french.amount(limits.mean, unit, digits)}"),
        Rule(limits.high, "limit-far", f"limites : {french.interval(limits.low, limits.high, unit, digits)}"),
        Rule(limits.low, "limit-far"),
        Line(points, "line"),
        Cloud(tuple(shown), "cloud", "mois"),
    ]
    drawn: set[int] = set()
    for rule, above, shape, label in SHAPES:
        # A month that several rules mark has the shape of the first one.
        marked = {m for s in signals if s.rule is rule and above in (None, s.above) for m in s.months} - drawn
        drawn |= marked
        said = [
            ((float(m), value), f"{months[m]} : {french.amount(value, unit, digits)}, {label}")
            for m in sorted(marked)
            if (value := values[m]) is not None
        ]
        marks.append(Dots(said, "signal", label, shape))
    if shown:
        last, value = shown[-1]
        marks.append(Named((last, value), french.amount(value, unit, digits)))
    bounds = [limits.low, limits.high, *(v for _, v in shown)]
    described = (
        f"Carte de contrôle de {french.counted(len(months), 'mois', 'mois')}, de {months[0]} à {months[-1]}. "
        f"Moyenne {french.amount(limits.mean, unit, digits)}, "
        f"limites {french.interval(limits.low, limits.high, unit, digits)}. "
        f"{french.counted(len(signals), 'signal', 'signaux').capitalize()}."
    )
    return Chart(title, described, period_axis(ticks), value_axis(bounds, from_zero=False, title=unit), marks)
