"""`chu kpi`: exact figures of an indicator for any X and any range of whole months.

The number of distinct patients is not additive over months. So the engine runs the query of the indicator's table on
the facts again, with the range of months as its period.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, Final, Protocol

import duckdb
import pyarrow as pa

from chu_platform.access.gate import Gate, Request, establishment_key
from chu_platform.errors import ChuError
from chu_platform.identity.accounts import FINESS
from chu_platform.identity.principal import Principal
from chu_platform.indicators.indicator import Indicator, indicators
from chu_platform.periods.dim_period import dim_period
from chu_platform.storage.lake import Lake, active_files, are_present
from chu_platform.tables.columns import sql_type
from chu_platform.tables.period_sql import MonthRange
from chu_platform.tables.table import Table
from chu_platform.tables.versions import as_known_today, has_versions

if TYPE_CHECKING:
    from chu_platform.engine.engine import Engine

ESTABLISHMENT: Final = "establishment"
MONTH: Final = re.compile(r"\d{4}-(0[1-9]|1[0-2])")


class QueryResources(Protocol):
    """Resources of a query: the lake, and the engine, which starts when it is first used."""

    @property
    def lake(self) -> Lake:
        """The lake."""

    @property
    def engine(self) -> "Engine":
        """The SQL engine."""


@dataclass(frozen=True)
class KpiRequest:
    """An indicator, its X (values by option name) and its Y (first and last month; None: the limits of the data).

    With `as_known_today`, events count where their establishment is now, not where it was.
    """

    indicator: str
    where: Mapping[str, str] = field(default_factory=dict)
    first: str | None = None
    last: str | None = None
    as_known_today: bool = False


def kpi_rows(resources: QueryResources, request: KpiRequest, gate: Gate, principal: Principal) -> pa.Table:
    """The rows of the indicator for the request, in the columns of its table. Without X, the rows of an overview.

    Of a table whose rows are not computed for other periods, the rows of these years or months. Of all rows, those that
    the principal may read. A profile whose small cells are masked reads none: the difference of two ranges would tell
    them.

    Raises ChuError if the indicator, X or the range does not exist, or if a table is not in the lake yet, and Denied if
    the principal may read none of the rows.
    """
    indicator = find_indicator(request.indicator)
    condition, values = _condition(indicator, request.where)
    if request.as_known_today and not _reads_versions(indicator.releasable):
        raise ChuError(f"{indicator.name} does not depend on where or what something was: leave out --as-known-today")
    months = _range(resources.lake, indicator, request)
    free_range = indicator.free_range
    if not _depends_on_periods(indicator.releasable):
        within = (
            f"year BETWEEN {months.start.year} AND {months.last_month.year}"
            if indicator.question.yearly
            else f"period_start >= DATE '{months.start}' AND period_end <= DATE '{months.end}'"
        )
        condition = f"{condition} AND {within}"
    columns = [c for c in indicator.releasable.columns if c.name not in free_range.without]
    listed = [f'"{c.name}"::{sql_type(c.type)} AS "{c.name}"' for c in columns]
    if free_range.sums_years:
        listed = [f"'{months.start:%Y-%m}' AS first_month", f"'{months.last_month:%Y-%m}' AS last_month", *listed]
    order = free_range.order or ", ".join(f'"{c.name}"' for c in columns if c.key) or "ALL"
    readable = gate.open_table(
        principal,
        indicator.releasable,
        request=Request(condition, values, about=_about(months, request)),
        computed=lambda: _Evaluation(resources, months, request.as_known_today).rows(indicator.releasable),
    )
    with duckdb.connect() as connection:
        connection.register("readable", readable)
        found: pa.Table = connection.sql(f"SELECT {', '.join(listed)} FROM readable ORDER BY {order}").to_arrow_table()
    if not len(found) and request.where:
        asked = ", ".join(f"--{o} {v}" for o, v in request.where.items())
        raise ChuError(f"{indicator.name}: nothing found for {asked} in these months")
    return found


def _about(months: MonthRange, request: KpiRequest) -> str:
    known = ", as known today" if request.as_known_today else ""
    return f"months {months.start:%Y-%m} to {months.last_month:%Y-%m}{known}"


def find_indicator(name: str) -> Indicator:
    """The indicator of that name, with or without `kpi_`. Raises ChuError with the list of indicators."""
    known = {i.name: i for i in indicators()}
    found = known.get(f"kpi_{name.removeprefix('kpi_')}")
    if found is None:
        raise ChuError(f"there is no indicator {name!r}; there are {', '.join(known)}")
    return found


def options_of(indicator: Indicator) -> list[str]:
    """Names of the options of `chu kpi` that select an X of the indicator."""
    return [option for parameter in indicator.question.parameters for option in parameter.options]


def indicator_options() -> list[str]:
    """One line per indicator: its name, the options that select an X, and its question."""
    width = max(len(i.name) for i in indicators())
    return [
        f"{i.name:{width}}  {' '.join(f'--{o}' for o in options_of(i)) or '-'}  ({i.question.title})"
        for i in indicators()
    ]


def _condition(indicator: Indicator, where: Mapping[str, str]) -> tuple[str, dict[str, object]]:
    """SQL condition on the rows of the request, and its parameters. Raises ChuError for an invalid option."""
    known = options_of(indicator)
    wrong = [option for option in where if option not in known]
    if wrong:
        listed = ", ".join(f"--{o}" for o in known) or "no option but the months"
        raise ChuError(f"{indicator.name} does not know --{wrong[0]}; it knows {listed}")
    conditions = ["true"]
    values: dict[str, object] = {}
    for parameter in indicator.question.parameters:
        given = [option for option in parameter.options if option in where]
        if parameter.exclusive and len(given) > 1:
            raise ChuError(f"{indicator.name}: choose one of {', '.join(f'--{o}' for o in parameter.options)}")
        for option in given:
            value = f"v{len(values)}"
            values[value] = _key(option, where[option])
            conditions.append(f"({parameter.options[option].replace('$value', f'${value}')})")
        if not given:
            conditions.append(f"({parameter.overview})")
    return " AND ".join(conditions), values


def _key(option: str, given: str) -> str:
    """The value of an option as tables have it: an establishment may be given by its FINESS number alone."""
    return establishment_key(given) if option == ESTABLISHMENT and FINESS.fullmatch(given) else given


def _range(lake: Lake, indicator: Indicator, request: KpiRequest) -> MonthRange:
    """The months of the request. Raises ChuError if they are not a range, or if the data do not cover them."""
    low, high = _covered(lake, indicator)
    yearly = indicator.question.yearly
    first = request.first or (f"{low}-01" if yearly else low)
    last = request.last or (f"{high}-12" if yearly else high)
    for month in (first, last):
        if not MONTH.fullmatch(month):
            raise ChuError(f"{month!r} is not a month: write it as 2019-01")
    if first > last:
        raise ChuError(f"the range is reversed: --from {first} comes after --to {last}")
    outside = last[:4] < low or first[:4] > high if yearly else not low <= first <= last <= high
    if outside:
        raise ChuError(f"the data cover {low} to {high}, not {first} to {last}")
    if not _depends_on_periods(indicator.releasable) and yearly and (first[5:], last[5:]) != ("01", "12"):
        raise ChuError(
            f"{indicator.name} has whole years only, not {first} to {last}: "
            f"ask for --from {first[:4]}-01 --to {last[:4]}-12"
        )
    year, month_number = int(last[:4]), int(last[5:])
    end = date(year + month_number // 12, month_number % 12 + 1, 1)
    return MonthRange(date.fromisoformat(f"{first}-01"), end)


def _covered(lake: Lake, indicator: Indicator) -> tuple[str, str]:
    """First and last month of the data, or first and last year of a yearly table."""
    domain = indicator.free_range.domain
    table = indicator.exact if domain is None else dim_period
    if lake.open(table) is None:
        raise ChuError(f"{table.folder} is not in the lake yet: run `chu materialize` first")
    if indicator.question.yearly:
        query = "SELECT min(year)::VARCHAR, max(year)::VARCHAR FROM {this}"
    else:
        query = (
            "SELECT strftime(min(period_start), '%Y-%m'), strftime(max(period_start), '%Y-%m') FROM {this} "
            "WHERE period_grain = 'month'"
        )
        if domain:
            query += f" AND domain = '{domain}'"
    with duckdb.connect() as connection:
        low, high = connection.sql(query.format(this=lake.relation(table))).fetchall()[0]
    if low is None:
        raise ChuError(f"{indicator.name} has no data yet")
    return low, high


class _Evaluation:
    """Rows of tables for other periods than those of the calendar.

    Tables that do not depend on periods are read from the lake. The others are computed by their query. If
    `newest_versions`, the newest version of each member of a dimension has always been valid.
    """

    def __init__(self, resources: QueryResources, periods: MonthRange, newest_versions: bool) -> None:
        self._resources = resources
        self._periods = periods
        self._newest_versions = newest_versions
        self._frames: dict[Table, Any] = {}

    def rows(self, table: Table) -> pa.Table:
        """The rows of the table, completed by the `finish` function of its query."""
        if not _depends_on_periods(table):
            return self._resources.engine.arrow(self._frame(table))
        rows = self._resources.engine.arrow(self._computed(table))
        finish = self._finish(table)
        return finish(rows) if finish else rows

    def _frame(self, table: Table) -> Any:
        """The rows of a table that is read by another one, completed in the engine."""
        if table not in self._frames:
            self._frames[table] = self._completed(table) if _depends_on_periods(table) else self._read(table)
        return self._frames[table]

    def _completed(self, table: Table) -> Any:
        rows = self._computed(table)
        finish = self._finish(table)
        return self._resources.engine.finished(table, rows, finish) if finish else rows

    def _finish(self, table: Table) -> Callable[[pa.Table], pa.Table] | None:
        return table.rows.in_periods(self._periods).finish

    def _computed(self, table: Table) -> Any:
        query = table.rows.in_periods(self._periods)
        return self._resources.engine.query(query.sql, {name: self._frame(t) for name, t in table.reads.items()})

    def _read(self, table: Table) -> Any:
        lake = self._resources.lake
        delta = lake.open(table)
        if delta is None:
            raise ChuError(f"{table.folder} is not in the lake yet: run `chu materialize` first")
        if not are_present(lake.place_of(table), active_files(delta)):
            # As after an upgrade that deletes files.
            raise ChuError(f"files of {table.folder} are missing: run `chu materialize` first")
        rows = self._resources.engine.read(lake.place_of(table), delta.version())
        if self._newest_versions and has_versions(table):
            return self._resources.engine.query(as_known_today(table, "{rows}"), {"rows": rows})
        return rows


def _reads_versions(table: Table) -> bool:
    """Whether a table that is computed for other periods reads versions of a dimension."""
    return _depends_on_periods(table) and any(has_versions(t) or _reads_versions(t) for t in table.reads.values())


def _depends_on_periods(table: Table) -> bool:
    return table.rows.depends_on_periods or any(_depends_on_periods(t) for t in table.reads.values())
