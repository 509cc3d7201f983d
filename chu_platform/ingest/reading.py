"""From delivered text to typed rows and rejects: every row is in exactly one of them.

The text is typed with try_cast; a row with a value that does not fit, or that fails a check of its source,
goes whole to the rejects. A delivery is always read entirely, also when only some partitions are wanted, so that
the counts and the rejects are those of the delivery.

Here: the passes over each file: keep, and, where rows are left over, reject. Not here: where text comes
from, and how it is typed (row_sql).
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import duckdb
import pyarrow as pa

from chu_platform.errors import ChuError
from chu_platform.ingest.delivered import (
    MAX_REJECTED_SHARE,
    MAX_REJECTS,
    RawRows,
    SourceFile,
    delivered_rows,
    shown,
)
from chu_platform.ingest.rejects import Reject
from chu_platform.ingest.row_sql import FRENCH_DATE, RowSql
from chu_platform.tables.duckdb_sql import sql_name, sql_text
from chu_platform.tables.partitions import PartitionRange
from chu_platform.tables.table import Table

__all__ = ["FRENCH_DATE", "ReadDelivery", "Reading", "ReadingContext", "read"]

MEMORY_LIMIT = "2GB"
# Rows that a partition gathers before they are written as a row group: DuckDB's default of four times as
# many makes it swap with fifty partitions.
GATHERED_ROWS = 122_880
# What the system says of a disk; DuckDB's other words may quote rows.
DISK_TROUBLE = re.compile(
    r"No space left on device|File too large|Disk quota exceeded|Permission denied|Input/output error"
)

# A column of which so many values are there and not one fits has another type now; fewer may be misspelled.
RETYPED_FROM = 10


class DatabaseSnapshot(Protocol):
    """A database whose tables are all read as of one moment. Raises ChuError when it cannot be read."""

    @property
    def fingerprint(self) -> str:
        """What says which moment it is: the SHA-256 of a dump, or the snapshot of a server."""

    def columns(self, table: str) -> Sequence[str]:
        """Names of the columns of a table, in order; empty when there is no such table."""

    def count(self, table: str) -> int:
        """Number of rows of a table."""

    def stream(self, table: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The rows of a table, every column as text, batch by batch."""


@dataclass
class ReadingContext:
    """What a reader needs: the pack, a folder for copies, the care database, a place for remarks."""

    pack: Path
    scratch: Path
    care_database: DatabaseSnapshot
    remark: Callable[[str], None]


@dataclass(frozen=True)
class ReadDelivery:
    """A file or database table that was read: how it is written, and what became of its rows.

    `undeclared` are the columns that are not declared, as messages may hold them.
    """

    origin: SourceFile
    encoding: str | None
    separator: str | None
    rows_in: int
    kept: int
    rejected: int
    undeclared: Sequence[str]

    @staticmethod
    def of(raw: RawRows, kept: int, rejected: int) -> "ReadDelivery":
        """What is known of it once it was read."""
        rows_in = raw.rows + len(raw.malformed)
        undeclared = [shown(name) for name in raw.undeclared.values() if name]
        return ReadDelivery(raw.origin, raw.encoding, raw.separator, rows_in, kept, rejected, undeclared)

    @property
    def said(self) -> dict[str, object]:
        """What commits and events say of it: nothing of its content."""
        return {
            "name": self.origin.name,
            "bytes": self.origin.size,
            "sha256": self.origin.fingerprint,
            "modified": self.origin.modified,
            "encoding": self.encoding,
            "separator": self.separator,
            "rows": {"in": self.rows_in, "kept": self.kept, "rejected": self.rejected},
            "undeclared": self.undeclared,
        }


@dataclass
class Reading:
    """What was read: rows in = kept + rejected, in each delivery and in all."""

    deliveries: list[ReadDelivery] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)

    @property
    def rows_in(self) -> int:
        """Rows of all deliveries."""
        return sum(d.rows_in for d in self.deliveries)

    @property
    def kept(self) -> int:
        """Rows kept of all deliveries."""
        return sum(d.kept for d in self.deliveries)

    @property
    def undeclared(self) -> Sequence[str]:
        """Columns of any delivery that are not declared, as messages may hold them."""
        return list(dict.fromkeys(name for d in self.deliveries for name in d.undeclared))


def read(
    table: Table, partition_range: PartitionRange | None, staged: Path, quarantine: Path, context: ReadingContext
) -> Reading:
    """Read a delivered table: counts and rejects as the result.

    Its kept rows of `partition_range` are written as Parquet below `staged`, the values of columns that are not
    declared below `quarantine`.

    Raises ChuError when the delivery cannot be read, when a column has another type than is declared, when most of a
    file's rows are rejected, or when the rows that come out are not as many as went in.
    """
    source = delivered_rows(table)
    reading = Reading()
    with (
        _own_words(table.name),
        source.reader.open(source.expected(table.columns), context) as files,
        duckdb.connect() as connection,
    ):
        connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
        connection.execute(f"SET temp_directory = {sql_text(str(context.scratch))}")
        connection.execute(f"SET partitioned_write_flush_threshold = {GATHERED_ROWS}")
        for number, raw in enumerate(files):
            with _own_words(raw.origin.name):
                sql = RowSql(table, source, raw)
                kept = _keep(connection, table, sql, partition_range, staged, number)
                rejects = _rejects(connection, sql, raw, kept)
                _quarantine(connection, raw, quarantine / f"file{number}.parquet")
                reading.deliveries.append(ReadDelivery.of(raw, kept, len(rejects)))
                reading.rejects += rejects
    if reading.rows_in != reading.kept + len(reading.rejects):
        came_out = f"{reading.kept} kept and {len(reading.rejects)} rejected came out"
        raise ChuError(f"{table.name}: {reading.rows_in} rows went in, {came_out}")
    return reading


def _keep(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    sql: RowSql,
    partition_range: PartitionRange | None,
    staged: Path,
    number: int,
) -> int:
    """Write the rows of the partitions; the number of rows that fit, in all partitions."""
    # Parquet keeps no order between files, and rows of a table have none: parallel writing may reorder them.
    connection.execute("SET preserve_insertion_order = false")
    fitting = f"FROM ({sql.judged()}) WHERE reason IS NULL"
    partial = partition_range is not None and not partition_range.whole
    wanted = f" AND {partition_range.predicate()}" if partial and partition_range else ""
    columns = ", ".join(sql_name(c.name) for c in table.columns)
    options = "FORMAT parquet, COMPRESSION zstd"
    target = staged / f"file{number}.parquet"
    if table.partition_by:
        target = staged
        names = ", ".join(sql_name(c) for c in table.partition_by)
        options += f", PARTITION_BY ({names}), OVERWRITE_OR_IGNORE true, FILENAME_PATTERN 'file{number}_{{i}}'"
    copied = _one(connection, f"COPY (SELECT {columns} {fitting}{wanted}) TO {sql_text(str(target))} ({options})")
    return _one(connection, f"SELECT count(*) {fitting}") if partial else copied


def _rejects(connection: duckdb.DuckDBPyConnection, sql: RowSql, raw: RawRows, kept: int) -> list[Reject]:
    """The rejects of a file of which `kept` rows fit, in order of line.

    Raises ChuError when they are so many that the file is another one than it seems, or when rows are
    unaccounted for.
    """
    name = raw.origin.name
    rows_in = raw.rows + len(raw.malformed)
    too_many = rows_in - kept > min(rows_in * MAX_REJECTED_SHARE, MAX_REJECTS)
    rejects: list[Reject] = [(name, m.line, None, m.reason, None, m.text) for m in raw.malformed]
    if kept != raw.rows:
        # The numbers of rows are those of their order in the file.
        connection.execute("SET preserve_insertion_order = true")
        if kept <= raw.rows - RETYPED_FROM:
            _refuse_retyped(connection, name, sql)
        found = connection.execute(sql.misfits(1 if too_many else None)).fetchall()
        places = raw.locate(connection, [number for number, *_ in found])
        rejects += [
            (name, line, column, reason, shape, text)
            for (_, column, reason, shape), (line, text) in zip(found, places, strict=True)
        ]
    rejects.sort(key=lambda reject: reject[1])
    if too_many:
        _, line, column, reason, shape, _ = rejects[0]
        raise ChuError(
            f"{name}: {rows_in - kept} of {rows_in} rows do not fit, first line {line} (column "
            f"{column or '-'}: {reason}, shape {shape or '-'}); nothing was published, ask for it again"
        )
    if rows_in != kept + len(rejects):
        raise ChuError(
            f"{name}: {rows_in} rows went in, {kept} kept and {len(rejects)} rejected came out: run again, "
            "and report it if that stays"
        )
    return rejects


def _refuse_retyped(connection: duckdb.DuckDBPyConnection, name: str, sql: RowSql) -> None:
    """Raise ChuError when no value of a column fits its type: then the column has another one in this delivery."""
    query = sql.fitting()
    for column, there, fitting in connection.execute(query).fetchall() if query else ():
        if there >= RETYPED_FROM and not fitting:
            ((reason, shape),) = connection.execute(sql.misfit_of(column)).fetchall()
            raise ChuError(
                f"{name}: the column {column!r} has another type now: none of its {there} values fits ({reason}, "
                f"shape {shape}); nothing was published, ask for it as it was, or declare the new type"
            )


def _quarantine(connection: duckdb.DuckDBPyConnection, raw: RawRows, target: Path) -> None:
    """Write what stands in the columns that are not declared, value by value."""
    if not raw.undeclared:
        return
    connection.execute("SET preserve_insertion_order = true")
    cells = ", ".join(
        f"{{'column': {sql_text(word or name)}, 'value': {sql_name(name)}}}" for name, word in raw.undeclared.items()
    )
    rows = f'SELECT {raw.number} AS "number", unnest([{cells}]) AS cell FROM {raw.relation}'
    connection.execute(
        f'COPY (SELECT {sql_text(raw.origin.name)} AS file, {sql_text(raw.origin.fingerprint)} AS delivery, "number", '
        f'cell."column" AS "column", cell."value" AS "value" FROM ({rows}) WHERE cell."value" <> \'\') '
        f"TO {sql_text(str(target))} (FORMAT parquet, COMPRESSION zstd)"
    )


@contextmanager
def _own_words(name: str) -> Iterator[None]:
    """Turn what DuckDB and the system say while `name` is read into one line that quotes no row."""
    try:
        yield
    except duckdb.OutOfMemoryException:
        raise ChuError(f"{name}: not enough memory, or disk for temporary files, to read it") from None
    except duckdb.Error as error:
        trouble = DISK_TROUBLE.search(str(error))
        if trouble:
            raise ChuError(f"{name}: its rows could not be written: {trouble.group()}; make room for them") from None
        line = re.search(r"CSV Error on Line: (\d+)", str(error))
        where = f" near line {line.group(1)}" if line else ""
        raise ChuError(f"{name}: cannot be read{where} ({type(error).__name__}): ask for it again") from None
    except OSError as error:
        raise ChuError(f"{name}: it could not be read or copied: {error.strerror or error}") from None


def _one(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    return int(connection.execute(query).fetchall()[0][0])
