"""The dot plot: one figure a row, with its interval, and the ranks that the intervals allow."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from chu_platform import french
from chu_platform.portal.charts.drawing import Reference
from chu_platform.portal.charts.grammar import Axis, AxisRow, Chart, Entry, Mark, Rows, Upright, value_axis
from chu_platform.portal.charts.grammar import Dots as DotMarks
from chu_platform.portal.charts.period_marks import Remark
from chu_platform.portal.charts.ranks import interval, rank_ranges
from chu_platform.portal.charts.row_marks import Spreads, WithheldRows
from chu_platform.portal.charts.trend import INTERVAL, MASKED_KEY, WHY_MASKED

# An interval so many times as wide as the middle one is cut, or the others would shrink to points.
MUCH_WIDER: Final = 5
STEPS: Final = 5
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


def rank_text(ranks: tuple[int, int] | None) -> str:
    """As "1er", or "3e à 12e" where the intervals do not tell."""
    if ranks is None:
        return ""
    return (
        french.ordinal(ranks[0]) if ranks[0] == ranks[1] else f"{french.ordinal(ranks[0])} à {french.ordinal(ranks[1])}"
    )


def dots(chart: Dots) -> Chart:
    """The chart of a dot plot."""
    placed = _placed(chart)
    x = _horizontal(chart)
    rows = []
    for each in placed:
        style = "strong" if each.row.chosen else "ink"
        rows.append(AxisRow(each.row.label, _figures(chart, each), style, "soft" if each.row.value is None else style))
    return Chart(chart.title, described(chart), x, Rows(rows), list(_marks(chart, placed, x)))


def _marks(chart: Dots, placed: Sequence[_Placed], x: Axis) -> Iterator[Mark]:
    shown = [(n, p, v) for n, p in enumerate(placed) if (v := p.row.value) is not None]
    if shown:
        yield Entry("", "dot", chart.value_label, "circle")
    if chart.reference and x.ticks:
        yield Upright(chart.reference.value, "reference", _reference_text(chart, chart.reference))
    limits = [(n, p.row.low, p.row.high) for n, p in enumerate(placed)]
    known = [(n, low, high) for n, low, high in limits if low is not None and high is not None]
    for style, chosen in (("whisker", False), ("whisker-chosen", True)):
        label = "" if chosen or not known else chart.interval_label
        yield Spreads([one for one in known if placed[one[0]].row.chosen is chosen], style, label)
    if any(low < x.low or high > x.high for _, low, high in known):
        yield Spreads([], "whisker", "intervalle plus large que le graphique", cut=True)
    for style, chosen in (("dot", False), ("dot-chosen", True)):
        said = [((v, n), f"{p.row.label} : {_figures(chart, p)}") for n, p, v in shown if p.row.chosen is chosen]
        yield DotMarks(said, style)
    if any(p.ranks for p in placed):
        yield Remark("1er", "rangs que les intervalles permettent")
    elif chart.ranked and known:
        yield Remark("–", NO_RANK)
    masked = [(n, f"{p.row.label} : {WHY_MASKED}") for n, p in enumerate(placed) if p.row.value is None]
    yield WithheldRows(masked, MASKED_KEY)


def _placed(chart: Dots) -> list[_Placed]:
    if not chart.ranked:
        return [_Placed(row, None) for row in chart.rows]
    rows = sorted(chart.rows, key=lambda row: (row.value is None, -(row.value or 0.0), row.label))
    intervals = [interval(r.low, r.high) for r in rows]
    every_rank = (1, sum(i is not None for i in intervals))
    ranges = (None if ranks == every_rank else ranks for ranks in rank_ranges(intervals))
    return [_Placed(row, ranks) for row, ranks in zip(rows, ranges, strict=True)]


def _horizontal(chart: Dots) -> Axis:
    widths = [r.high - r.low for r in chart.rows if r.low is not None and r.high is not None]
    widest = MUCH_WIDER * median(widths) if widths else 0.0
    values = [r.value for r in chart.rows if r.value is not None]
    for row in chart.rows:
        if row.low is not None and row.high is not None and row.high - row.low <= widest:
            values += [row.low, row.high]
    if chart.reference:
        values.append(chart.reference.value)
    axis = value_axis(values, chart.from_zero, steps=STEPS)
    if chart.rows and all(row.value is None for row in chart.rows):
        # A scale without a figure would be made up.
        return Axis(axis.low, axis.high, [], ALL_MASKED)
    return axis


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
