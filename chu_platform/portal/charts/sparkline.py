"""The sparkline: the course of a figure in the size of a word."""

from collections.abc import Sequence
from itertools import groupby
from typing import Final

from markupsafe import Markup

from chu_platform import french
from chu_platform.portal.charts.drawing import Size, element, framed, line, path, scale
from chu_platform.portal.charts.trend import Moment, by_time

SIZE: Final = Size("spark", 150)
HEIGHT: Final = 40


def sparkline(title: str, unit: str, digits: int, moments: Sequence[Moment], name: str) -> Markup:
    """The whole periods from zero, the last one a dot; the line breaks where one is missing or does not compare."""
    whole = [m for m in by_time(moments) if not m.partial]
    shown = [(i, m.value) for i, m in enumerate(whole) if m.value is not None]
    y = scale([v for _, v in shown], HEIGHT - 6.0, 6.0, from_zero=True)
    step = (SIZE.width - 16) / max(len(whole) - 1, 1)
    marks = [line(4, HEIGHT - 6, SIZE.width - 4, HEIGHT - 6, "grid")]
    for known, run in groupby(enumerate(whole), key=lambda p: p[1].value is not None and not p[1].alone):
        points = [(8 + i * step, y(m.value)) for i, m in run if m.value is not None]
        if known and len(points) > 1:
            marks.append(element("path", "line", d=path(points)))
        marks += [element("circle", "dot", cx=px, cy=py, r=3) for px, py in points if len(points) == 1]
    if shown:
        i, value = shown[-1]
        marks.append(element("circle", "dot", cx=8 + i * step, cy=y(value), r=5))
    values = [f"{m.label} : {french.amount(m.value, unit, digits)}" for m in whole if m.value is not None]
    masked = sum(m.masked for m in whole)
    description = "Aucune valeur visible." if not values else f"De {values[0]} à {values[-1]}."
    if masked:
        description += f" {french.counted(masked, 'période masquée', 'périodes masquées').capitalize()}."
    return framed(SIZE, name, HEIGHT, title, description, "".join(marks))
