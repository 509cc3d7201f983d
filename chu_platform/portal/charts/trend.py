"""The trend: a figure over time, with its interval, periods that the data cover in part, and masked ones."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
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

TOP: Final = 30
# Of the names of episodes: the height of a row, and where the first one is written.
SPAN_ROW: Final = 18
SPAN_TOP: Final = 15
PLOT: Final = {WIDE.name: 220, NARROW.name: 190, SLIDE.name: 330}
# A mark for each period only where they do not touch.
MIN_TICK_STEP: Final = 9
INTERVAL: Final = "intervalle de confiance à 95 %"
WHY_MASKED: Final = "masqué : trop peu de personnes ou de professionnels, ou cellule qui en révélerait un"
ALL_MASKED: Final = "Toutes les périodes sont masquées"
NOTHING: Final = "Aucune période n’a de chiffre"
NO_DATA: Final = "année sans donnée"
YEAR: Final = re.compile(r"\d{4}")


@dataclass(frozen=True)
class Moment:
    """A period of the trend; `value` is None where it is masked, or `absent` where nothing was observed.

    `missing`: a year that the table has no row of at all, between others. `expected` is what the value would usually
    be; `low` and `high` are then its limits. `span` is the name of a known episode. An `alone` value has no line to
    others: it does not compare.
    """

    label: str
    tick: str
    value: float | None
    low: float | None = None
    high: float | None = None
    partial: bool = False
    absent: bool = False
    missing: bool = False
    expected: float | None = None
    span: str | None = None
    alone: bool = False

    @property
    def masked(self) -> bool:
        """Whether there is a figure that is withheld."""
        return self.value is None and not self.absent


def by_time(moments: Sequence[Moment]) -> Sequence[Moment]:
    """The moments, of years also those between them that are missing: equal distances are equal times."""
    if not all(YEAR.fullmatch(m.label) for m in moments):
        return moments
    found: list[Moment] = []
    for moment in moments:
        year = int(found[-1].label) + 1 if found else int(moment.label)
        found += [Moment(f"{y}", f"{y}", None, absent=True, missing=True) for y in range(year, int(moment.label))]
        found.append(moment)
    return found


@dataclass(frozen=True)
class Trend:
    """A trend; `title` says what is shown, `unit` follows the figures, `moments` are equally long and in order.

    Years missing between others are added to the moments. `chosen` is the label of the one the page is about. With
    `expected_label`, moments have an expected value.
    """

    title: str
    unit: str
    digits: int
    moments: Sequence[Moment]
    from_zero: bool = True
    interval_label: str = INTERVAL
    reference: Reference | None = None
    chosen: str = ""
    expected_label: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "moments", by_time(self.moments))

    @property
    def shown(self) -> bool:
        """Whether there is any figure to draw."""
        return any(m.value is not None for m in self.moments)

    @property
    def own(self) -> Moment | None:
        """The chosen moment, where it is one of those shown."""
        return next((m for m in self.moments if m.label == self.chosen), None)

    @property
    def missing(self) -> Sequence[str]:
        """The years without data between others."""
        return [m.label for m in self.moments if m.missing]


def about(chart: Trend, period: str) -> Trend:
    """The same trend with the period that its page is about marked; it may be none of the trend's."""
    return replace(chart, chosen=period)


def described(chart: Trend) -> str:
    """The trend in words."""
    shown = [(m, m.value) for m in chart.moments if m.value is not None]
    parts = []
    if chart.moments:
        parts.append(
            f"Courbe de {french.counted(len(chart.moments), 'période', 'périodes')}, "
            f"de {chart.moments[0].label} à {chart.moments[-1].label}."
        )
    if chart.moments and not shown:
        parts.append(f"{ALL_MASKED if any(m.masked for m in chart.moments) else NOTHING}.")
    if whole := [(m, v) for m, v in shown if not m.partial and not m.alone]:
        lowest, highest = (pick(whole, key=lambda p: p[1]) for pick in (min, max))
        parts.append(
            f"Le plus bas : {_tooltip_text(chart, *lowest)}. Le plus haut : {_tooltip_text(chart, *highest)}. "
            f"Dernière période complète : {_tooltip_text(chart, *whole[-1])}."
        )
    if chart.own:
        own = chart.own
        value = (
            "masquée" if own.masked else "sans donnée" if own.value is None else _tooltip_text(chart, own, own.value)
        )
        parts.append(f"Période choisie : {value if own.value is not None else f'{own.label}, {value}'}.")
    for count, one, several in (
        (sum(m.partial for m in chart.moments), "période incomplète", "périodes incomplètes"),
        (sum(m.masked for m in chart.moments), "période masquée", "périodes masquées"),
        (sum(m.alone for m in chart.moments), "période non comparable", "périodes non comparables"),
        (sum(m.absent and not m.missing for m in chart.moments), "période sans donnée", "périodes sans donnée"),
    ):
        if count:
            parts.append(f"{french.counted(count, one, several).capitalize()}.")
    if spans := list(dict.fromkeys(m.span for m in chart.moments if m.span)):
        parts.append(f"Épisodes connus : {french.listed(spans)}.")
    if chart.missing:
        parts.append(f"{_no_data(chart)} ; la courbe y est interrompue.")
    return " ".join(parts)


def trend(chart: Trend, name: str) -> Markup:
    """The chart for wide and for narrow pages; `name` is unique in its page."""
    return draw(chart, name, WIDE) + draw(chart, name, NARROW)


def draw(chart: Trend, name: str, size: Size) -> Markup:
    """The chart for one width."""
    words_of_scale = _vertical(chart, TOP, TOP + PLOT[size.name])
    left = 14 + max(text_width(_tick(chart, words_of_scale, t)) for t in words_of_scale.ticks)
    step = (size.width - left - 14) / max(len(chart.moments), 1)
    xs = [left + (i + 0.5) * step for i in range(len(chart.moments))]
    names = _span_names(chart, xs, size)
    top = TOP + SPAN_ROW * max((n.row + 1 for n in names), default=0)
    bottom = top + PLOT[size.name]
    y = _vertical(chart, top, bottom)
    hatch = f"{name}-{size.name}-hatch"
    marks = [
        element("defs", content=hatching(hatch)),
        _grid(chart, y, left, size),
        *_spans(chart, names, xs, step, bottom),
        _reference(chart, y, left, size),
        *_withheld(chart, xs, step, top, bottom, hatch),
        *_missing(chart, xs, step, bottom),
        *_nothing(chart, top, bottom, size),
        *_bands(chart, xs, y),
        *_expected(chart, xs, y),
        *_lines(chart, xs, y),
        *_dots(chart, xs, y, step),
        _ticks(chart, xs, bottom),
        _named(chart, xs, y, size),
    ]
    keys, height = legend(_keys(chart, hatch), size, 4, bottom + 34)
    return framed(size, name, bottom + 38 + height, chart.title, described(chart), "".join(marks) + keys)


def _tooltip_text(chart: Trend, moment: Moment, value: float) -> str:
    return f"{moment.label}, {french.amount(value, chart.unit, chart.digits)}"


def _no_data(chart: Trend) -> str:
    """As "2018 : année sans donnée"."""
    return f"{french.listed(chart.missing)} : {NO_DATA if len(chart.missing) == 1 else 'années sans donnée'}"


def _vertical(chart: Trend, top: float, bottom: float) -> Scale:
    values = [v for m in chart.moments for v in (m.value, m.low, m.high, m.expected) if v is not None]
    if chart.reference:
        values.append(chart.reference.value)
    return scale(values, bottom, top, chart.from_zero, steps=4)


def _tick(chart: Trend, y: Scale, value: float) -> str:
    text = french.number(value, tick_digits(y.ticks))
    return f"{text}{french.NO_BREAK}{chart.unit}" if value == y.ticks[-1] and len(chart.unit) <= 2 else text


def _grid(chart: Trend, y: Scale, left: float, size: Size) -> str:
    drawn = []
    if not chart.shown:
        # A scale without a figure would be made up.
        bottom = y(y.ticks[0])
        return line(left, bottom, size.width - 8, bottom, "axis")
    for value in y.ticks:
        style = "axis" if value == y.ticks[0] else "grid"
        drawn.append(line(left, y(value), size.width - 8, y(value), style))
        drawn.append(words(left - 8, y(value) + 4.5, _tick(chart, y, value), "soft", "end"))
    return "".join(drawn)


def _runs(moments: Sequence[Moment], kind: str) -> Iterator[list[int]]:
    """Numbers of neighbouring moments of a kind."""
    for is_kind, run in groupby(range(len(moments)), key=lambda i: bool(getattr(moments[i], kind))):
        if is_kind:
            yield list(run)


@dataclass(frozen=True)
class _SpanName:
    """The name of an episode: the numbers of its moments, and where it is written, in a row above the plot."""

    text: str
    run: Sequence[int]
    x: float
    row: int


def _span_names(chart: Trend, xs: Sequence[float], size: Size) -> Sequence[_SpanName]:
    """The episodes, each name in the first row that has room for it."""
    found: list[_SpanName] = []
    free: list[float] = []
    for name, run in groupby(range(len(xs)), key=lambda i: chart.moments[i].span):
        numbers = list(run)
        if name is None:
            continue
        half = text_width(name) / 2 + 4
        x = min(max((xs[numbers[0]] + xs[numbers[-1]]) / 2, half + 4), size.width - 4 - half)
        row = next((i for i, end in enumerate(free) if x - half >= end), len(free))
        free[row : row + 1] = [x + half]
        found.append(_SpanName(name, numbers, x, row))
    return found


def _spans(chart: Trend, names: Sequence[_SpanName], xs: Sequence[float], step: float, bottom: float) -> Iterator[str]:
    """A bar behind the moments of each episode, up to its name."""
    for span in names:
        begin, width = xs[span.run[0]] - step / 2, step * len(span.run)
        y = SPAN_TOP + SPAN_ROW * span.row
        months = chart.moments[span.run[0]].label, chart.moments[span.run[-1]].label
        when = months[0] if len(span.run) == 1 else f"{months[0]} à {months[1]}"
        text = tooltip(f"Épisode connu, {span.text} : {when}")
        yield element("rect", "span", text, x=begin, y=y + 4, width=max(width, 3), height=bottom - y - 4)
        yield words(span.x, y, span.text, "strong", "middle")


def _withheld(chart: Trend, xs: Sequence[float], step: float, top: float, bottom: float, hatch: str) -> Iterator[str]:
    for run in _runs(chart.moments, "masked"):
        begin, width = xs[run[0]] - step / 2, step * len(run)
        labels = chart.moments[run[0]].label, chart.moments[run[-1]].label
        when = labels[0] if len(run) == 1 else f"{labels[0]} à {labels[1]}"
        yield withheld(begin, top, width, bottom - top, hatch, f"{when} : {WHY_MASKED}")
        if width > text_width("masqué") + 8:
            middle = begin + width / 2
            half = text_width("masqué") / 2 + 4
            yield element("rect", "row", x=middle - half, y=bottom - 30, width=2 * half, height=20, rx=3)
            yield words(middle, bottom - 16, "masqué", "soft", "middle")


def _missing(chart: Trend, xs: Sequence[float], step: float, bottom: float) -> Iterator[str]:
    """In the hole that a year without data leaves, why it is one."""
    for x, moment in zip(xs, chart.moments, strict=True):
        if moment.missing and step > text_width("sans donnée") + 8:
            yield words(x, bottom - 16, "sans donnée", "soft", "middle")


def _nothing(chart: Trend, top: float, bottom: float, size: Size) -> Iterator[str]:
    """In place of a curve, that there is none to draw."""
    if chart.moments and not chart.shown:
        text = ALL_MASKED if any(m.masked for m in chart.moments) else NOTHING
        x, y, half = size.width / 2, (top + bottom) / 2, text_width(text) / 2 + 8
        yield element("rect", "row", x=x - half, y=y - 18, width=2 * half, height=28, rx=4)
        yield words(x, y, text, "strong", "middle")


def _bands(chart: Trend, xs: Sequence[float], y: Scale) -> Iterator[str]:
    """The intervals: a band over consecutive periods, a bar for a single or incomplete period."""
    known = [(m.low is not None and m.high is not None, m.partial) for m in chart.moments]
    for (is_known, _), group in groupby(range(len(xs)), key=known.__getitem__):
        run = list(group)
        if not is_known:
            continue
        lows = [(xs[i], y(chart.moments[i].low or 0.0)) for i in run]
        highs = [(xs[i], y(chart.moments[i].high or 0.0)) for i in run]
        if len(run) == 1:
            (x, low), (_, high) = lows[0], highs[0]
            yield line(x, low, x, high, "whisker")
        else:
            yield element("path", "band", d=path([*highs, *reversed(lows)], closed=True))


def _expected(chart: Trend, xs: Sequence[float], y: Scale) -> Iterator[str]:
    """The line of what values would usually be."""
    for known, group in groupby(range(len(xs)), key=lambda i: chart.moments[i].expected is not None):
        points = [(xs[i], y(chart.moments[i].expected or 0.0)) for i in group]
        if known and len(points) > 1:
            yield element("path", "reference", d=path(points))


def _lines(chart: Trend, xs: Sequence[float], y: Scale) -> Iterator[str]:
    """Straight lines between consecutive periods that compare: none leads to an incomplete one."""
    joined = [m.value is not None and not m.alone and not m.partial for m in chart.moments]
    for is_joined, group in groupby(range(len(xs)), key=joined.__getitem__):
        points = [(xs[i], y(chart.moments[i].value or 0.0)) for i in group]
        if is_joined and len(points) > 1:
            yield element("path", "line", d=path(points))


def _dots(chart: Trend, xs: Sequence[float], y: Scale, step: float) -> Iterator[str]:
    for x, moment in zip(xs, chart.moments, strict=True):
        if moment.value is None:
            continue
        text = _tooltip_text(chart, moment, moment.value)
        if moment.expected is not None:
            text += f" ; {chart.expected_label} : {french.amount(moment.expected, chart.unit, chart.digits)}"
        if moment.low is not None and moment.high is not None:
            text += f" ({chart.interval_label} : {french.interval(moment.low, moment.high, chart.unit, chart.digits)})"
        if moment.partial:
            text += ", période incomplète"
        is_own = moment is chart.own
        if is_own:
            text += ", période choisie"
        style = "dot-partial" if moment.partial or moment.alone else "dot"
        crowded = step < MIN_TICK_STEP and not moment.partial and not moment.alone
        radius = max(step / 2, 2) if step < MIN_TICK_STEP and not is_own else 4.5
        if is_own:
            # Below its mark: a ring, so that an incomplete period stays hollow.
            yield element("circle", "dot-chosen", cx=x, cy=y(moment.value), r=8)
            crowded = False
        # Where marks would touch, the line speaks, and the mark only answers the pointer.
        yield element(
            "circle", style, tooltip(text), cx=x, cy=y(moment.value), r=radius,
            **({"opacity": 0} if crowded else {}),
        )  # fmt: skip


def _ticks(chart: Trend, xs: Sequence[float], bottom: float) -> str:
    """The ticks that have room; the others stay without words."""
    drawn, free = [], float("-inf")
    kept = [
        (x, text_width(m.tick) / 2 + 8) for x, m in zip(xs, chart.moments, strict=True) if m is chart.own and m.tick
    ]
    for x, moment in zip(xs, chart.moments, strict=True):
        half = text_width(moment.tick) / 2
        is_own = moment is chart.own
        # The chosen period has its words; others stand back for it.
        has_room = x - half >= free and all(abs(x - at) >= half + room for at, room in kept)
        if moment.tick and (is_own or has_room):
            style = "strong" if is_own else "soft"
            drawn += [line(x, bottom, x, bottom + 5, "axis"), words(x, bottom + 19, moment.tick, style, "middle")]
            free = x + half + 8
    return "".join(drawn)


def _reference(chart: Trend, y: Scale, left: float, size: Size) -> str:
    if not chart.reference:
        return ""
    at = y(chart.reference.value)
    return line(left, at, size.width - 8, at, "reference")


def _named(chart: Trend, xs: Sequence[float], y: Scale, size: Size) -> str:
    """The figure of the chosen period beside its mark; of the last whole one where none is chosen."""
    found = [(x, m) for x, m in zip(xs, chart.moments, strict=True) if m.value is not None and not m.partial]
    if chart.own:
        found = [(x, m) for x, m in zip(xs, chart.moments, strict=True) if m is chart.own and m.value is not None]
    if not found:
        return ""
    x, moment = found[-1]
    text = french.amount(moment.value or 0.0, chart.unit, chart.digits)
    half = text_width(text) / 2 + 2
    top = y(moment.high if moment.high is not None else moment.value or 0.0)
    return words(min(max(x, half + 4), size.width - 8 - half), max(top - 13, 13), text, "value", "middle")


def _own_sample(own: Moment, x: float, y: float) -> str:
    ring = element("circle", "dot-chosen", cx=x + 11, cy=y + 6, r=8)
    return ring + element("circle", "dot-partial" if own.partial else "dot", cx=x + 11, cy=y + 6, r=4.5)


def _keys(chart: Trend, hatch: str) -> list[Key]:
    def has(kind: str) -> bool:
        return any(getattr(m, kind) for m in chart.moments)

    keys = []
    if any(m.value is not None and not m.partial and not m.alone for m in chart.moments):
        keys.append(
            Key(
                lambda x, y: (
                    line(x, y + 6, x + 22, y + 6, "line") + element("circle", "dot", cx=x + 11, cy=y + 6, r=4.5)
                ),
                "valeur",
            )
        )
    if chart.own and chart.own.value is not None:
        keys.append(Key(partial(_own_sample, chart.own), f"période choisie : {chart.own.label}"))
    if any(m.expected is not None for m in chart.moments):
        keys.append(Key(lambda x, y: line(x, y + 6, x + 22, y + 6, "reference"), chart.expected_label))
    if any(m.low is not None for m in chart.moments):
        keys.append(Key(lambda x, y: element("rect", "band", x=x, y=y, width=22, height=12), chart.interval_label))
    if any(m.alone and m.value is not None for m in chart.moments):
        keys.append(
            Key(lambda x, y: element("circle", "dot-partial", cx=x + 11, cy=y + 6, r=4), "année non comparable")
        )
    if any(m.span for m in chart.moments):
        keys.append(Key(lambda x, y: element("rect", "span", x=x, y=y, width=22, height=12), "épisode connu"))
    if any(m.partial and not m.alone and m.value is not None for m in chart.moments):
        keys.append(
            Key(
                lambda x, y: element("circle", "dot-partial", cx=x + 11, cy=y + 6, r=4.5),
                "période incomplète, à part de la courbe",
            )
        )
    if has("masked"):
        keys.append(Key(lambda x, y: withheld(x, y, 22, 12, hatch, WHY_MASKED), "masqué (secret statistique)"))
    if chart.missing:
        keys.append(Key(lambda x, y: words(x + 11, y + 10.5, "–", "soft", "middle", 12), _no_data(chart)))
    if chart.reference:
        words_of = f"{chart.reference.label} : {french.amount(chart.reference.value, chart.unit, chart.digits)}"
        keys.append(Key(lambda x, y: line(x, y + 6, x + 22, y + 6, "reference"), words_of))
    return keys
