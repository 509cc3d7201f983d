"""The SQL that types the text of a delivered row and says why a row does not fit.

Here: one file's rows as DuckDB SQL. Not here: running it (reading).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from chu_platform.ingest.delivered import Delivered, RawRows
from chu_platform.tables.columns import BOOLEAN, DATE, DOUBLE, INTEGER, LONG, Column, sql_type
from chu_platform.tables.duckdb_sql import sql_name, sql_text
from chu_platform.tables.table import Table

_WHOLE = "CASE WHEN regexp_full_match(trim({{text}}), '[+-]?\\d+') THEN try_cast(trim({{text}}) AS {type}) END"
# What text becomes in each type, null where it does not fit; other types stay text.
TYPING: Final = {
    INTEGER: _WHOLE.format(type="INTEGER"),
    LONG: _WHOLE.format(type="BIGINT"),
    # Both decimal marks occur, in one row of one file.
    DOUBLE: "CASE WHEN regexp_full_match(trim({text}), '[+-]?\\d+([.,]\\d*)?([eE][+-]?\\d+)?') "
    "THEN try_cast(replace(trim({text}), ',', '.') AS DOUBLE) END",
    DATE: "CASE WHEN regexp_full_match({text}, '\\d{{4}}-\\d\\d-\\d\\d') THEN try_cast({text} AS DATE) END",
    BOOLEAN: "try_cast({text} AS BOOLEAN)",
}
FRENCH_DATE: Final = (
    "CASE WHEN regexp_full_match({text}, '\\d\\d/\\d\\d/\\d{{4}}') THEN try_strptime({text}, '%d/%m/%Y')::DATE END"
)
# Spreadsheets take FINESS numbers for numbers and drop their leading zeros.
FINESS: Final = (
    "CASE WHEN regexp_full_match(trim({text}), '\\d{{1,8}}') THEN lpad(trim({text}), 9, '0') ELSE trim({text}) END"
)
_REASONS: Final = {
    INTEGER: "not_a_whole_number",
    LONG: "not_a_whole_number",
    DOUBLE: "not_a_number",
    DATE: "not_a_date",
    BOOLEAN: "not_a_boolean",
}
MAX_SHAPE_LENGTH: Final = 40


@dataclass(frozen=True)
class _Misfit:
    """A condition under which a row is rejected, the column to blame, and the reason code."""

    condition: str
    column: str
    reason: str


class RowSql:
    """The SQL over the rows of one file or table."""

    def __init__(self, table: Table, source: Delivered, raw: RawRows) -> None:
        self._source = source
        self._raw = raw
        given = [c for c in table.columns if c.name not in source.derived]
        self._present = [c for c in given if c.name in raw.names]
        self._absent = [c for c in given if c.name not in raw.names]
        self._reasons = {c.name: _REASONS[c.type] for c in self._present if _can_fail(c)}
        self._misfits = [
            *(
                _Misfit(f"{_text_of(name)} IS NOT NULL AND {sql_name(name)} IS NULL", name, reason)
                for name, reason in self._reasons.items()
            ),
            *(_Misfit(f"{sql_name(c.name)} IS NULL", c.name, "missing") for c in given if c.required),
            *(_Misfit(f"NOT ({k.condition})", k.column, k.reason) for k in source.row_checks),
        ]

    def judged(self) -> str:
        """The typed rows, and `reason`, null for the rows to keep."""
        return self._judged([])

    def numbered(self) -> str:
        """As `judged`, with the number of each row in the order of delivery, `text:number`."""
        return self._judged([f'{self._raw.number} AS "text:number"'])

    def misfits(self, most: int | None) -> str:
        """Number, column, reason and shape of the value of rows that do not fit; the first `most`."""
        column = self._case(lambda m: sql_text(m.column))
        shape = self._case(lambda m: self._shape(m.column))
        limit = f" LIMIT {most}" if most else ""
        return (
            f'SELECT "text:number", {column}, reason, {shape} FROM ({self.numbered()}) '
            f"WHERE reason IS NOT NULL ORDER BY 1{limit}"
        )

    def fitting(self) -> str | None:
        """Of each column whose text may not be of its type: its name, the number of values, and of those that fit, in
        a row each; None when there is no such column.
        """
        counted = ", ".join(
            f"{{'name': {sql_text(c)}, 'there': count({_text_of(c)}), 'fitting': count({sql_name(c)})}}"
            for c in self._reasons
        )
        return f"SELECT unnest([{counted}], recursive := true) FROM ({self._judged([])})" if self._reasons else None

    def misfit_of(self, column: str) -> str:
        """Reason code and shape of a value of a column that does not fit its type."""
        return (
            f"SELECT {sql_text(self._reasons[column])}, {self._shape(column)} FROM ({self._judged([])}) "
            f"WHERE {_text_of(column)} IS NOT NULL AND {sql_name(column)} IS NULL LIMIT 1"
        )

    def _judged(self, also: Sequence[str]) -> str:
        source = self._source
        texts = [f"{self._cell(c)} AS {_text_of(c.name)}" for c in self._present]
        texts += [f"{sql_text(value)} AS {sql_name(name)}" for name, value in self._raw.constants.items()]
        typed = [f"{self._typed(c)} AS {sql_name(c.name)}" for c in self._present]
        typed += [f"CAST(NULL AS {sql_type(c.type)}) AS {sql_name(c.name)}" for c in self._absent]
        derived = [f"{expression} AS {sql_name(name)}" for name, expression in source.derived.items()]
        reason = self._case(lambda m: sql_text(m.reason))
        # Each level names what the level above computes with.
        rows = f"SELECT {', '.join([*texts, *also])} FROM {self._raw.relation}"
        rows = f"SELECT {', '.join(['*', *typed])} FROM ({rows})"
        rows = f"SELECT {', '.join(['*', *derived])} FROM ({rows})"
        return f"SELECT *, {reason} AS reason FROM ({rows})"

    def _case(self, value: Callable[[_Misfit], str]) -> str:
        branches = " ".join(f"WHEN {m.condition} THEN {value(m)}" for m in self._misfits)
        return f"CASE {branches} END" if branches else "CAST(NULL AS VARCHAR)"

    def _cell(self, column: Column) -> str:
        """The delivered text, null where the cell is empty or holds a word for it."""
        blanks = ["", *(self._source.blanks if _can_fail(column) else ())]
        listed = ", ".join(sql_text(b) for b in blanks)
        name = sql_name(column.name)
        return f"CASE WHEN {name} NOT IN ({listed}) THEN {name} END"

    def _typed(self, column: Column) -> str:
        expression = self._source.typing.get(column.name) or TYPING.get(column.type, "{text}")
        return expression.format(text=_text_of(column.name))

    def _shape(self, column: str) -> str:
        """The start of a delivered text with its letters as a and its digits as 9."""
        if column not in {c.name for c in self._present}:
            return "NULL"
        start = f"left({_text_of(column)}, {MAX_SHAPE_LENGTH})"
        return f"regexp_replace(regexp_replace({start}, '\\p{{L}}', 'a', 'g'), '\\d', '9', 'g')"


def _text_of(name: str) -> str:
    return sql_name(f"text:{name}")


def _can_fail(column: Column) -> bool:
    return column.type in TYPING
