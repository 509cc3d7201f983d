"""What the diagrams of the reports are drawn with: boxes, labels and lines of SVG in the font of the reports.

Colours are attributes, so that a diagram is the same in a page, in a file of its own and in a PDF.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from chu_platform.committee.document import FONT, PAGE_WIDTH

INK: Final = "#17242e"
SOFT: Final = "#3f4d57"
LINE: Final = "#7b8a94"
BLUE: Final = ("#0b5d78", "#e6f1f5")
GREEN: Final = ("#2f6b3a", "#ebf4ec")
ORANGE: Final = ("#a3440b", "#fbefe6")
VIOLET: Final = ("#6b3fa0", "#f1ebf8")
GREY: Final = ("#4c5b66", "#f2f5f6")
WHITE: Final = ("#4c5b66", "#ffffff")
SIZE: Final = 12.0
SMALL: Final = 10.5
# Mean width of a letter of the font as a part of its size, of bold ones too.
LETTER: Final = 0.53
ROW: Final = 15
MATRIX_ROW: Final = 22.0


@dataclass(frozen=True)
class Point:
    """A place in a picture, in pixels from its upper left corner."""

    x: float
    y: float


@dataclass(frozen=True)
class Box:
    """A rectangle with a title and lines of text; `rounded` for an association or a step. Lines may be `underlined`."""

    x: float
    y: float
    width: float
    height: float
    title: str
    lines: Sequence[str] = ()
    colours: tuple[str, str] = WHITE
    rounded: bool = False
    underlined: int = 0

    @property
    def centre(self) -> Point:
        """Its middle."""
        return Point(self.x + self.width / 2, self.y + self.height / 2)

    def edge(self, towards: Point, beside: tuple[float, float] = (0, 0)) -> Point:
        """Where the line from its middle to a point leaves it; the middle of what lies there and is so large.

        `beside` are the width and height of what must not cover the box.
        """
        middle = self.centre
        dx, dy = towards.x - middle.x, towards.y - middle.y
        if dx == dy == 0:
            return middle
        parts = [(self.width + beside[0]) / 2 / abs(dx)] if dx else []
        parts += [(self.height + beside[1]) / 2 / abs(dy)] if dy else []
        return Point(middle.x + dx * min(parts), middle.y + dy * min(parts))

    def drawn(self) -> str:
        """Its SVG. Texts that are too long are cut."""
        border, fill = self.colours
        radius = min(self.height / 2, 22) if self.rounded else 3
        frame = (
            f'<rect x="{self.x:g}" y="{self.y:g}" width="{self.width:g}" height="{self.height:g}" rx="{radius:g}" '
            f'fill="{fill}" stroke="{border}" stroke-width="1.2"/>'
        )
        parts = [frame]
        room = self.width - 12
        if self.rounded:
            first = self.centre.y - (len(self.lines) * ROW) / 2 + 4
            parts.append(text(self.centre.x, first, cut(self.title, room), bold=True, anchor="middle"))
            parts += [
                text(self.centre.x, first + ROW * n, cut(line, room, SMALL), size=SMALL, anchor="middle", colour=SOFT)
                for n, line in enumerate(self.lines, 1)
            ]
            return "".join(parts)
        parts.append(text(self.x + 6, self.y + 15, cut(self.title, room), bold=True))
        if self.lines:
            parts.append(line(Point(self.x, self.y + 21), Point(self.x + self.width, self.y + 21), border))
        parts += [
            text(
                self.x + 6, self.y + 21 + ROW * n, cut(words, room, SMALL), size=SMALL, underlined=n <= self.underlined
            )
            for n, words in enumerate(self.lines, 1)
        ]
        return "".join(parts)


def box_height(lines: int) -> float:
    """The height of a box with a title and so many lines."""
    return 26 + ROW * lines if lines else 24


def text(
    x: float,
    y: float,
    words: str,
    size: float = SIZE,
    bold: bool = False,
    anchor: str = "start",
    colour: str = INK,
    underlined: bool = False,
) -> str:
    """A line of text."""
    weight = ' font-weight="700"' if bold else ""
    below = ' text-decoration="underline"' if underlined else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" text-anchor="{anchor}" fill="{colour}"{weight}{below}>'
        f"{escape(words)}</text>"
    )


def label_size(words: str, size: float = SMALL) -> tuple[float, float]:
    """Width and height of a label."""
    return len(words) * size * LETTER + 4, size * 1.3


def label(at: Point, words: str, size: float = SMALL, colour: str = INK) -> str:
    """A text on a white ground, centred at a point, so that it can lie on a line."""
    width, height = label_size(words, size)
    return (
        f'<rect x="{at.x - width / 2:.1f}" y="{at.y - height / 2:.1f}" width="{width:.1f}" height="{height:.1f}" '
        f'fill="#ffffff"/>{text(at.x, at.y + size * 0.34, words, size, anchor="middle", colour=colour, bold=True)}'
    )


def line(start: Point, end: Point, colour: str = LINE, width: float = 1.2, dashed: bool = False) -> str:
    """A straight line."""
    dashes = ' stroke-dasharray="4 3"' if dashed else ""
    return (
        f'<line x1="{start.x:.1f}" y1="{start.y:.1f}" x2="{end.x:.1f}" y2="{end.y:.1f}" stroke="{colour}" '
        f'stroke-width="{width:g}"{dashes}/>'
    )


def arrow(start: Point, end: Point, colour: str = SOFT) -> str:
    """A straight line with a head at its end."""
    dx, dy = end.x - start.x, end.y - start.y
    length = (dx * dx + dy * dy) ** 0.5 or 1
    ux, uy = dx / length, dy / length
    base = Point(end.x - 8 * ux, end.y - 8 * uy)
    head = [(end.x, end.y), (base.x - 4 * uy, base.y + 4 * ux), (base.x + 4 * uy, base.y - 4 * ux)]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in head)
    return f'{line(start, base, colour, 1.4)}<polygon points="{points}" fill="{colour}"/>'


def cut(words: str, room: float, size: float = SIZE) -> str:
    """The words, or as many letters as have room in so many pixels, with an ellipsis."""
    most = int(room / (size * LETTER))
    return words if len(words) <= most else f"{words[: most - 1].rstrip()}…"


def matrix(title: str, rows: Sequence[str], columns: Sequence[str], marks: Collection[tuple[str, str]]) -> str:
    """Which rows have which columns, as dots: labels of rows at the left, those of columns upright above."""
    left = max(len(row) for row in rows) * SMALL * LETTER + 16
    above = max(len(column) for column in columns) * SMALL * LETTER + 10
    step = min((PAGE_WIDTH - left - 10) / len(columns), 44.0)
    right, bottom = left + step * len(columns), above + MATRIX_ROW * len(rows)
    parts = []
    for n, column in enumerate(columns):
        x = left + step * (n + 0.5)
        parts += [
            line(Point(x, above), Point(x, bottom), "#dbe2e6", 1),
            f'<g transform="translate({x + 4:.1f} {above - 6:.1f}) rotate(-90)">{text(0, 0, column, SMALL)}</g>',
        ]
    for n, row in enumerate(rows):
        y = above + MATRIX_ROW * (n + 0.5)
        parts += [line(Point(left, y), Point(right, y), "#dbe2e6", 1), text(2, y + 4, row, SMALL)]
        parts += [
            f'<circle cx="{left + step * (m + 0.5):.1f}" cy="{y:.1f}" r="5" fill="{BLUE[0]}"/>'
            for m, column in enumerate(columns)
            if (row, column) in marks
        ]
    return picture(round(right + 4), round(bottom + 4), title, parts)


def picture(width: float, height: float, title: str, parts: Iterable[str]) -> str:
    """The whole picture."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        f'height="{height:g}" role="img" aria-label="{escape(title)}" font-family="{FONT}, sans-serif">'
        f"<title>{escape(title)}</title>"
        f'<rect width="{width:g}" height="{height:g}" fill="#ffffff"/>{"".join(parts)}</svg>'
    )
