"""Marks of charts of rows: intervals along a row, and rows whose figure is withheld."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from chu_platform.portal.charts.drawing import Key, Scale, element, line, path, withheld
from chu_platform.portal.charts.grammar import Plot, hatched_key

CUT: Final = 8


@dataclass(frozen=True)
class Spreads:
    """Intervals along rows, given as (row, low, high); where one leaves the chart, an arrow is in place of its end."""

    limits: Sequence[tuple[float, float, float]]
    style: str
    label: str = ""
    cut: bool = False

    def drawn(self, plot: Plot) -> Iterator[str]:
        """A line with ends for each."""
        for row, low, high in self.limits:
            yield from _spread(plot.x, low, high, plot.y(row), self.style)

    def key(self, _hatch: str, /) -> Key | None:
        """Such a line; with arrows if intervals are `cut`."""
        beyond = 1 if self.cut else 0

        def sample(x: float, y: float) -> str:
            return "".join(_spread(Scale(x, x + 22, x, x + 22, ()), x - beyond, x + 22 + beyond, y + 6, self.style))

        return Key(sample, self.label) if self.label else None


def _spread(x: Scale, low: float, high: float, y: float, style: str) -> Iterator[str]:
    start, end = x(x.inside(low)), x(x.inside(high))
    yield line(start, y, end, y, style)
    for at, inwards, is_cut in ((start, CUT, low < x.low), (end, -CUT, high > x.high)):
        if is_cut:
            yield element("path", style, d=path([(at + inwards, y - 5), (at, y), (at + inwards, y + 5)]))
        else:
            yield line(at, y - 4, at, y + 4, style)


@dataclass(frozen=True)
class WithheldRows:
    """Rows whose figures are withheld, with the words of why."""

    rows: Sequence[tuple[int, str]]
    label: str

    def drawn(self, plot: Plot) -> Iterator[str]:
        """A hatched box in each row."""
        for row, why in self.rows:
            yield withheld(plot.x.start, plot.y(row) - 6, plot.x.end - plot.x.start, 12, plot.hatch, why)

    def key(self, hatch: str, /) -> Key | None:
        """A hatched box."""
        return hatched_key(hatch, self.label if self.rows else "")
