"""SQL that types the text of delivered rows and gives the reason for each rejected row."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from chu_platform.ingest.delivered import Delivered, RawRows, RowCheck, delivered_text
from chu_platform.ingest.identifiers import IDENTIFIERS, is_identifier, trimmed
from chu_platform.tables.columns import BOOLEAN, DATE, DOUBLE, INTEGER, LONG, STRING, Column, sql_type
from chu_platform.tables.duckdb_sql import sql_name, sql_text
from chu_platform.tables.table import Table

# The first branch is for speed: a number in its usual form needs no regular expression. Programs write 1203.0, people
# 1 203; three decimal places may be thousands.
_WHOLE: Final = (
    "CASE WHEN try_cast({{text}} AS {type})::VARCHAR = {{text}} THEN try_cast({{text}} AS {type}) "
    "WHEN regexp_full_match({trimmed}, '[+-]?\\d+') THEN try_cast({trimmed} AS {type}) "
    "WHEN regexp_full_match({trimmed}, '[+-]?(\\d+|\\d\\d?\\d?([ \u00a0\u202f]\\d\\d\\d)+)([.,]00?)?') "
    "THEN try_cast(regexp_replace(regexp_replace({trimmed}, '[.,]00?$', ''), '[ \u00a0\u202f]', '', 'g') AS {type}) END"
)
_TRIMMED: Final = trimmed("{text}")
_DAY: Final = r"\d{{4}}-\d\d-\d\d"
_TIME: Final = r"[ T]\d\d:\d\d(:\d\d(\.\d+)?)?( ?(Z|[+-]\d\d(:?\d\d)?))?"
# SQL that converts text to each type, null where the text does not fit. Columns of other types stay text.
TYPING: Final = {
    INTEGER: _WHOLE.format(type="INTEGER", trimmed=_TRIMMED),
    LONG: _WHOLE.format(type="BIGINT", trimmed=_TRIMMED),
    # Decimal point and decimal comma both occur, even in one row.
    DOUBLE: f"CASE WHEN regexp_full_match({_TRIMMED}, '[+-]?(\\d+([.,]\\d*)?|[.,]\\d+)([eE][+-]?\\d+)?') "
    f"THEN try_cast(replace({_TRIMMED}, ',', '.') AS DOUBLE) END",
    # A moment, as of a typed column of a database, has its day.
    DATE: f"CASE WHEN regexp_full_match({_TRIMMED}, '{_DAY}') THEN try_cast({_TRIMMED} AS DATE) "
    f"WHEN regexp_full_match({_TRIMMED}, '{_DAY}{_TIME}') THEN try_cast(left({_TRIMMED}, 10) AS DATE) END",
    BOOLEAN: "try_cast({text} AS BOOLEAN)",
}
_REASONS: Final = {
    INTEGER: "not_a_whole_number",
    LONG: "not_a_whole_number",
    DOUBLE: "not_a_number",
    DATE: "not_a_date",
    BOOLEAN: "not_a_boolean",
}
NOT_UNDERSTOOD: Final = "not_understood"
# Reason of values up to 1 in a column of percentages.
FRACTION: Final = "fraction_of_1_in_place_of_100"
# Reason of a value of a column of ratios that is a percentage.
PERCENTAGE: Final = "percentage_in_place_of_a_ratio"
# No percentage or score of the real files of HAS lies between 0 and 1. The largest of the 749 ratios of 2019 is 29.4,
# seven others are above 12: percentages below this bound cannot be told from ratios.
MAX_RATIO: Final = 50
# A spreadsheet program makes 8.1E+10 of a long identifier: its last digits are lost.
POWER: Final = "regexp_full_match({text}, '\\d([.,]\\d+)?[eE][+]\\d{{2,}}')"
MAX_SHAPE_LENGTH: Final = 40
# Reason of rows that are not kept because they are withdrawn; they are not rejects.
WITHDRAWN: Final = "withdrawn"
# Reasons of rows with the key of another row: the same values again, or other values.
REPEATED: Final = "repeated_row"
CONTRADICTORY: Final = "contradictory_row"
# Table with the numbers and reasons of such rows of the delivery that is read.
REPEATS: Final = "repeats"
_NUMBER: Final = '"text:number"'


@dataclass(frozen=True)
class _RejectCondition:
    """SQL that is true for a row to reject, with the column and the reason code that the reject gets."""

    rejects_when: str
    column: str
    reason: str


class RowSql:
    """The SQL over the rows of one file or table. `withdrawn` is a condition of the rows that are withdrawn.

    If it `has_repeats`, the table REPEATS holds the numbers of more rows to reject (see `repeats`).
    """

    def __init__(
        self, table: Table, source: Delivered, raw: RawRows, withdrawn: str | None = None, *, has_repeats: bool = False
    ) -> None:
        self._table = table
        self._source = source
        self._has_repeats = has_repeats
        self._withdrawn = withdrawn
        self._raw = raw
        delivered = [c for c in table.columns if c.name not in source.derived]
        self._present = [c for c in delivered if c.name in raw.names]
        self._absent = [c for c in delivered if c.name not in raw.names]
        self._reasons = {c.name: _REASONS[c.type] for c in self._present if _can_fail(c)}
        # SQL that is not null if a text is understood.
        self._understood = {c.name: sql_name(c.name) for c in self._present if _can_fail(c) or c.name in source.typing}
        # Columns that later tables decode, with SQL that is not null if they can.
        self._decoded = {
            c.name: source.understood[c.name].format(text=sql_name(c.name))
            for c in self._present
            if c.name in source.understood
        }
        self._decoded |= {
            c.name: is_identifier(sql_name(c.name))
            for c in self._present
            if c.name not in self._decoded and source.typing.get(c.name) in IDENTIFIERS
        }
        self._understood |= self._decoded
        texts = [c.name for c in self._present if c.type == STRING and raw.has_powers]
        self._reject_conditions = [
            *(
                _RejectCondition(POWER.format(text=f"trim({delivered_text(name)})"), name, "number_of_a_spreadsheet")
                for name in texts
            ),
            *(
                _RejectCondition(f"{self._filled(name)} AND {sql_name(name)} IS NULL", name, reason)
                for name, reason in self._reasons.items()
            ),
            *(_RejectCondition(f"{sql_name(c.name)} IS NULL", c.name, "missing") for c in delivered if c.required),
            *(_RejectCondition(_misplaced(column), column, "misplaced") for column in raw.misplaced),
            *(_RejectCondition(f"NOT ({k.holds_when})", k.column, k.reason) for k in source.row_checks),
        ]
        if has_repeats:
            key = next((c.name for c in self._present if c.key), table.key[0])
            self._reject_conditions += [
                _RejectCondition(f"{_NUMBER} IN (SELECT number FROM {REPEATS} WHERE reason = '{reason}')", key, reason)
                for reason in (REPEATED, CONTRADICTORY)
            ]

    def checked(self) -> str:
        """SQL of the typed rows with a column `reason`: the reason of a row to reject, or WITHDRAWN; null: keep it."""
        return self.numbered() if self._has_repeats else self._checked([])

    def numbered(self) -> str:
        """SQL as in `checked`, with one more column `text:number`: the number of the row in the delivery."""
        return self._checked([f"{self._raw.number} AS {_NUMBER}"])

    def kept(self) -> str:
        """Relation of the kept rows, in the declared columns and types."""
        columns = ", ".join(f"{self._declared(c)} AS {sql_name(c.name)}" for c in self._table.columns)
        return f"(SELECT {columns} FROM ({self.checked()}) WHERE reason IS NULL)"

    def repeated_key(self) -> str:
        """SQL of one key that several rows have; no row if there is none."""
        return f"SELECT 1 FROM ({self._repeated_keys()}) LIMIT 1"

    def repeats(self) -> str:
        """SQL of the rows to reject because rows that could be kept have their key: number and reason.

        Of rows with equal values, one is kept. Of rows with the same key and other values, none is: nothing tells which
        one is right, and the order of rows may be another one in the next delivery.
        """
        keys = self._keys()
        values = ", ".join(self._declared(c) for c in self._table.columns)
        return f"""
            SELECT number, CASE WHEN same_values = same_key THEN '{REPEATED}' ELSE '{CONTRADICTORY}' END AS reason
            FROM (
                SELECT number, count(*) OVER (PARTITION BY key) AS same_key,
                       count(*) OVER (PARTITION BY row_values) AS same_values,
                       row_number() OVER (PARTITION BY key ORDER BY number) AS place
                FROM (
                    SELECT {_NUMBER} AS number, row({keys}) AS key, row({values}) AS row_values
                    FROM ({self.numbered()}) WHERE reason IS NULL AND ({keys}) IN (FROM ({self._repeated_keys()}))
                )
            ) WHERE same_key > 1 AND (same_values < same_key OR place > 1)"""

    def withdrawn_count(self) -> str:
        """SQL of the number of withdrawn rows."""
        return f"SELECT count(*) FROM ({self.checked()}) WHERE reason = {sql_text(WITHDRAWN)}"

    def withdrawn_numbers(self) -> str:
        """SQL of the numbers of the withdrawn rows in the delivery."""
        return f"SELECT {_NUMBER} AS number FROM ({self.numbered()}) WHERE reason = {sql_text(WITHDRAWN)}"

    def rejected(self, limit: int | None) -> str:
        """SQL of the rejected rows: number, column, reason, shape of the value; at most `limit` rows."""
        column = self._case(lambda c: sql_text(c.column))
        shape = self._case(lambda c: self._shape(c.column))
        limit_clause = f" LIMIT {limit}" if limit else ""
        return (
            f"SELECT {_NUMBER}, {column}, reason, {shape} FROM ({self.numbered()}) "
            f"WHERE reason <> {sql_text(WITHDRAWN)} ORDER BY 1{limit_clause}"
        )

    def _keys(self) -> str:
        return ", ".join(sql_name(name) for name in self._table.key)

    def _repeated_keys(self) -> str:
        """SQL of the keys that several rows have, rejected or not."""
        keys = self._keys()
        complete = " AND ".join(f"{sql_name(name)} IS NOT NULL" for name in self._table.key)
        return f"SELECT {keys} FROM ({self._derived([])}) WHERE {complete} GROUP BY ALL HAVING count(*) > 1"

    def withdrawn_rows(self, group: str, keys: Sequence[str], groups: str) -> str:
        """SQL of the groups of `groups` (SQL) that are delivered: number of withdrawn rows, and their keys.

        `group` and `keys` are SQL over a row: its group, and the keys that a list may have of it.
        """
        is_withdrawn = f"FILTER (WHERE {self._withdrawn})"
        listed = " || ".join(f"coalesce(list(DISTINCT {key}) {is_withdrawn}, [])" for key in keys)
        return (
            f"SELECT {group} AS delivered_group, count(*) {is_withdrawn} AS withdrawn_rows, "
            f"{listed} AS withdrawn_keys FROM ({self._derived([])}) "
            f"WHERE {group} IN ({groups}) GROUP BY 1"
        )

    def columns_to_understand(self, typed: bool) -> Sequence[str]:
        """The columns whose texts may not be understood: with a type that rejects rows (`typed`), or all others."""
        return [c for c in self._understood if (c in self._reasons) == typed]

    @property
    def decoded(self) -> Sequence[str]:
        """The columns that later tables decode."""
        return list(self._decoded)

    def decoded_counts(self, stored: str | None) -> str:
        """SQL as in `understood_counts` for the decoded columns, over the relation `stored` of the rows if given."""
        return self._counts(self.decoded, lambda c: f"{sql_name(c)} IS NOT NULL", self._understood.__getitem__, stored)

    def typing_reason(self, column: str) -> str | None:
        """Reason of the rejects of values of a column that do not fit its type; None if all do."""
        return self._reasons.get(column)

    def understood_example(self, column: str) -> str:
        """SQL of one row in which the text of a column is understood; no row if there is none.

        Only this column is typed: a delivery may have hundreds, and DuckDB takes its time to plan each of them.
        """
        (own,) = (c for c in self._present if c.name == column)
        typed = self._typed(own)
        texts = [c for c in self._present if delivered_text(c.name) in typed]
        rows = f"SELECT {', '.join([*self._texts(texts), *self._constants()])} FROM {self._raw.relation}"
        rows = f"SELECT {typed} AS {sql_name(column)} FROM ({rows})"
        return f"SELECT 1 FROM ({rows}) WHERE {self._understood[column]} IS NOT NULL LIMIT 1"

    def understood_counts(self, columns: Sequence[str]) -> str:
        """SQL of the counts for some columns: column, number of delivered values, number of understood ones."""
        return self._counts(columns, self._filled, self._understood.__getitem__)

    def absent_counts(self) -> str | None:
        """SQL of the counts of words in place of empty cells: column, number; None if no column is examined."""
        columns = [c for c in self._present if c.name in self._source.absent]
        if not columns:
            return None
        counts = ", ".join(
            f"{{'name': {sql_text(c.name)}, 'words': count(CASE WHEN "
            f"{self._is_absent(c, self._raw.outer_blanks.removed(sql_name(c.name)))} THEN 1 END)}}"
            for c in columns
        )
        return f"SELECT unnest([{counts}], recursive := true) FROM {self._raw.relation}"

    @property
    def percentages(self) -> Sequence[str]:
        """The delivered columns of percentages and scores up to 100."""
        return [c.name for c in self._present if c.name in self._source.percentages]

    def percentage_counts(self, stored: str | None) -> str:
        """SQL as in `understood_counts` for these columns: number of values other than 0, and of those above 1.

        It is over the relation `stored` of the rows if given.
        """
        return self._counts(
            self.percentages, lambda c: f"{sql_name(c)} <> 0", lambda c: f"nullif({sql_name(c)} > 1, false)", stored
        )

    def fraction_example(self, column: str) -> str:
        """SQL of the shape of one value of a column of percentages that is at most 1, as in `misunderstood_example`."""
        return (
            f"SELECT {sql_text(FRACTION)}, {self._shape(column)} FROM ({self._derived([])}) "
            f"WHERE {sql_name(column)} > 0 AND {sql_name(column)} <= 1 LIMIT 1"
        )

    @property
    def warnings(self) -> Sequence[RowCheck]:
        """The conditions of the delivered columns that single rows may not meet: their lines are named."""
        scales = [
            *(RowCheck(FRACTION, c, f"NOT ({sql_name(c)} > 0 AND {sql_name(c)} < 1)") for c in self.percentages),
            *(RowCheck(PERCENTAGE, c, f"{sql_name(c)} <= {MAX_RATIO}") for c in self._source.ratios),
        ]
        present = {c.name for c in self._present}
        return [w for w in (*scales, *self._source.row_warnings) if w.column in present]

    def warning_counts(self, stored: str | None) -> str:
        """SQL as in `understood_counts`, for the conditions of `warnings` by their place in it: values, met ones.

        It is over the relation `stored` of the rows if given.
        """
        warnings = {str(place): warning for place, warning in enumerate(self.warnings)}
        return self._counts(
            list(warnings),
            lambda place: f"{sql_name(warnings[place].column)} IS NOT NULL",
            lambda place: (
                f"nullif(coalesce({warnings[place].holds_when}, true) "
                f"AND {sql_name(warnings[place].column)} IS NOT NULL, false)"
            ),
            stored,
        )

    def warned_values(self, warning: RowCheck, limit: int) -> str:
        """SQL of the first values that do not meet a condition: number of the row, shape."""
        return (
            f"SELECT {_NUMBER}, {self._shape(warning.column)} FROM ({self.numbered()}) "
            f"WHERE reason IS NULL AND NOT ({warning.holds_when}) ORDER BY 1 LIMIT {limit}"
        )

    def misunderstood_example(self, column: str) -> str:
        """SQL of the reason code and the shape of one value of a column that is not understood."""
        return (
            f"SELECT {sql_text(self._reasons.get(column, NOT_UNDERSTOOD))}, {self._shape(column)} "
            f"FROM ({self._derived([])}) WHERE {self._filled(column)} AND {self._understood[column]} IS NULL LIMIT 1"
        )

    def _counts(
        self,
        columns: Sequence[str],
        filled: Callable[[str], str],
        understood: Callable[[str], str],
        stored: str | None = None,
    ) -> str:
        counts = ", ".join(
            f"{{'name': {sql_text(c)}, 'there': count(*) FILTER ({filled(c)}), 'understood': count({understood(c)})}}"
            for c in columns
        )
        return f"SELECT unnest([{counts}], recursive := true) FROM {stored or f'({self._derived([])})'}"

    def _checked(self, extra: Sequence[str]) -> str:
        reason = self._case(lambda c: sql_text(c.reason))
        if self._withdrawn:
            # First: the text of a withdrawn row is not kept among the rejects either.
            reason = f"CASE WHEN {self._withdrawn} THEN {sql_text(WITHDRAWN)} ELSE {reason} END"
        return f"SELECT *, {reason} AS reason FROM ({self._derived(extra)})"

    def _derived(self, extra: Sequence[str]) -> str:
        """SQL of the typed rows with the derived columns."""
        source = self._source
        texts = [*self._texts(self._present), *self._constants()]
        texts += [f"{condition} AS {_misplaced(column)}" for column, condition in self._raw.misplaced.items()]
        typed = [f"{self._typed(c)} AS {sql_name(c.name)}" for c in self._present]
        typed += [f"CAST(NULL AS {sql_type(c.type)}) AS {sql_name(c.name)}" for c in self._absent]
        derived = [f"{expression} AS {sql_name(name)}" for name, expression in source.derived.items()]
        # Each subquery defines the columns that the next one uses.
        rows = f"SELECT {', '.join([*texts, *extra])} FROM {self._raw.relation}"
        rows = f"SELECT {', '.join(['*', *typed])} FROM ({rows})"
        return f"SELECT {', '.join(['*', *derived])} FROM ({rows})"

    def _texts(self, columns: Sequence[Column]) -> list[str]:
        """SQL of the delivered texts of some columns."""
        return [f"{self._cell(c)} AS {delivered_text(c.name)}" for c in columns]

    def _constants(self) -> list[str]:
        """SQL of the columns with one value for the whole file."""
        return [f"{sql_text(value)} AS {sql_name(name)}" for name, value in self._raw.constants.items()]

    def _case(self, value: Callable[[_RejectCondition], str]) -> str:
        branches = " ".join(f"WHEN {c.rejects_when} THEN {value(c)}" for c in self._reject_conditions)
        return f"CASE {branches} END" if branches else "CAST(NULL AS VARCHAR)"

    def _declared(self, column: Column) -> str:
        return f"CAST({sql_name(column.name)} AS {sql_type(column.type)})"

    def _cell(self, column: Column) -> str:
        """SQL of the delivered text without blanks around it; null for an empty cell."""
        text = self._raw.outer_blanks.removed(sql_name(column.name))
        if self._source.empty:
            listed = ", ".join(sql_text(text.lower()) for text in ("", *self._source.empty))
            return f"CASE WHEN lower({text}) NOT IN ({listed}) THEN {text} END"
        filled = text if self._raw.empty_is_null else f"CASE WHEN {text} <> '' THEN {text} END"
        if column.name not in self._source.absent:
            return filled
        return f"CASE WHEN {self._is_absent(column, text)} THEN NULL ELSE {filled} END"

    def _is_absent(self, column: Column, text: str) -> str:
        """SQL that is true for a word in place of an empty cell; for a CASE, which tests it from left to right.

        The first comparisons are for speed: no word begins with a digit or is long.
        """
        words = self._source.absent[column.name]
        listed = ", ".join(map(sql_text, words))
        longest = max(map(len, words))
        return f"(NOT ({text} BETWEEN '0' AND ':') AND strlen({text}) <= {longest} AND upper({text}) IN ({listed}))"

    def _filled(self, name: str) -> str:
        """SQL that is true if a cell of a column that is not text has a value: it is typed, or not a blank."""
        text = delivered_text(name)
        blanks = self._source.blanks
        blank = f" AND ({sql_name(name)} IS NOT NULL OR NOT {blanks.format(text=f'trim({text})')})" if blanks else ""
        return f"{text} IS NOT NULL{blank}"

    def _typed(self, column: Column) -> str:
        expression = self._source.typing.get(column.name) or TYPING.get(column.type, "{text}")
        return expression.format(text=delivered_text(column.name))

    def _shape(self, column: str) -> str:
        """SQL of the shape of a delivered text: its start, with a for each letter and 9 for each digit."""
        if column not in {c.name for c in self._present}:
            return "NULL"
        start = f"left({delivered_text(column)}, {MAX_SHAPE_LENGTH})"
        return f"regexp_replace(regexp_replace({start}, '\\p{{L}}', 'a', 'g'), '\\d', '9', 'g')"


def _misplaced(column: str) -> str:
    """Name in SQL of the condition of rows in which the values from a column on are in no known place."""
    return sql_name(f"misplaced:{column}")


def _can_fail(column: Column) -> bool:
    return column.type in TYPING
