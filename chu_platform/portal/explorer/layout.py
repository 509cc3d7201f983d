"""How a page shows the cells of a table: as rows and columns, and as a chart."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any, Final

from chu_platform import french
from chu_platform.portal.cells import Cell
from chu_platform.portal.charts.dots import Dots, Row, dots
from chu_platform.portal.charts.grammar import Chart
from chu_platform.portal.charts.series import SHAPE_OF, Series, series_chart
from chu_platform.portal.charts.trend import Moment, Trend, trend
from chu_platform.portal.explorer.axes import TIME, Axis
from chu_platform.portal.explorer.cells import Crossed, named
from chu_platform.portal.questions import Measure
from chu_platform.portal.readable_periods import Period
from chu_platform.portal.sentences import NO_FIGURE
from chu_platform.portal.views import TableRow, columns_of, row_of, unit_and_title

# The last axis becomes columns where it has so few values.
MAX_COLUMNS: Final = 8
MAX_POINTS: Final = 40
# Rows of the table that a page shows at most.
MAX_SHOWN: Final = 200
MAX_SERIES: Final = 4
WHOLE: Final = "Ensemble"

Columns = Sequence[tuple[str, bool]]


def tabled(found: Crossed) -> tuple[Columns, Sequence[TableRow], bool]:
    """Columns, the first rows, and whether there are more.

    The columns are the figures of several measures side by side, or those of the values of the last axis.
    """
    axes, measures = found.crossing.axes, found.crossing.measures
    values = {axes[-1].value(row): axes[-1].named(row) for row in found.rows} if axes else {}
    if len(axes) > 1 and len(measures) == 1 and len(values) <= MAX_COLUMNS:
        columns, rows = _spread(found, _displayed(found, measures[0]), values)
        return columns, rows[:MAX_SHOWN], len(rows) > MAX_SHOWN or found.table.num_rows > len(found.rows)
    first = " · ".join(axis.label for axis in axes) or WHOLE
    columns = [(first, False)]
    rows = [[named(axes, row) or WHOLE] for row in found.rows[:MAX_SHOWN]]
    for measure in (_displayed(found, m) for m in measures):
        new = [n for n, column in enumerate(columns_of(measure, first)) if n and column not in columns]
        columns += [columns_of(measure, first)[n] for n in new]
        for row, cell in zip(rows, found.cells(measure), strict=False):
            figures = row_of(measure, "", cell)
            row += [figures[n] for n in new]
    return columns, rows, found.table.num_rows > MAX_SHOWN


def _spread(
    found: Crossed, measure: Measure, values: Mapping[tuple[Any, ...], str]
) -> tuple[list[tuple[str, bool]], list[TableRow]]:
    *rest, last = found.crossing.axes
    cells: dict[str, dict[tuple[Any, ...], Cell]] = {}
    for row, cell in zip(found.rows, found.cells(measure), strict=True):
        cells.setdefault(named(rest, row), {})[last.value(row)] = cell
    columns = [(" · ".join(axis.label for axis in rest), False), *((text, True) for text in values.values())]
    rows: list[TableRow] = []
    for name, by_value in cells.items():
        there = [by_value.get(value) for value in values]
        rows.append([name, *(NO_FIGURE if cell is None else row_of(measure, "", cell)[1] for cell in there)])
    return columns, rows


def drawn(found: Crossed) -> tuple[Chart | None, str]:
    """The chart of the first measure, and which cells it leaves out; None where there is nothing to compare."""
    axes = found.crossing.axes
    measure = _displayed(found, found.crossing.measures[0])
    cells = found.cells(measure)
    if len(cells) < 2:
        return None, ""
    time = found.crossing.axis_of(TIME)
    others = [axis for axis in axes if axis is not time]
    if time is None:
        return _dots(found, measure, others, cells)
    return _course(found, measure, others, cells)


def _dots(found: Crossed, measure: Measure, axes: Sequence[Axis], cells: Sequence[Cell]) -> tuple[Chart, str]:
    rows = [
        Row(named(axes, row), cell.value, cell.low, cell.high)
        for row, cell in zip(found.rows, cells, strict=True)
        if cell.shown or cell.masked
    ]
    note = ""
    if len(rows) > MAX_POINTS:
        rows = sorted(rows, key=lambda r: -(r.value if r.value is not None else float("-inf")))[:MAX_POINTS]
        note = (
            f"Le graphique montre les {MAX_POINTS} chiffres les plus hauts ; le tableau et les fichiers ont les autres."
        )
    unit, title = unit_and_title(measure)
    shown = Dots(title, unit, measure.decimals, rows, ranked=False, interval_label=measure.limits)
    return dots(shown), note


def _course(found: Crossed, measure: Measure, axes: Sequence[Axis], cells: Sequence[Cell]) -> tuple[Chart, str]:
    by_name: dict[str, dict[Any, Cell]] = {}
    for row, cell in zip(found.rows, cells, strict=True):
        by_name.setdefault(named(axes, row), {})[cell.period] = cell
    unit, title = unit_and_title(measure)
    if not axes:
        # A trend adds missing years itself.
        (course,) = by_name.values()
        moments = [_moment(period, course[period]) for period in sorted(course, key=lambda p: p.start)]
        return trend(Trend(title, unit, measure.decimals, moments, interval_label=measure.limits)), ""
    periods = _with_missing({cell.period for cell in cells})
    note = ""
    if len(by_name) > MAX_SERIES:
        by_name = dict(sorted(by_name.items(), key=lambda item: -_highest(item[1]))[:MAX_SERIES])
        note = (
            f"Le graphique montre les {MAX_SERIES} courbes les plus hautes ; le tableau et les fichiers ont les autres."
        )
    series = []
    for role, (name, course) in zip(SHAPE_OF, by_name.items(), strict=False):
        there = [course.get(p) for p in periods]
        masked = [n for n, cell in enumerate(there) if cell and cell.masked]
        apart = [n for n, cell in enumerate(there) if cell and (cell.partial or cell.comparable is False)]
        series.append(Series(name, role, [cell.value if cell else None for cell in there], masked, apart))
    labels, ticks = [p.label for p in periods], [_tick(p) for p in periods]
    return series_chart(title, unit, measure.decimals, labels, series, ticks=ticks), note


def _with_missing(periods: Collection[Period]) -> Sequence[Period]:
    """Periods in order of time; of years also those between them: equal distances are equal times."""
    if any(p.grain != "year" for p in periods):
        return sorted(periods, key=lambda p: p.start)
    by_year = {p.start.year: p for p in periods}
    years = range(min(by_year), max(by_year) + 1)
    return [by_year.get(y, Period("year", date(y, 1, 1), date(y + 1, 1, 1))) for y in years]


def _tick(period: Period) -> str:
    return str(period.start.year) if period.start.month == 1 or period.grain == "year" else ""


def _moment(period: Period, cell: Cell) -> Moment:
    return Moment(
        period.label,
        _tick(period),
        cell.value,
        cell.low,
        cell.high,
        cell.partial,
        absent=not cell.shown and not cell.masked,
        alone=cell.comparable is False,
    )


def _highest(course: Mapping[Any, Cell]) -> float:
    return max((cell.value for cell in course.values() if cell.value is not None), default=float("-inf"))


def _displayed(found: Crossed, measure: Measure) -> Measure:
    """The measure with the decimals that all cells have together."""
    return measure.displayed_for(cell.denominator for cell in found.cells(measure) if cell.shown)


def title_of(found: Crossed) -> str:
    """What a table shows, such as "Taux de recours par région et année"."""
    measures = french.listed(
        [m.label if n == 0 else french.small(m.label) for n, m in enumerate(found.crossing.measures)]
    )
    axes = french.listed([french.small(axis.label) for axis in found.crossing.axes])
    return f"{measures} par {axes}" if axes else measures
