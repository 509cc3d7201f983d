"""Periods of an indicator, as fragments of Spark SQL: the periods of the calendar, or one free range of months.

The query of an indicator is a function of its periods. So the table (calendar periods) and `chu kpi` (a free range of
months) use the same query.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Protocol

from chu_platform.tables.partitions import TouchedPartitions

# Start of the period `all` in joins: earlier than any event.
ALL_START: Final = "DATE '1800-01-01'"
# Partition column of yearly tables.
YEAR: Final = "year"
# Number of months of a period, by grain.
MONTHS_OF: Final = {"month": 1, "quarter": 3, "year": 12}


class Periods(Protocol):
    """Periods as fragments of SQL. In queries, `p` is the alias of the table of periods: {period} p."""

    def expand(self, event: str, columns: str) -> str:
        """SELECT: `columns` of each row of the relation `event`, once per period that contains its `date`.

        The added columns `grain` and `start` identify the period; `join` joins them to the table of periods.
        """

    def join(self, alias: str) -> str:
        """Condition: joins the rows of `expand`, which have this alias, to {period} p."""

    def start_of(self, alias: str) -> str:
        """Expression: the value of `start` in `expand` for a row that has `period_grain` and `period_start`."""

    def only(self, column: str, grains: Sequence[str]) -> str:
        """Condition: the grain in `column` is one of `grains`. Always true for a free range."""

    def group_months(self, months: str) -> str:
        """SELECT: the periods that the rows of `months` (domain, start, partial, first, last) form.

        Columns: domain, grain, start, end, partial, first, last.
        """

    def year(self, column: str) -> str:
        """Expression: the period of a yearly table, as text, from `column`, a year as text."""

    def within_years(self, column: str, event_date: str) -> str:
        """Condition: an event lies in the periods. `event_date` may be null; `column` is then its year, as text."""

    def campaigns(self, column: str) -> str:
        """Condition: the campaign of the year in `column` (text) is one of the periods."""

    def as_year(self, column: str) -> str:
        """Expression: the year, as INT, of a period returned by `year`. Null for a free range."""

    def calendar_year(self, column: str) -> str:
        """Expression: the year, as INT, that a period returned by `year` is exactly. Null for any other period."""


QueryOverPeriods = Callable[[Periods], str]


class CalendarPeriods:
    """Months, quarters, years and one period over all data (`all`). Only years for yearly tables."""

    def expand(self, event: str, columns: str) -> str:
        """See `Periods`. All rows of `all` have the same start, so that `join` is an equality and uses a hash join."""
        return f"""
            SELECT {columns}, stack(4, 'month', trunc(date, 'month'), 'quarter', trunc(date, 'quarter'),
                                    'year', trunc(date, 'year'), 'all', {ALL_START}) AS (grain, start)
            FROM {event}"""

    def join(self, alias: str) -> str:
        """See `Periods`."""
        return f"p.period_grain = {alias}.grain AND {self.start_of('p')} = {alias}.start"

    def start_of(self, alias: str) -> str:
        """See `Periods`."""
        return f"CASE {alias}.period_grain WHEN 'all' THEN {ALL_START} ELSE {alias}.period_start END"

    def only(self, column: str, grains: Sequence[str]) -> str:
        """See `Periods`."""
        return f"{column} IN ({', '.join(repr(g) for g in grains)})"

    def group_months(self, months: str) -> str:
        """See `Periods`."""
        return f"""
            SELECT domain, 'month' AS grain, start, add_months(start, 1) AS end, partial, first, last FROM {months}
            UNION ALL
            SELECT domain, 'quarter', trunc(start, 'quarter'), add_months(trunc(start, 'quarter'), 3),
                   bool_or(partial), min(first), max(last) FROM {months} GROUP BY domain, trunc(start, 'quarter')
            UNION ALL
            SELECT domain, 'year', trunc(start, 'year'), add_months(trunc(start, 'year'), 12),
                   bool_or(partial), min(first), max(last) FROM {months} GROUP BY domain, trunc(start, 'year')
            UNION ALL
            SELECT domain, 'all', min(start), add_months(max(start), 1), false, min(first), max(last)
            FROM {months} GROUP BY domain"""

    def year(self, column: str) -> str:
        """See `Periods`."""
        return column

    def within_years(self, column: str, event_date: str) -> str:  # noqa: ARG002 - every event lies in its year
        """See `Periods`."""
        return "true"

    def campaigns(self, column: str) -> str:  # noqa: ARG002 - every campaign is a period
        """See `Periods`."""
        return "true"

    def as_year(self, column: str) -> str:
        """See `Periods`."""
        return f"CAST({column} AS INT)"

    def calendar_year(self, column: str) -> str:
        """See `Periods`."""
        return self.as_year(column)


CALENDAR: Final = CalendarPeriods()


@dataclass(frozen=True)
class TouchedPeriods(CalendarPeriods):
    """The periods of the calendar that contain one of the `months` (their first days), among them `all`."""

    months: frozenset[date]

    @property
    def partitions(self) -> TouchedPartitions:
        """The partitions of these periods in a table with the partition columns `period_grain` and `period_start`."""
        listed = ({"period_grain": g, "period_start": str(day)} for g, days in self.starts.items() for day in days)
        # The start of `all` is the first day of the data.
        return TouchedPartitions.of([*listed, {"period_grain": "all"}])

    @property
    def starts(self) -> Mapping[str, Sequence[date]]:
        """The first days of the months, quarters and years, by grain."""
        return {
            grain: sorted({m.replace(month=m.month - (m.month - 1) % months) for m in self.months})
            for grain, months in MONTHS_OF.items()
        }

    def expand(self, event: str, columns: str) -> str:
        """See `Periods`: only for these periods."""
        parts = [
            (f"'{grain}', trunc(date, '{grain}')", " OR ".join(_within(start, MONTHS_OF[grain]) for start in starts))
            for grain, starts in self.starts.items()
        ]
        # `stack` also for one period: Sail takes three times as long to group by columns that it knows to be constant.
        return " UNION ALL".join(
            f"""
            SELECT {columns}, stack(1, {period}) AS (grain, start) FROM {event} WHERE {condition}"""
            for period, condition in [*parts, (f"'all', {ALL_START}", "true")]
        )


@dataclass(frozen=True)
class TouchedYears(CalendarPeriods):
    """Some years, for a yearly table."""

    years: frozenset[str]

    def within_years(self, column: str, event_date: str) -> str:  # noqa: ARG002 - every event lies in its year
        """See `Periods`: only for these years."""
        return self.campaigns(column)

    def campaigns(self, column: str) -> str:
        """See `Periods`: only for these years."""
        return f"{column} IN ({', '.join(repr(year) for year in sorted(self.years))})"


@dataclass(frozen=True)
class ClosedYears(CalendarPeriods):
    """The period `all` of an edition: from the first day of the data to the end of the last closed year.

    {closed} in a query is the table `closed_years`. Where it has no row of the domain, no event is in the period.
    """

    domain: str

    def expand(self, event: str, columns: str) -> str:
        """See `Periods`."""
        return f"""
            SELECT {columns}, 'all' AS grain, {ALL_START} AS start
            FROM {event}
            CROSS JOIN (SELECT max(period_end) AS closed_end FROM {{closed}} WHERE domain = '{self.domain}')
            WHERE date < closed_end"""


def touched_periods(partitions: TouchedPartitions) -> Periods:
    """The periods of these partitions of a table over periods."""
    found = [dict(values) for values in partitions.values]
    if all(YEAR in values for values in found):
        return TouchedYears(frozenset(str(values[YEAR]) for values in found))
    starts = (v["period_start"] for v in found if v["period_grain"] == "month")
    return TouchedPeriods(frozenset(date.fromisoformat(start) for start in starts if start))


def _within(start: date, months: int) -> str:
    """Condition: a date is in the period of `months` months from `start`. A range, so that readers can skip files."""
    last = start.month - 1 + months
    end = date(start.year + last // 12, last % 12 + 1, 1)
    return f"(date >= DATE '{start}' AND date < DATE '{end}')"


@dataclass(frozen=True)
class MonthRange:
    """One period of the grain `range`: whole months, from the day `start` (included) to the day `end` (excluded)."""

    start: date
    end: date

    def expand(self, event: str, columns: str) -> str:
        """See `Periods`."""
        inside = f"date >= DATE '{self.start}' AND date < DATE '{self.end}'"
        return f"""
            SELECT {columns}, 'range' AS grain, DATE '{self.start}' AS start FROM {event} WHERE {inside}"""

    def join(self, alias: str) -> str:
        """See `Periods`."""
        return f"p.period_grain = {alias}.grain AND {self.start_of('p')} = {alias}.start"

    def start_of(self, alias: str) -> str:
        """See `Periods`."""
        return f"{alias}.period_start"

    def only(self, column: str, grains: Sequence[str]) -> str:  # noqa: ARG002 - there is one period
        """See `Periods`."""
        return "true"

    def group_months(self, months: str) -> str:
        """See `Periods`."""
        return f"""
            SELECT domain, 'range' AS grain, min(start) AS start, add_months(max(start), 1) AS end,
                   bool_or(partial) AS partial, min(first) AS first, max(last) AS last
            FROM {months} WHERE start >= DATE '{self.start}' AND start < DATE '{self.end}' GROUP BY domain"""

    def year(self, column: str) -> str:  # noqa: ARG002 - there is one period
        """See `Periods`."""
        return "'range'"

    def within_years(self, column: str, event_date: str) -> str:
        """See `Periods`. An event without a date lies in the range if its whole year does."""
        dated = f"{event_date} >= DATE '{self.start}' AND {event_date} < DATE '{self.end}'"
        return f"(({dated}) OR ({event_date} IS NULL AND {self._whole_years(column)}))"

    def campaigns(self, column: str) -> str:
        """See `Periods`: every year that the range overlaps."""
        return f"{column} BETWEEN '{self.start.year}' AND '{self.last_month.year}'"

    def as_year(self, column: str) -> str:  # noqa: ARG002 - a range is not a year
        """See `Periods`."""
        return "CAST(NULL AS INT)"

    def calendar_year(self, column: str) -> str:  # noqa: ARG002 - there is one period
        """See `Periods`."""
        year = self.start.year
        is_one = (self.start, self.end) == (date(year, 1, 1), date(year + 1, 1, 1))
        return f"CAST({year if is_one else 'NULL'} AS INT)"

    def _whole_years(self, column: str) -> str:
        first = self.start.year if (self.start.month, self.start.day) == (1, 1) else self.start.year + 1
        return f"{column} BETWEEN '{first}' AND '{self.end.year - 1}'"

    @property
    def last_month(self) -> date:
        """First day of the last month of the range."""
        return (self.end - timedelta(days=1)).replace(day=1)
