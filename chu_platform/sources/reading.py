"""From delivered text to typed rows and rejects: every row is in exactly one of them.

The text is typed with try_cast; a row with a value that does not fit, or that fails a check of its source, goes
whole to the rejects. A delivery is always read entirely, also when only some slices are wanted, so that the counts
and the rejects are those of the delivery.

Here: the three passes over each file (count, keep, reject). Not here: where text comes from.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from chu_platform.errors import ChuError
from chu_platform.sources.delivered import REJECT_COLUMNS, Delivered, Origin, RawRows
from chu_platform.tables.columns import BOOLEAN, DATE, DOUBLE, INTEGER, LONG, Column, arrow_schema
from chu_platform.tables.slices import Slices
from chu_platform.tables.table import Table

if TYPE_CHECKING:
    from chu_platform.care_database.database import CareDatabase

MEMORY_LIMIT = "4GB"
# More rejected rows than this, and the file is another one than it seems: nothing of it is published.
LARGEST_REJECTED_SHARE = 0.5
TYPING = {
    INTEGER: "CASE WHEN regexp_full_match(trim({text}), '[+-]?\\d+') THEN try_cast(trim({text}) AS INTEGER) END",
    LONG: "CASE WHEN regexp_full_match(trim({text}), '[+-]?\\d+') THEN try_cast(trim({text}) AS BIGINT) END",
    # Both decimal marks occur, in one row of one file.
    DOUBLE: "CASE WHEN regexp_full_match(trim({text}), '[+-]?\\d+([.,]\\d*)?([eE][+-]?\\d+)?') "
    "THEN try_cast(replace(trim({text}), ',', '.') AS DOUBLE) END",
    DATE: "CASE WHEN regexp_full_match({text}, '\\d{{4}}-\\d\\d-\\d\\d') THEN try_cast({text} AS DATE) END",
    BOOLEAN: "try_cast({text} AS BOOLEAN)",
}
FRENCH_DATE = "CASE WHEN regexp_full_match({text}, '\\d\\d/\\d\\d/\\d{{4}}') THEN try_strptime({text}, '%d/%m/%Y')::DATE END"


@dataclass
class ReadingContext:
    """What a reader needs: the pack, a folder for temporary copies, the care database, and a place for remarks."""

    pack: Path
    scratch: Path
    care_database: "CareDatabase"
    remark: Callable[[str], None]

    def check_header(self, name: str, header: Sequence[str], columns: Sequence[str], hint: str) -> None:
        """Raise ChuError unless all `columns` are in the header, each once; remark those that nobody declared."""
        twice = sorted({c for c in header if header.count(c) > 1})
        missing = [c for c in columns if c not in header]
        added = [c for c in header if c not in columns]
        if twice:
            raise ChuError(f"{name}: the column {twice[0]!r} stands twice in the header")
        if missing:
            found = f"; it has {len(added)} that are not expected: {_listed(added)}" if added and not hint else ""
            raise ChuError(f"{name}: {_listed(missing)} missing among its {len(header)} columns{hint}{found}")


@dataclass
class Reading:
    """What was read: rows in = kept + rejected."""

    rows_in: int = 0
    kept: int = 0
    rejects: list[tuple[str, int, str | None, str, str | None, str]] = field(default_factory=list)
    origins: list[Origin] = field(default_factory=list)


def read(table: Table, slices: Slices | None, staged: Path, context: ReadingContext) -> Reading:
    """Read a delivered table: its kept rows of `slices` as Parquet below `staged`; counts and rejects as the result.

    Raises ChuError when the delivery cannot be read, or when most of its rows are rejected.
    """
    source = table.rows
    assert isinstance(source, Delivered)
    reading = Reading()
    delivered = [c.name for c in table.columns if c.name not in source.derived and c.name not in source.optional]
    with source.reader.open(table, delivered, context) as files, duckdb.connect() as connection:
        connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
        connection.execute(f"SET temp_directory = '{context.scratch}'")
        for number, raw in enumerate(files):
            try:
                _read_one(table, source, raw, slices, staged, number, connection, reading)
            except duckdb.OutOfMemoryException as error:
                raise ChuError(f"{raw.origin.name}: not enough memory or disk to read it ({str(error).splitlines()[0][:120]})") from None
    if reading.rows_in and len(reading.rejects) / reading.rows_in > LARGEST_REJECTED_SHARE:
        worst = reading.rejects[0]
        raise ChuError(
            f"{worst[0]}: {len(reading.rejects)} of {reading.rows_in} rows do not fit, first in line {worst[1]} "
            f"(column {worst[2] or '-'}: {worst[3]}, shape {worst[4] or '-'}); nothing was published"
        )
    return reading


def _read_one(
    table: Table,
    source: Delivered,
    raw: RawRows,
    slices: Slices | None,
    staged: Path,
    number: int,
    connection: duckdb.DuckDBPyConnection,
    reading: Reading,
) -> None:
    present = [r[0] for r in connection.execute(f"DESCRIBE SELECT * FROM {raw.relation}").fetchall()]
    sql = _RowSql(table, source, present, raw)
    malformed = raw.malformed(connection)
    rows, misfits = connection.execute(f"SELECT count(*), count(reason) FROM ({sql.judged()})").fetchall()[0]
    # Parquet keeps no order between files, and rows of a table have none: parallel writing may reorder them.
    connection.execute("SET preserve_insertion_order = false")
    wanted = f" AND {slices.predicate()}" if slices else ""
    columns = ", ".join(f'"{c.name}"' for c in table.columns)
    partition = f", PARTITION_BY ({', '.join(table.partition_by)})" if table.partition_by else ""
    target = staged if partition else staged / f"file{number}.parquet"
    connection.execute(
        f"COPY (SELECT {columns} FROM ({sql.judged()}) WHERE reason IS NULL{wanted}) TO '{target}' "
        f"(FORMAT parquet, COMPRESSION zstd"
        + (f"{partition}, OVERWRITE_OR_IGNORE true, FILENAME_PATTERN 'file{number}_{{i}}')" if partition else ")")
    )
    connection.execute("SET preserve_insertion_order = true")
    reading.origins.append(raw.origin)
    reading.rows_in += rows + len(malformed)
    reading.kept += rows - misfits
    reading.rejects += [(raw.origin.name, line, None, reason, None, text) for line, reason, text in malformed]
    if misfits:
        found = connection.execute(sql.rejected(raw.lines)).fetchall()
        # Malformed lines are not among the rows that `lines` counts: shift what comes after them.
        shifted = [line for line, _, text in malformed]
        for line, column, reason, shape, text in found:
            actual = line
            for skipped in shifted:
                actual += skipped <= actual
            reading.rejects.append((raw.origin.name, actual, column, reason, shape, text))


class _RowSql:
    """The SQL that types and judges the rows of one file."""

    def __init__(self, table: Table, source: Delivered, present: Sequence[str], raw: RawRows) -> None:
        self._raw = raw
        delivered = [c for c in table.columns if c.name not in source.derived and c.name in present]
        absent = [c for c in table.columns if c.name not in source.derived and c.name not in present]
        texts = ", ".join(f'{_present(c, source)} AS "{c.name}"' for c in delivered)
        constants = "".join(f", '{value}' AS \"{name}\"" for name, value in raw.constants.items())
        self._text = f"SELECT {texts}{constants}"
        typed = [f'{_typed(c, source)} AS "{c.name}"' for c in delivered]
        typed += [f'CAST(NULL AS {c.type}) AS "{c.name}"' for c in absent]
        originals = [f'"{c.name}" AS "text:{c.name}"' for c in delivered if _can_fail(c)]
        given = [f'"{name}"' for name in raw.constants]
        self._typed = ", ".join([*typed, *originals, *given])
        derived = "".join(f', {expression} AS "{name}"' for name, expression in source.derived.items())
        self._derived = derived
        self._misfits = [
            (f'"text:{c.name}" IS NOT NULL AND "{c.name}" IS NULL', c.name, f"not_{_word(c)}")
            for c in delivered
            if _can_fail(c)
        ]
        self._misfits += [(f'"{c.name}" IS NULL', c.name, "missing") for c in delivered if c.required]
        self._misfits += [(f"NOT ({k.condition})", k.column, k.reason) for k in source.checks]
        self._row = "concat_ws('" + "|" + "', " + ", ".join(f"coalesce(\"{c.name}\", '')" for c in delivered) + ")"

    def _case(self, index: int) -> str:
        if not self._misfits:
            return "CAST(NULL AS VARCHAR)"
        branches = " ".join(f"WHEN {m[0]} THEN '{m[index]}'" for m in self._misfits)
        return f"CASE {branches} END"

    def judged(self) -> str:
        """Typed rows and `reason`, null for the rows to keep."""
        text = f"{self._text} FROM {self._raw.relation}"
        return f"SELECT *, {self._case(2)} AS reason FROM (SELECT *{self._derived} FROM (SELECT {self._typed} FROM ({text})))"

    def rejected(self, lines: str) -> str:
        """Line, column, reason, value's shape and whole text of the rows that do not fit."""
        text = f'{self._text}, {lines} AS "text:line", {self._row} AS "text:row" FROM {self._raw.relation}'
        shapes = " ".join(
            f"WHEN {condition} THEN regexp_replace(regexp_replace(left(CAST(\"{name}\" AS VARCHAR), 40), '[[:alpha:]]', 'a', 'g'), '\\d', '9', 'g')"
            for condition, name, _ in [(m[0], f"text:{m[1]}" if f'"text:{m[1]}"' in self._typed else m[1], m[2]) for m in self._misfits]
        )
        return (
            f'SELECT "text:line", {self._case(1)}, reason, CASE {shapes} END, "text:row" FROM ('
            f'SELECT *, {self._case(2)} AS reason FROM (SELECT *{self._derived} FROM '
            f'(SELECT {self._typed}, "text:line", "text:row" FROM ({text})))) WHERE reason IS NOT NULL ORDER BY 1'
        )


def _present(column: Column, source: Delivered) -> str:
    """The delivered text, null where the cell is empty or holds a word for it."""
    blanks = ["", *(source.blanks if _can_fail(column) else ())]
    listed = ", ".join(f"'{b}'" for b in blanks)
    return f'CASE WHEN "{column.name}" NOT IN ({listed}) THEN "{column.name}" END'


def _typed(column: Column, source: Delivered) -> str:
    expression = source.typing.get(column.name) or TYPING.get(column.type, "{text}")
    return expression.format(text=f'"{column.name}"')


def _can_fail(column: Column) -> bool:
    return column.type in TYPING


def _word(column: Column) -> str:
    names = {INTEGER: "a_whole_number", LONG: "a_whole_number", DOUBLE: "a_number", DATE: "a_date", BOOLEAN: "a_boolean"}
    return names[column.type]


def write_rejects(reading: Reading, staged: Path) -> None:
    """The rejects as one Parquet file below `staged`."""
    schema = arrow_schema(REJECT_COLUMNS)
    columns = list(zip(*reading.rejects, strict=True)) if reading.rejects else [[] for _ in REJECT_COLUMNS]
    pq.write_table(pa.table([pa.array(v, f.type) for v, f in zip(columns, schema, strict=True)], schema=schema), staged / "rejects.parquet")


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(n) for n in names[:4])
    return shown + (f" and {len(names) - 4} more" if len(names) > 4 else "")
