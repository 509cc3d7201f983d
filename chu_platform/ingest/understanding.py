"""How much of a delivered column is understood: its values fit their type, or later tables can decode them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import duckdb

from chu_platform.ingest.delivered import RawRows
from chu_platform.ingest.reject_history import Reject
from chu_platform.ingest.row_sql import FRACTION, RowSql
from chu_platform.tables.checks import MAX_MISUNDERSTOOD, MISUNDERSTOOD_WARNING

# If a column has at least this many values, or a value in every row, and none is understood, its type or its form has
# changed. Fewer may be typing errors, as may fewer values of which a part is not understood.
MIN_VALUES_FOR_RETYPED: Final = 10
# Fewer values are no reason for a warning.
MIN_VALUES_FOR_WARNING: Final = 5
# Of the values of a column of percentages other than 0, the share up to 1 above which there is a warning, and above
# which they are fractions. Fewer than MIN_FRACTIONS are no sign. In the files of HAS, at most 1.7 % are so small.
FRACTIONS_WARNING: Final = 0.05
MAX_FRACTIONS: Final = 0.5
MIN_FRACTIONS: Final = 3
# Lines of single values that a warning names.
MAX_NAMED_LINES: Final = 3


@dataclass(frozen=True)
class Misunderstood:
    """A column of a file or database table with `values`, of which `wrong` are not understood.

    `reason` is why, `shape` is that of one such value, `lines` are the first lines of such values, if they are known.
    It `blocks` the source, or is a reason for a warning.
    """

    origin: str
    column: str
    values: int
    wrong: int
    reason: str
    shape: str
    blocks: bool
    lines: Sequence[int] = ()

    @property
    def share(self) -> float:
        """Share of the values that are not understood."""
        return self.wrong / self.values

    @property
    def text(self) -> str:
        """One line that names the column, the share and the shape, without any value."""
        if self.wrong == self.values:
            many = f"none of the {self.values} values of the column {self.column!r} is understood"
        else:
            many = (
                f"{self.wrong} of the {self.values} values ({100 * self.share:.1f} %) of the column {self.column!r} "
                "are not understood"
            )
        more = ", ..." if self.wrong > len(self.lines) else ""
        where = f", line {', '.join(map(str, self.lines))}{more}" if self.lines else ""
        return f"{self.origin}: {many} ({self.reason}, shape {self.shape}{where})"

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The same for metadata of Dagster."""
        return {"column": self.column, "values": self.values, "wrong": self.wrong, "shape": self.shape}


def misunderstood(
    connection: duckdb.DuckDBPyConnection, sql: RowSql, raw: RawRows, kept: int, stored: str | None
) -> list[Misunderstood]:
    """The columns of which no value is understood, and the decoded columns with many values that are not.

    `stored` is a relation of all kept rows, if there is one: it is faster to read than the delivery. How many values of
    typed columns are not understood, only the rejects tell (`rejected_values`).
    """
    decoded = sql.decoded
    counts = connection.execute(sql.decoded_counts(stored)).fetchall() if decoded else []
    # If every row is kept, every value has fitted its type.
    others = [
        *(c for c in sql.columns_to_understand(typed=False) if c not in decoded),
        *(sql.columns_to_understand(typed=True) if kept < raw.rows else ()),
    ]
    # A value that is understood is nearly always among the first ones.
    suspects = [c for c in others if not connection.execute(sql.understood_example(c)).fetchall()]
    if suspects:
        counts += connection.execute(sql.understood_counts(suspects)).fetchall()
    fractions = _fractions(connection, sql, raw, stored)
    judged = _judged(connection, sql, raw, counts)
    named = {(m.column, m.reason) for m in judged} | {(m.column, FRACTION) for m in fractions}
    warned = [m for m in _warned(connection, sql, raw, stored) if (m.column, m.reason) not in named]
    return [*judged, *fractions, *warned]


def _fractions(
    connection: duckdb.DuckDBPyConnection, sql: RowSql, raw: RawRows, stored: str | None
) -> list[Misunderstood]:
    """The columns of percentages with many values that are at most 1: they may be fractions of 1."""
    found = []
    counts = connection.execute(sql.percentage_counts(stored)).fetchall() if sql.percentages else []
    for column, values, percentages in counts:
        wrong = values - percentages
        if wrong >= MIN_FRACTIONS and wrong > FRACTIONS_WARNING * values:
            ((reason, shape),) = connection.execute(sql.fraction_example(column)).fetchall()
            blocks = wrong > MAX_FRACTIONS * values
            found.append(Misunderstood(raw.origin.name, column, values, wrong, reason, shape, blocks))
    return found


def _warned(
    connection: duckdb.DuckDBPyConnection, sql: RowSql, raw: RawRows, stored: str | None
) -> list[Misunderstood]:
    """Single values that are kept, and probably wrong: a warning with their lines (`RowSql.warnings`)."""
    warnings = sql.warnings
    found = []
    for place, values, met in connection.execute(sql.warning_counts(stored)).fetchall() if warnings else []:
        if values == met:
            continue
        warning = warnings[int(place)]
        # Row numbers follow the order of the file.
        connection.execute("SET preserve_insertion_order = true")
        rows = connection.execute(sql.warned_values(warning, MAX_NAMED_LINES)).fetchall()
        if rows:
            lines = [line for line, _ in raw.locate(connection, [number for number, _ in rows])]
            shape = rows[0][1]
            name = raw.origin.name
            found.append(Misunderstood(name, warning.column, values, values - met, warning.reason, shape, False, lines))
    return found


def rejected_values(
    connection: duckdb.DuckDBPyConnection, sql: RowSql, raw: RawRows, rejects: Sequence[Reject]
) -> list[Misunderstood]:
    """The columns of which many values, but not all, do not fit their type, so that their rows are `rejects`."""
    found = Counter(column for _, _, column, reason, _, _ in rejects if column and reason == sql.typing_reason(column))
    suspects = [column for column, count in found.items() if count >= MIN_VALUES_FOR_WARNING]
    counts = connection.execute(sql.understood_counts(suspects)).fetchall() if suspects else []
    return _judged(connection, sql, raw, [c for c in counts if c[2]])


def _judged(
    connection: duckdb.DuckDBPyConnection, sql: RowSql, raw: RawRows, counts: Sequence[tuple[str, int, int]]
) -> list[Misunderstood]:
    """The columns with too many values that are not understood, of `counts`: column, values, understood values."""
    judged = []
    for column, values, understood in counts:
        wrong = values - understood
        if understood:
            blocks = wrong > MAX_MISUNDERSTOOD * values and wrong >= MIN_VALUES_FOR_RETYPED
        else:
            blocks = values > 0 and values >= min(MIN_VALUES_FOR_RETYPED, raw.rows)
        if blocks or (wrong > MISUNDERSTOOD_WARNING * values and wrong >= MIN_VALUES_FOR_WARNING):
            ((reason, shape),) = connection.execute(sql.misunderstood_example(column)).fetchall()
            judged.append(Misunderstood(raw.origin.name, column, values, wrong, reason, shape, blocks))
    return judged
