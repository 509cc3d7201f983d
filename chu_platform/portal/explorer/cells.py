"""The cells of a table of the explorer: the query, as it was run, and what it found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any, Final

import pyarrow as pa

from chu_platform.portal.cells import Cell, as_cell, relation
from chu_platform.portal.explorer.axes import TIME, Axis
from chu_platform.portal.explorer.crossing import Crossing, conditions
from chu_platform.portal.questions import Measure
from chu_platform.portal.readable_periods import Period
from chu_platform.portal.reader import Snapshot
from chu_platform.tables.columns import STRING
from chu_platform.tables.duckdb_sql import sql_name, sql_text

# Rows that a table and its files have at most.
MAX_ROWS: Final = 50_000
# Rows from which a page is made at most: its table and its chart.
MAX_READ: Final = 2_000
# From the longest: without an axis of time, a table has the longest period within its dates.
GRAINS: Final = ("all", "year", "quarter", "month")
# Columns of the tables of a snapshot that their declarations do not have: those of tables by year are added.
PERIOD: Final = ("period_grain", "period_start", "period_end", "is_partial", "is_masked")


@dataclass(frozen=True)
class Query:
    """A query with the values of its parameters."""

    sql: str
    values: Mapping[str, object]

    @property
    def text(self) -> str:
        """The query with its values, as it can be run again."""
        text = self.sql
        # The longest names first: one may be the beginning of another.
        for name, value in sorted(self.values.items(), key=lambda item: -len(item[0])):
            written = f"DATE '{value.isoformat()}'" if isinstance(value, date) else sql_text(str(value))
            text = text.replace(f"${name}", written)
        return text


@dataclass(frozen=True)
class Crossed:
    """What a query found: its rows, at most MAX_ROWS; `is_cut` if there are more.

    `period` is that of all rows, where the table has no axis of time.
    """

    crossing: Crossing
    query: Query
    table: pa.Table
    is_cut: bool
    period: Period | None
    _cells: dict[str, Sequence[Cell]] = field(default_factory=dict, repr=False)

    @cached_property
    def rows(self) -> Sequence[Mapping[str, Any]]:
        """The first rows, from which a page is made."""
        found: Sequence[Mapping[str, Any]] = self.table.slice(0, MAX_READ).to_pylist()
        return found

    def cells(self, measure: Measure) -> Sequence[Cell]:
        """The first rows as cells of a measure."""
        if measure.key not in self._cells:
            self._cells[measure.key] = [as_cell(self.crossing.question, measure, row) for row in self.rows]
        return self._cells[measure.key]


def crossed(snapshot: Snapshot, crossing: Crossing) -> Crossed:
    """The cells of a table: rows of the table of the question as they are, never sums of them."""
    where, values = conditions(snapshot, crossing)
    question, period = crossing.question, None
    if crossing.axis_of(TIME) is None:
        period = _period(snapshot, crossing, where, values)
        where = [*where, "period_grain = $grain", "period_start = $start"]
        # Without a period there is no row.
        values = {**values, "grain": period.grain if period else "", "start": period.start if period else date.min}
    order = ", ".join(axis.order for axis in crossing.axes)
    query = Query(
        f"SELECT {', '.join(map(sql_name, _columns(crossing)))}\nFROM {relation(question)}\n"
        f"WHERE {' AND '.join(where)}{f'{chr(10)}ORDER BY {order}' if order else ''}",
        values,
    )
    table = snapshot.table(f"{query.sql}\nLIMIT {MAX_ROWS + 1}", query.values)
    return Crossed(crossing, query, table.slice(0, MAX_ROWS), table.num_rows > MAX_ROWS, period)


def _columns(crossing: Crossing) -> Sequence[str]:
    """The columns of the query: keys and labels, periods, and those of the measures."""
    question = crossing.question
    of_table = [c.name for c in question.table.columns]
    wanted = {c.name for c in question.table.columns if c.type == STRING or c.key} | {
        "revision_pending",
        "is_comparable",
    }
    for m in crossing.measures:
        wanted |= {m.value, m.low or m.value, m.high or m.value, *(count.column for count in m.counts)}
        wanted |= {m.usual.value, m.usual.low, m.usual.high} if m.usual else set()
    first = [name for name in PERIOD if name not in of_table]
    return [*first, *(name for name in of_table if name in wanted or name in PERIOD)]


def _period(
    snapshot: Snapshot, crossing: Crossing, where: Sequence[str], values: Mapping[str, object]
) -> Period | None:
    """The longest period of which the table has rows, whole ones and the last one first; None if it has none."""
    rows = snapshot.rows(
        "SELECT period_grain, period_start, max(period_end) AS period_end, bool_or(is_partial) AS is_partial "
        f"FROM {relation(crossing.question)} WHERE {' AND '.join(where) or 'true'} GROUP BY ALL",
        values,
    )
    found = [(Period(r["period_grain"], r["period_start"], r["period_end"]), r["is_partial"]) for r in rows]
    if not found:
        return None
    return min(found, key=lambda one: (GRAINS.index(one[0].grain), one[1], -one[0].start.toordinal()))[0]


def named(axes: Sequence[Axis], row: Mapping[str, Any]) -> str:
    """The values of a row on some axes, in words."""
    return " · ".join(axis.named(row) for axis in axes)
