"""The strip: between which places a result may be among all sites, in the size of a word."""

from typing import Final

from markupsafe import Markup

from chu_platform.portal.charts.drawing import Size, element, framed, line

SIZE: Final = Size("strip", 150)
HEIGHT: Final = 22
MIDDLE: Final = 11
LEFT, RIGHT = 4.0, 146.0


def strip(first: int, last: int, places: int, title: str, name: str) -> Markup:
    """The places from `first` to `last` of so many; the highest result is at the right, the middle has a mark."""

    def at(rank: float) -> float:
        return RIGHT - (rank - 0.5) / places * (RIGHT - LEFT)

    marks = [
        line(LEFT, MIDDLE, RIGHT, MIDDLE, "grid"),
        line((LEFT + RIGHT) / 2, 3, (LEFT + RIGHT) / 2, HEIGHT - 3, "axis"),
    ]
    start, end = at(last), at(first)
    if end - start < 6:
        marks.append(element("circle", "dot", cx=(start + end) / 2, cy=MIDDLE, r=5))
    else:
        marks.append(element("rect", "mark-own", x=start, y=MIDDLE - 4, width=end - start, height=8, rx=3))
    return framed(
        SIZE, name, HEIGHT, title, "À droite les résultats les plus élevés, au milieu la médiane.", "".join(marks)
    )
