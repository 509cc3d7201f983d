"""The strip: between which places a result may be among all sites, in the size of a word."""

from typing import Final

from markupsafe import Markup

from chu_platform.portal.charts.drawing import Size
from chu_platform.portal.charts.grammar import Axis, Band, Chart, Dots, Mark, Rule, Upright, small

SIZE: Final = Size("strip", 150)
HEIGHT: Final = 22
# A part of all places that is too small to be seen is a dot.
SEEN: Final = 0.05


def strip(first: int, last: int, places: int, title: str, name: str) -> Markup:
    """The places from `first` to `last` of so many; the highest result is at the right, the middle has a mark."""
    description = "À droite les résultats les plus élevés, au milieu la médiane."
    best_last = Axis(places + 0.5, 0.5, [])
    marks: list[Mark] = [Rule(0.0, "grid"), Upright((places + 1) / 2, "axis")]
    if last - first < SEEN * places:
        marks.append(Dots([(((first + last) / 2, 0.0), "")], "dot"))
    else:
        marks.append(Band([(last, -1.0, 1.0), (first, -1.0, 1.0)], "mark-own"))
    return small(Chart(title, description, best_last, Axis(-1.0, 1.0, []), marks), name, SIZE, HEIGHT)
