"""Marks of charts over periods: dots that never touch each other, and words where there is no figure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from chu_platform.portal.charts.drawing import Key, element, text_width, tooltip, words
from chu_platform.portal.charts.grammar import RADIUS, SHAPES, Plot, Point, plate, remark_key

# Periods nearer to each other than so many pixels have dots that would touch.
MIN_STEP: Final = 9


@dataclass(frozen=True)
class Beads:
    """Dots on a `period_axis`, smaller where they would touch; each says its text when it is pointed at.

    Where they would touch on a line (`on_line`), the line speaks, and they only answer the pointer.
    """

    points: Sequence[tuple[Point, str]]
    style: str
    label: str = ""
    on_line: bool = False

    def drawn(self, plot: Plot) -> Iterator[str]:
        """A circle for each point."""
        step = plot.x(1.0) - plot.x(0.0)
        touch = step < MIN_STEP
        hidden = {"opacity": 0} if touch and self.on_line else {}
        for point, text in self.points:
            x, y = plot.at(point)
            radius = max(step / 2, 2) if touch else RADIUS
            yield element("circle", self.style, tooltip(text), cx=x, cy=y, r=radius, **hidden)

    def key(self, _hatch: str, /) -> Key | None:
        """A circle."""

        def sample(x: float, y: float) -> str:
            return element("circle", self.style, cx=x + 11, cy=y + 6, r=RADIUS)

        return Key(sample, self.label) if self.label and self.points else None


@dataclass(frozen=True)
class Ringed:
    """A dot in a ring, of the period that is chosen; a hollow dot stays hollow."""

    point: Point
    text: str
    style: str
    label: str

    def drawn(self, plot: Plot) -> Iterator[str]:
        """Both."""
        yield _ringed(*plot.at(self.point), self.style, tooltip(self.text))

    def key(self, _hatch: str, /) -> Key:
        """Both."""
        return Key(lambda x, y: _ringed(x + 11, y + 6, self.style, ""), self.label)


def _ringed(x: float, y: float, style: str, content: str) -> str:
    return SHAPES["halo"](x, y, "dot-chosen", "") + SHAPES["circle"](x, y, style, content)


@dataclass(frozen=True)
class Holes:
    """Words at the foot of the periods of a `period_axis` that leave a hole, where they have room."""

    places: Sequence[int]
    text: str
    label: str

    def drawn(self, plot: Plot) -> Iterator[str]:
        """The words in each hole."""
        if plot.x(1.0) - plot.x(0.0) > text_width(self.text) + 8:
            for place in self.places:
                yield words(plot.x(place), plot.y.start - 16, self.text, "soft", "middle")

    def key(self, _hatch: str, /) -> Key | None:
        """A dash."""
        return remark_key("–", self.label) if self.places else None


@dataclass(frozen=True)
class Remark:
    """An entry of the legend whose sample is words."""

    sample: str
    label: str

    def drawn(self, _plot: Plot, /) -> Iterator[str]:
        """Nothing."""
        yield from ()

    def key(self, _hatch: str, /) -> Key:
        """The words."""
        return remark_key(self.sample, self.label)


@dataclass(frozen=True)
class Notice:
    """Words in the middle of the plot, in place of marks."""

    text: str

    def drawn(self, plot: Plot) -> Iterator[str]:
        """The words."""
        yield plate(plot.size.width / 2, (plot.y.start + plot.y.end) / 2, self.text, "strong")

    def key(self, _hatch: str, /) -> None:
        """None: it speaks for itself."""
