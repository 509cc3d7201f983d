"""The trend: a figure over time, with its interval, periods that the data cover in part, and masked ones."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property
from itertools import groupby
from typing import Final

from chu_platform import french
from chu_platform.portal.charts.drawing import Reference, tick_digits
from chu_platform.portal.charts.grammar import (
    Band,
    Chart,
    Entry,
    Line,
    Mark,
    Named,
    Rule,
    Span,
    Spans,
    Withheld,
    period_axis,
    value_axis,
)
from chu_platform.portal.charts.period_marks import Beads, Holes, Notice, Ringed

# Longer units stand in the title of a chart.
MAX_TICK_UNIT: Final = 2
INTERVAL: Final = "intervalle de confiance à 95 %"
WHY_MASKED: Final = "masqué : trop peu de personnes ou de professionnels, ou cellule qui en révélerait un"
ALL_MASKED: Final = "Toutes les périodes sont masquées"
NOTHING: Final = "Aucune période n’a de chiffre"
MASKED_KEY: Final = "masqué (secret statistique)"
NO_DATA: Final = "année sans donnée"
YEAR: Final = re.compile(r"\d{4}")


class Kind(Enum):
    """How a value is drawn: on the line, or beside it because it does not compare, or is of an incomplete period."""

    JOINED, ALONE, PARTIAL = range(3)


# Of each kind: its entry in the legend, and its style.
KINDS: Final = {
    Kind.JOINED: ("", "dot"),
    Kind.ALONE: ("année non comparable", "dot-partial"),
    Kind.PARTIAL: ("période incomplète, à part de la courbe", "dot-partial"),
}


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

    @property
    def kind(self) -> Kind | None:
        """How its value is drawn; None without a value."""
        if self.value is None:
            return None
        return Kind.ALONE if self.alone else Kind.PARTIAL if self.partial else Kind.JOINED


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

    @cached_property
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


def trend(chart: Trend) -> Chart:
    """The chart of a trend. Its line joins neighbouring periods that compare: none leads to an incomplete one."""
    moments, own = chart.moments, chart.own
    values = [v for m in moments for v in (m.value, m.low, m.high, m.expected) if v is not None]
    values += [chart.reference.value] if chart.reference else []
    y = value_axis(values, chart.from_zero, unit=chart.unit if len(chart.unit) <= MAX_TICK_UNIT else "")
    if not chart.shown:
        # A scale without a figure would be made up.
        y = replace(y, ticks=[])
    key: list[Mark] = [Entry("line", "dot", "valeur", "circle")] if any(m.kind is Kind.JOINED for m in moments) else []
    marks = [*key, *_intervals(chart), *_lines(chart), *_dots(chart), *_holes(chart), *_named(chart)]
    chosen = next((n for n, m in enumerate(moments) if m is own), None)
    return Chart(chart.title, described(chart), period_axis([m.tick for m in moments], chosen), y, marks, _spans(chart))


def _tooltip_text(chart: Trend, moment: Moment, value: float) -> str:
    return f"{moment.label}, {french.amount(value, chart.unit, chart.digits)}"


def _no_data(chart: Trend) -> str:
    """As "2018 : année sans donnée"."""
    return f"{french.listed(chart.missing)} : {NO_DATA if len(chart.missing) == 1 else 'années sans donnée'}"


def _intervals(chart: Trend) -> Iterator[Mark]:
    """The intervals: a band over consecutive periods, a bar for a single or incomplete period."""
    limits = [
        (n, m.low, m.high) if m.low is not None and m.high is not None else None for n, m in enumerate(chart.moments)
    ]
    for partial in (False, True):
        kept = [one if m.partial is partial else None for one, m in zip(limits, chart.moments, strict=True)]
        label = chart.interval_label if not partial and any(limits) else ""
        yield Band(kept, "band", label)


def _lines(chart: Trend) -> Iterator[Mark]:
    """The line of the values, of what they would usually be, and of the reference."""
    if any(m.expected is not None for m in chart.moments):
        yield Line([(n, m.expected) for n, m in enumerate(chart.moments)], "reference", chart.expected_label)
    if chart.reference:
        digits = tick_digits([chart.reference.value])
        words = f"{chart.reference.label} : {french.amount(chart.reference.value, chart.unit, digits)}"
        yield Rule(chart.reference.value, "reference", words)
    yield Line([(n, m.value if m.kind is Kind.JOINED else None) for n, m in enumerate(chart.moments)], "line")


def _dots(chart: Trend) -> Iterator[Mark]:
    for kind, (label, style) in KINDS.items():
        found = [(n, m, v) for n, m in enumerate(chart.moments) if m.kind is kind and (v := m.value) is not None]
        said = [((n, v), _said(chart, m, v)) for n, m, v in found if m is not chart.own]
        yield Beads(said, style, label if found else "", on_line=kind is Kind.JOINED)
        for n, m, v in found:
            if m is chart.own:
                yield Ringed((n, v), _said(chart, m, v), style, f"période choisie : {m.label}")


def _said(chart: Trend, moment: Moment, value: float) -> str:
    text = _tooltip_text(chart, moment, value)
    if moment.expected is not None:
        text += f" ; {chart.expected_label} : {french.amount(moment.expected, chart.unit, chart.digits)}"
    if moment.low is not None and moment.high is not None:
        text += f" ({chart.interval_label} : {french.interval(moment.low, moment.high, chart.unit, chart.digits)})"
    if moment.partial:
        text += ", période incomplète"
    return f"{text}, période choisie" if moment is chart.own else text


def _holes(chart: Trend) -> Iterator[Mark]:
    """What stands where there is no figure: masked periods, years without data; or a word that there is none at all."""
    runs = _runs(chart.moments, lambda m: m.masked)
    whys = [f"{_when(chart, run)} : {WHY_MASKED}" for run in runs]
    yield Withheld([(run[0] - 0.5, run[-1] + 0.5) for run in runs], whys, MASKED_KEY)
    yield Holes([n for n, m in enumerate(chart.moments) if m.missing], "sans donnée", _no_data(chart))
    if chart.moments and not chart.shown:
        yield Notice(ALL_MASKED if any(m.masked for m in chart.moments) else NOTHING)


def _spans(chart: Trend) -> Spans:
    """The known episodes."""
    named = [(run, chart.moments[run[0]].span or "") for run in _runs(chart.moments, lambda m: m.span)]
    return Spans(
        [
            Span(run[0] - 0.5, run[-1] + 0.5, name, f"Épisode connu, {name} : {_when(chart, run)}")
            for run, name in named
        ],
        "épisode connu" if named else "",
    )


def _runs(moments: Sequence[Moment], key: Callable[[Moment], object]) -> list[list[int]]:
    """Numbers of neighbouring moments with the same true key."""
    grouped = groupby(range(len(moments)), key=lambda n: key(moments[n]))
    return [list(run) for found, run in grouped if found]


def _when(chart: Trend, run: Sequence[int]) -> str:
    first, last = chart.moments[run[0]].label, chart.moments[run[-1]].label
    return first if len(run) == 1 else f"{first} à {last}"


def _named(chart: Trend) -> Iterator[Mark]:
    """The figure of the chosen period beside its mark; of the last whole one where none is chosen."""
    found = [
        (n, m, v)
        for n, m in enumerate(chart.moments)
        if (v := m.value) is not None and (m is chart.own if chart.own else not m.partial)
    ]
    for n, m, v in found[-1:]:
        yield Named((n, v if m.high is None else m.high), french.amount(v, chart.unit, chart.digits))
