"""The sparkline: the course of a figure in the size of a word."""

from collections.abc import Sequence
from itertools import groupby
from typing import Final

from markupsafe import Markup

from chu_platform import french
from chu_platform.portal.charts.drawing import Size
from chu_platform.portal.charts.grammar import Axis, Chart, Dots, Line, Mark, Rule, small, value_axis
from chu_platform.portal.charts.trend import Kind, Moment, by_time

SIZE: Final = Size("spark", 150)
HEIGHT: Final = 40


def sparkline(title: str, unit: str, digits: int, moments: Sequence[Moment], name: str) -> Markup:
    """The whole periods from zero, the last one a dot; the line breaks where one is missing or does not compare."""
    whole = [m for m in by_time(moments) if not m.partial]
    shown = [((float(n), m.value), "") for n, m in enumerate(whole) if m.value is not None]
    line = [(float(n), m.value if m.kind is Kind.JOINED else None) for n, m in enumerate(whole)]
    runs = [[*run] for known, run in groupby(line, key=lambda p: p[1] is not None) if known]
    lone = [((n, v), "") for run in runs if len(run) == 1 for n, v in run if v is not None]
    values = [f"{m.label} : {french.amount(m.value, unit, digits)}" for m in whole if m.value is not None]
    masked = sum(m.masked for m in whole)
    description = "Aucune valeur visible." if not values else f"De {values[0]} à {values[-1]}."
    if masked:
        description += f" {french.counted(masked, 'période masquée', 'périodes masquées').capitalize()}."
    # Half a period more at both ends, where the dots have their room.
    x = Axis(-0.5, max(len(whole), 1) - 0.5, [])
    y = value_axis([v for (_, v), _ in shown], from_zero=True)
    marks: list[Mark] = [Rule(0.0, "grid"), Line(line, "line"), Dots(lone, "dot"), Dots(shown[-1:], "dot")]
    return small(Chart(title, description, x, y, marks), name, SIZE, HEIGHT)
