"""Several X over time on one chart: that of a page, and up to three others."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from chu_platform import french
from chu_platform.portal.cells import Cell
from chu_platform.portal.charts.grammar import Chart, period_axis
from chu_platform.portal.charts.series import SHAPE_OF, Series, series_chart
from chu_platform.portal.charts.trend import Kind, Trend, trend
from chu_platform.portal.choices import Other
from chu_platform.portal.questions import Measure
from chu_platform.portal.sentences import NO_FIGURE, limits


@dataclass(frozen=True)
class Course:
    """An X over time: its label, its cells, its trend; `other` is None for the X of the page."""

    label: str
    cells: Sequence[Cell]
    trend: Trend
    other: Other | None = None


def several_chart(courses: Sequence[Course], chosen: str) -> Chart:
    """The chart of the courses, which have the same periods; the first one is that of the page.

    `chosen` is the label of the period that the page is about.
    """
    own = courses[0].trend
    series = [
        Series(
            course.label,
            role,
            [m.value for m in course.trend.moments],
            [n for n, m in enumerate(course.trend.moments) if m.masked],
            [n for n, m in enumerate(course.trend.moments) if m.kind in (Kind.ALONE, Kind.PARTIAL)],
        )
        for course, role in zip(courses, SHAPE_OF, strict=False)
        if course.cells
    ]
    periods, ticks = [m.label for m in own.moments], [m.tick for m in own.moments]
    chart = series_chart(own.title, own.unit, own.digits, periods, series, own.reference, ticks, own.from_zero)
    return replace(
        chart, x=period_axis(ticks, periods.index(chosen) if chosen in periods else None), spans=trend(own).spans
    )


def several_note(courses: Sequence[Course]) -> str:
    """What must be known to read such a chart: of what is in it, and no more."""
    drawn = [c for c in courses if c.trend.shown]
    notes = ["Les intervalles sont dans le tableau."]
    if any(m.kind in (Kind.ALONE, Kind.PARTIAL) for c in drawn for m in c.trend.moments):
        notes.append("Une période incomplète ou non comparable a un point, sans trait vers les autres.")
    if absent := [c.label for c in courses if not c.cells]:
        notes.append(f"Sans chiffre publié à ce pas de temps, donc sans courbe : {french.listed(absent)}.")
    return " ".join(notes)


def several_table(measure: Measure, courses: Sequence[Course]) -> tuple[list[tuple[str, bool]], list[list[str | None]]]:
    """The figures with their intervals: a row for each period, a column for each course; None: masked."""
    columns = [("Période", False), *((f"{c.label} ({measure.unit})", True) for c in courses)]
    found = [{cell.period.start: cell for cell in course.cells} for course in courses]
    labels = {cell.period.start: cell.period.label for cells in found for cell in cells.values()}
    rows: list[list[str | None]] = []
    for start, label in sorted(labels.items()):
        cells = [by_start.get(start) for by_start in found]
        partial = any(cell and cell.partial for cell in cells)
        rows.append([f"{label} (incomplète)" if partial else label, *(_text(measure, c) for c in cells)])
    return columns, rows


def _text(measure: Measure, cell: Cell | None) -> str | None:
    if cell is None or (cell.value is None and not cell.masked):
        return NO_FIGURE
    if cell.value is None:
        return None
    within = limits(replace(measure, unit=""), cell)
    return french.number(cell.value, measure.decimals) + (f" ({within})" if within else "")
