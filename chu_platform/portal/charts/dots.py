"""The dot plot: one figure a row, with its interval, and the ranks that the intervals allow."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from markupsafe import Markup

from chu_platform import french
from chu_platform.portal.charts.drawing import (
    NARROW,
    SLIDE,
    WIDE,
    Key,
    Reference,
    Scale,
    Size,
    cut,
    drawn_width,
    element,
    framed,
    hatching,
    legend,
    line,
    path,
    scale,
    text_width,
    tick_digits,
    tooltip,
    withheld,
    words,
)
from chu_platform.portal.charts.ranks import interval, rank_ranges
from chu_platform.portal.charts.trend import INTERVAL, WHY_MASKED

# An interval so many times as wide as the middle one is cut, or the others would shrink to points.
MUCH_WIDER: Final = 5
TOP: Final = 34
ROW: Final = {WIDE.name: 27, NARROW.name: 44, SLIDE.name: 20}
MAX_LABEL_LENGTH: Final = 270
CUT: Final = 8
ALL_MASKED: Final = "Toutes les lignes sont masquées"
NO_RANK: Final = "aucun rang : les intervalles se recouvrent tous"


@dataclass(frozen=True)
class Row:
    """A row; `value` None: masked. `chosen`: the one the page is about."""

    label: str
    value: float | None
    low: float | None = None
    high: float | None = None
    chosen: bool = False


@dataclass(frozen=True)
class Dots:
    """A dot plot. `ranked`: the highest comes first, with the ranks its interval allows; else rows stay as given."""

    title: str
    unit: str
    digits: int
    rows: Sequence[Row]
    ranked: bool = True
    from_zero: bool = False
    reference: Reference | None = None
    value_label: str = "valeur"
    interval_label: str = INTERVAL


@dataclass(frozen=True)
class _Placed:
    """What the chart shows of a row; no ranks where its interval allows all of them."""

    row: Row
    ranks: tuple[int, int] | None


def described(chart: Dots) -> str:
    """The chart in words."""
    placed = _placed(chart)
    shown = [p for p in placed if p.row.value is not None]
    parts = [f"{french.counted(len(placed), 'ligne', 'lignes')}."]
    if shown:
        ends = sorted(shown, key=lambda p: p.row.value or 0.0)
        low, high = (f"{_value(chart, p.row)} ({p.row.label})" for p in (ends[0], ends[-1]))
        parts.append(f"De {low} à {high}.")
    if chart.reference:
        parts.append(f"{_reference_text(chart, chart.reference)}.")
    if chart.ranked and shown and not any(p.ranks for p in placed):
        parts.append(f"{NO_RANK.capitalize()}.")
    elif chart.ranked and shown:
        sure = [p for p in placed if p.ranks and p.ranks[0] == p.ranks[1]]
        if sure:
            established = french.listed([f"{p.row.label} ({french.ordinal(p.ranks[0])})" for p in sure if p.ranks])
            parts.append(
                f"Rang établi pour : {established}. "
                "Les autres rangs sont des fourchettes, car des intervalles se recouvrent."
            )
        else:
            parts.append("Aucun rang n’est établi seul : des intervalles se recouvrent.")
    if placed and not shown:
        parts.append(f"{ALL_MASKED}.")
    elif masked := len(placed) - len(shown):
        parts.append(f"{french.counted(masked, 'ligne masquée', 'lignes masquées')}.")
    return " ".join(parts)


def dots(chart: Dots, name: str) -> Markup:
    """The chart for wide and for narrow pages; `name` is unique in its page."""
    return draw(chart, name, WIDE) + draw(chart, name, NARROW)


def rank_text(ranks: tuple[int, int] | None) -> str:
    """As "1er", or "3e à 12e" where the intervals do not tell."""
    if ranks is None:
        return ""
    return (
        french.ordinal(ranks[0]) if ranks[0] == ranks[1] else f"{french.ordinal(ranks[0])} à {french.ordinal(ranks[1])}"
    )


def draw(chart: Dots, name: str, size: Size) -> Markup:
    """The chart for one width."""
    placed = _placed(chart)
    bottom = TOP + ROW[size.name] * len(placed)
    left, right = _plot(placed, chart, size)
    x = _horizontal(chart, left, right)
    hatch = f"{name}-{size.name}-hatch"
    marks = [element("defs", content=hatching(hatch)), *_stripes(placed, size), _grid(chart, x, bottom)]
    for number, each in enumerate(placed):
        marks += _row(chart, each, x, TOP + number * ROW[size.name], size, hatch)
    keys, height = legend(_keys(chart, placed, x, hatch), size, 4, bottom + 12)
    return framed(size, name, bottom + 16 + height, chart.title, described(chart), "".join(marks) + keys)


def _placed(chart: Dots) -> list[_Placed]:
    if not chart.ranked:
        return [_Placed(row, None) for row in chart.rows]
    rows = sorted(chart.rows, key=lambda row: (row.value is None, -(row.value or 0.0), row.label))
    intervals = [interval(r.low, r.high) for r in rows]
    every_rank = (1, sum(i is not None for i in intervals))
    ranges = (None if ranks == every_rank else ranks for ranks in rank_ranges(intervals))
    return [_Placed(row, ranks) for row, ranks in zip(rows, ranges, strict=True)]


def _plot(placed: Sequence[_Placed], chart: Dots, size: Size) -> tuple[float, float]:
    """Where the plot begins and ends, between the labels and the figures."""
    if size.is_narrow:
        return 14.0, size.width - 14.0
    label = min(max((text_width(p.row.label) for p in placed), default=0), MAX_LABEL_LENGTH)
    figures = max((text_width(_figures(chart, p)) for p in placed), default=0)
    return 20 + label, size.width - 20 - figures


def _horizontal(chart: Dots, left: float, right: float) -> Scale:
    widths = [r.high - r.low for r in chart.rows if r.low is not None and r.high is not None]
    widest = MUCH_WIDER * median(widths) if widths else 0.0
    values = [r.value for r in chart.rows if r.value is not None]
    for row in chart.rows:
        if row.low is not None and row.high is not None and row.high - row.low <= widest:
            values += [row.low, row.high]
    if chart.reference:
        values.append(chart.reference.value)
    return scale(values, left, right, chart.from_zero)


def _stripes(placed: Sequence[_Placed], size: Size) -> Iterator[str]:
    for number in range(0, len(placed), 2):
        yield element(
            "rect", "row", x=0, y=TOP + number * ROW[size.name], width=size.width, height=ROW[size.name], rx=3
        )


def _grid(chart: Dots, x: Scale, bottom: float) -> str:
    drawn = []
    if all(row.value is None for row in chart.rows):
        # A scale without a figure would be made up.
        return words(8, TOP - 12, ALL_MASKED, "strong") if chart.rows else ""
    digits = tick_digits(x.ticks)
    for value in x.ticks:
        drawn.append(line(x(value), TOP - 6, x(value), bottom, "grid"))
        drawn.append(words(x(value), TOP - 12, french.number(value, digits), "soft", "middle"))
    if chart.reference:
        at = x(chart.reference.value)
        drawn.append(line(at, TOP - 6, at, bottom, "reference"))
    return "".join(drawn)


def _row(chart: Dots, placed: _Placed, x: Scale, top: float, size: Size, hatch: str) -> Iterator[str]:
    row = placed.row
    height = ROW[size.name]
    middle = top + (height - 14 if size.is_narrow else height / 2)
    baseline = top + 17 if size.is_narrow else middle + 4.5
    style = "strong" if row.chosen else "ink"
    # A label is cut where figures begin; the table beside the chart has it whole.
    room = size.width - 24 - drawn_width(_figures(chart, placed)) if size.is_narrow else x.start - 16
    yield words(8, baseline, cut(row.label, room), style)
    yield words(size.width - 8, baseline, _figures(chart, placed), "soft" if row.value is None else style, "end")
    if row.value is None:
        yield withheld(x.start, middle - 6, x.end - x.start, 12, hatch, f"{row.label} : {WHY_MASKED}")
        return
    chosen = "-chosen" if row.chosen else ""
    if row.low is not None and row.high is not None:
        yield from _whisker(x, row.low, row.high, middle, f"whisker{chosen}")
    yield element(
        "circle", f"dot{chosen}", tooltip(f"{row.label} : {_figures(chart, placed)}"), cx=x(row.value), cy=middle, r=5.5
    )


def _whisker(x: Scale, low: float, high: float, middle: float, style: str) -> Iterator[str]:
    """The interval; where it leaves the chart, an arrow in place of its end."""
    start, end = x(x.inside(low)), x(x.inside(high))
    yield line(start, middle, end, middle, style)
    for at, inwards, is_cut in ((start, 1, low < x.low), (end, -1, high > x.high)):
        if is_cut:
            yield element(
                "path",
                style,
                d=path([(at + inwards * CUT, middle - 5), (at, middle), (at + inwards * CUT, middle + 5)]),
            )
        else:
            yield line(at, middle - 4, at, middle + 4, style)


def _figures(chart: Dots, placed: _Placed) -> str:
    row = placed.row
    if row.value is None:
        return french.MASKED
    text = _value(chart, row)
    if row.low is not None and row.high is not None:
        text += f" ({french.interval(row.low, row.high, '', chart.digits)})"
    return f"{text} · {rank_text(placed.ranks)}" if placed.ranks else text


def _value(chart: Dots, row: Row) -> str:
    return french.amount(row.value or 0.0, chart.unit, chart.digits)


def _reference_text(chart: Dots, reference: Reference) -> str:
    return f"{reference.label} : {french.amount(reference.value, chart.unit, chart.digits)}"


def _is_cut(x: Scale, row: Row) -> bool:
    return row.low is not None and row.high is not None and (row.low < x.low or row.high > x.high)


def _arrow(x: float, y: float) -> str:
    return "".join(_whisker(Scale(x, x + 22, x, x + 22, ()), x - 1, x + 23, y + 6, "whisker"))


def _keys(chart: Dots, placed: Sequence[_Placed], x: Scale, hatch: str) -> list[Key]:
    keys = []
    if any(p.row.value is not None for p in placed):
        keys.append(Key(lambda x, y: element("circle", "dot", cx=x + 11, cy=y + 6, r=5.5), chart.value_label))
    if any(p.row.low is not None for p in placed):
        keys.append(Key(lambda x, y: "".join(_whisker(_AS_IS, x, x + 22, y + 6, "whisker")), chart.interval_label))
    if any(_is_cut(x, p.row) for p in placed):
        keys.append(Key(_arrow, "intervalle plus large que le graphique"))
    if chart.reference:
        keys.append(
            Key(lambda x, y: line(x, y + 6, x + 22, y + 6, "reference"), _reference_text(chart, chart.reference))
        )
    if any(p.ranks for p in placed):
        keys.append(
            Key(
                lambda x, y: words(x + 11, y + 10.5, "1er", "soft", "middle", 12),
                "rangs que les intervalles permettent",
            )
        )
    elif chart.ranked and any(p.row.low is not None for p in placed):
        keys.append(Key(lambda x, y: words(x + 11, y + 10.5, "–", "soft", "middle", 12), NO_RANK))
    if any(p.row.value is None for p in placed):
        keys.append(Key(lambda x, y: withheld(x, y, 22, 12, hatch, WHY_MASKED), "masqué (secret statistique)"))
    return keys


_AS_IS: Final = Scale(0.0, 10_000.0, 0.0, 10_000.0, ())
