"""What a page of a question shows: its cell, trend, comparison, map, as values and charts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from markupsafe import Markup

from chu_platform import french
from chu_platform.portal.addresses import Addresses
from chu_platform.portal.cells import (
    Cell,
    Peers,
    as_cell,
    at,
    context_cells,
    course_cells,
    history,
    label_of,
    of_france,
    over_time,
    peers,
    periods_at,
)
from chu_platform.portal.charts.curve import Point, curve_chart
from chu_platform.portal.charts.dots import Dots, Row
from chu_platform.portal.charts.drawing import Reference
from chu_platform.portal.charts.grammar import Chart
from chu_platform.portal.charts.regions import TILES, Region, RegionMap
from chu_platform.portal.charts.trend import Moment, Trend, about, trend
from chu_platform.portal.choices import Choice
from chu_platform.portal.questions import Measure, Question
from chu_platform.portal.readable_periods import Period
from chu_platform.portal.reader import Snapshot
from chu_platform.portal.sentences import NO_FIGURE, digits_of, limits, missing
from chu_platform.portal.several import Course, several_chart

# Longer units stand in the title of a chart, not behind each figure.
LETTER_UNIT: Final = 1
OUT_OF_100: Final = french.unbroken("sur 100")

FRANCE: Final = "France"
MONTHS_OF_YEAR: Final = 12
# Of many months, those of these numbers of years are drawn: up to the chosen one, and after it.
YEARS_AROUND: Final = (8, 3)

TableRow = list[str | Markup | None]


@dataclass(frozen=True)
class View:
    """A page of a question; `shown_over_time` is the measure of the trend, `trend` the cells that it draws.

    `trend_note` says which cells the trend leaves out. `courses` are all X compared over time, none if it is one alone.
    `instead_of` is the measure that was asked for, where it has no figure and another is shown; `why` says why not.
    """

    choice: Choice
    cell: Cell
    trend: Sequence[Cell]
    trend_note: str
    shown_over_time: Measure
    peers: Peers
    context_cells: Sequence[Cell]
    trend_chart: Trend
    dots_chart: Dots
    map_chart: RegionMap | None
    course_cells: Sequence[Cell]
    course_chart: Chart | None
    instead_of: Measure | None = None
    why: str = ""
    courses: Sequence[Course] = ()

    @property
    def over_time(self) -> Chart:
        """The chart over time, of all X."""
        chosen = self.cell.period.label
        return several_chart(self.courses, chosen) if self.courses else trend(about(self.trend_chart, chosen))

    @property
    def question(self) -> Question:
        """Its question."""
        return self.choice.question

    @property
    def measure(self) -> Measure:
        """Its measure."""
        return self.choice.measure


def view_of(snapshot: Snapshot, choice: Choice) -> View:
    """The view of a choice, or of its first measure that has a figure."""
    asked, choice = choice, with_figure(choice)
    question, period = choice.question, choice.period
    row = at(choice.rows, period)
    own = as_cell(question, choice.measure, row)
    instead_of = asked.measure if asked.explicit and asked.measure is not choice.measure else None
    why = missing(as_cell(question, asked.measure, row)) or ""
    over = choice.measure.over_time
    shown = next((m for m in choice.measures if m.key == over), choice.measure)
    series: Sequence[Cell] = over_time(question, shown, choice.rows, period.grain)
    if sum(c.value is not None for c in series) <= 1:
        # A rate of one year alone has no trend: what it counts has one.
        for other in choice.measures:
            other_series = over_time(question, other, choice.rows, period.grain)
            if sum(c.value is not None for c in other_series) > 1:
                shown, series = other, other_series
                break
    series, note = _drawn(series, period)
    drawn = trend_periods(snapshot, question, series, period.grain)
    found_peers = peers(snapshot, question, choice.measure, own)
    course = course_cells(snapshot, question, choice.measure, own)
    figures = [own, *found_peers.cells, *course, *(series if shown is choice.measure else ())]
    measure = _displayed(choice.measure, figures)
    shown = measure if shown is choice.measure else _displayed(shown, series)
    choice = replace(choice, measure=measure)
    own_trend = trend_chart(shown, series, drawn)
    return View(
        choice,
        own,
        series,
        note,
        shown,
        found_peers,
        context_cells(snapshot, question, choice.measure, choice.x, period),
        own_trend,
        _dots(snapshot, choice, found_peers),
        _map(snapshot, choice, found_peers),
        course,
        _course(choice, course),
        instead_of,
        why,
        _courses(choice, shown, Course(own.label, series, own_trend), drawn),
    )


def _displayed(measure: Measure, cells: Sequence[Cell]) -> Measure:
    """The measure with the decimals that these cells have together."""
    return measure.displayed_for(c.denominator for c in cells if c.shown)


def _courses(choice: Choice, measure: Measure, own: Course, periods: Sequence[Period]) -> Sequence[Course]:
    """The X of a page and those it is compared with, in the same periods; none without others."""
    if not choice.others:
        return ()
    found, starts = [own], {p.start for p in periods}
    for other in choice.others:
        cells = over_time(choice.question, measure, other.rows, choice.period.grain)
        drawn = [c for c in cells if c.period.start in starts]
        label = label_of(choice.question, other.rows[0])
        found.append(Course(label, drawn, trend_chart(measure, drawn, periods), other))
    return [replace(course, label=label) for course, label in zip(found, _told_apart(choice, found), strict=True)]


def _told_apart(choice: Choice, courses: Sequence[Course]) -> Sequence[str]:
    """The labels of courses; a region and a department of the same name are told apart by their levels."""
    levels = choice.question.levels
    labels = [course.label for course in courses]
    of_levels = [levels.get((course.other or choice).x.get("level", "")) for course in courses]
    return [
        f"{label} ({french.small(level.label)})" if level and labels.count(label) > 1 else label
        for label, level in zip(labels, of_levels, strict=True)
    ]


def with_figure(choice: Choice) -> Choice:
    """The choice; in place of a measure without a figure, the first measure that has one, if any."""
    row = at(choice.rows, choice.period)
    own = as_cell(choice.question, choice.measure, row)
    if own.value is not None or own.masked:
        return choice
    others = (m for m in choice.measures if as_cell(choice.question, m, row).value is not None)
    return replace(choice, measure=next(others, choice.measure))


def trend_periods(snapshot: Snapshot, question: Question, series: Sequence[Cell], grain: str) -> Sequence[Period]:
    """The periods of a trend: all of the table, also those of which the series has none, where nothing happened.

    Of years that may not be comparable, those from the first cell of the series to the last one.
    """
    periods = periods_at(snapshot, question, "year" if grain == "all" else grain)
    if any(c.comparable is not None for c in series):
        starts = [c.period.start for c in series]
        return [p for p in periods if min(starts) <= p.start <= max(starts)]
    return periods


def trend_chart(measure: Measure, series: Sequence[Cell], periods: Sequence[Period]) -> Trend:
    """The trend of a series over periods as a chart."""
    by_start = {c.period.start: c for c in series}
    unit, title = unit_and_title(measure)
    usual = measure.usual
    return Trend(
        f"{title}, et {usual.label}" if usual else title,
        unit,
        measure.decimals,
        [_moment(period, by_start.get(period.start)) for period in periods],
        from_zero=_from_zero(measure),
        interval_label=usual.limits if usual else measure.limits,
        reference=None if measure.base is None else Reference(FRANCE, measure.base),
        expected_label=usual.label if usual else "",
    )


def _from_zero(measure: Measure) -> bool:
    """Whether zero says something on its axis: scores and indices are compared with others, not with nothing."""
    return measure.unit != OUT_OF_100 and measure.base is None


def _drawn(series: Sequence[Cell], chosen: Period) -> tuple[Sequence[Cell], str]:
    """The cells of a series that a trend draws, and which it leaves out, in words.

    It begins with the first comparable year, or with the chosen period if that is earlier. Of many months, it has the
    years around the chosen one.
    """
    notes: list[str] = []
    first = next((c.period for c in series if c.comparable), None)
    if first and series[0].period.start < min(first.start, chosen.start):
        series = [c for c in series if c.period.start >= min(first.start, chosen.start)]
        if first.start <= chosen.start:
            notes = [f"Le graphique commence en {first.start.year}, première année comparable du registre."]
    if chosen.grain == "month" and len(series) > MONTHS_OF_YEAR * sum(YEARS_AROUND):
        before, after = YEARS_AROUND
        last = min(chosen.start.year + after, series[-1].period.start.year)
        years = range(last - before - after + 1, last + 1)
        series = [c for c in series if c.period.start.year in years]
        # It replaces the first comparable year: the chart begins later.
        notes = [f"Le graphique montre les mois de {years[0]} à {years[-1]}."]
    if notes:
        notes.append("Les autres périodes sont dans les fichiers à télécharger.")
    return series, " ".join(notes)


def _moment(period: Period, found: Cell | None) -> Moment:
    tick = str(period.start.year) if period.start.month == 1 or period.grain == "year" else ""
    if found is None:
        return Moment(period.label, tick, None, absent=True)
    absent = found.value is None and not found.masked
    expected, low, high = found.usual or (None, found.low, found.high)
    return Moment(
        period.label,
        tick,
        found.value,
        low,
        high,
        found.partial,
        absent,
        expected=expected,
        span=found.episode,
        alone=found.comparable is False,
    )


def unit_and_title(measure: Measure) -> tuple[str, str]:
    """The unit behind the figures of a chart, and the chart's title, which has a unit that is long."""
    if len(measure.unit) <= LETTER_UNIT:
        return measure.unit, measure.label
    if measure.unit in measure.label.lower():
        return "", measure.label
    return "", f"{measure.label}, {measure.unit}"


def _dots(snapshot: Snapshot, choice: Choice, found: Peers) -> Dots:
    measure = choice.measure
    unit, title = unit_and_title(measure)
    drawn = [c for c in found.cells if c.value is not None or c.masked]
    rows = [
        Row(
            c.name,
            c.value,
            c.low,
            c.high,
            c.x == choice.x and (bool(choice.question.parameters) or c.period == choice.period),
        )
        for c in drawn
    ]
    when = choice.period.label if choice.question.parameters else "par année"
    return Dots(
        f"{found.title} : {french.small(title)}, {when}",
        unit,
        measure.decimals,
        rows,
        ranked=measure.ranked and found.complete and not found.natural,
        from_zero=_from_zero(measure),
        reference=_reference(snapshot, choice, found),
        value_label=measure.label.lower(),
        interval_label=measure.limits,
    )


def _reference(snapshot: Snapshot, choice: Choice, found: Peers) -> Reference | None:
    """The reference value for the peers: France if it is known, else the median of the visible figures."""
    question, measure = choice.question, choice.measure
    # What has a level beside its region is compared within the region: France is no reference for days of the week.
    within = {"level", "region_code"} <= choice.x.keys()
    if not within and (whole := of_france(question, choice.x)):
        if measure.is_count:
            return None  # the number of all regions is no reference for the number of one
        rows = snapshot.kept(("history", question.slug, *whole.items()), lambda: history(snapshot, question, whole))
        cells = [c for c in over_time(question, measure, rows, "year") if c.period == choice.period]
        return Reference(FRANCE, cells[0].value) if cells and cells[0].value is not None else None
    if found.natural or found.median is None:
        return None
    return Reference("Médiane des visibles", found.median)


def _map(snapshot: Snapshot, choice: Choice, found: Peers) -> RegionMap | None:
    """The map of the regions, where at least one of them stands apart: else it would be grey all over."""
    question, measure = choice.question, choice.measure
    if not (question.has_map and measure.ranked) or choice.x.get("level") in ("department", "establishment", "site"):
        return None
    regions = []
    for c in found.cells:
        code = c.x.get("region_code") or c.x["code"]
        if code in TILES and (c.value is not None or c.masked):
            name = question.parameters[0].name
            value = code if "region_code" in c.x else f"region:{code}"
            regions.append(
                Region(code, c.name, c.value, c.low, c.high, choice.address(**{name: value}), c.x == choice.x)
            )
    unit, title = unit_and_title(measure)
    chart = RegionMap(
        f"{title}, {choice.period.label}",
        unit,
        measure.decimals,
        regions,
        _reference(snapshot, choice, found),
        measure.reason_without_limits,
        measure.better,
    )
    return chart if chart.reference and chart.tells else None


def _course(choice: Choice, cells: Sequence[Cell]) -> Chart | None:
    """The figures of one X along the axis of its course, as a curve."""
    course = choice.question.course
    if course is None or not cells:
        return None
    points = []
    for c in cells:
        at = course.at[c.x[course.column]]
        tick = french.number(at)
        points.append(Point(at, course.point.format(at=tick), tick, c.value, c.low, c.high, c.x == choice.x))
    unit, title = unit_and_title(choice.measure)
    return curve_chart(
        f"{title}, {choice.period.label}",
        course.across,
        unit,
        choice.measure.decimals,
        points,
        course.steps,
        course.end,
        choice.measure.limits,
    )


def linked_map(chart: RegionMap, addresses: Addresses) -> RegionMap:
    """The map whose regions lead where `addresses` says; those that lead nowhere have no link."""
    return replace(chart, regions=[replace(r, href=addresses.of(r.href) or "") for r in chart.regions])


def columns_of(measure: Measure, first: str) -> list[tuple[str, bool]]:
    """The columns of a table of cells."""
    columns = [(first, False), (f"{measure.label} ({measure.unit})", True)]
    if measure.low:
        columns.append((french.capital(measure.limits), True))
    if measure.usual:
        columns += [(french.capital(measure.usual.label), True), (french.capital(measure.usual.limits), True)]
    known = (measure.value, measure.usual.value if measure.usual else None)
    counts = [c for c in measure.counts if c.column not in known]
    return [*columns, *((french.capital(c.label), True) for c in counts)]


def row_of(measure: Measure, first: str | Markup, found: Cell) -> TableRow:
    """A cell as a row of such a table; None stands for a masked figure."""
    row: TableRow = [first, _shown(found, found.value, measure.decimals)]
    if measure.low:
        row.append(None if found.masked else limits(replace(measure, unit=""), found) or NO_FIGURE)
    if measure.usual:
        expected, low, high = found.usual or (None, None, None)
        row.append(_shown(found, expected, measure.decimals))
        known = low is not None and high is not None
        row.append(
            f"{french.number(low, measure.decimals)} à {french.number(high, measure.decimals)}" if known else NO_FIGURE
        )
    for count, value in zip(measure.counts, found.counts, strict=True):
        if count.column != measure.value and (measure.usual is None or count.column != measure.usual.value):
            row.append(_shown(found, value, 0 if value is None else digits_of(value)))
    return row


def _shown(found: Cell, value: float | None, digits: int) -> str | None:
    if found.masked:
        return None
    return NO_FIGURE if value is None else french.number(value, digits)
