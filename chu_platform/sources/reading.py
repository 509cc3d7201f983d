"""From delivered text to typed rows and rejects: every row is in exactly one of them.

The text is typed with try_cast; a row with a value that does not fit, or that fails a check of its source,
goes whole to the rejects. A delivery is always read entirely, also when only some slices are wanted, so that
the counts and the rejects are those of the delivery.

Here: the passes over each file: keep, and, where rows are left over, reject. Not here: where text comes
from, and how it is typed (row_sql).
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from chu_platform.errors import ChuError
from chu_platform.sources.delivered import (
    LARGEST_REJECTED_SHARE,
    MOST_REJECTS,
    REJECT_COLUMNS,
    Delivered,
    Expected,
    Origin,
    RawRows,
)
from chu_platform.sources.row_sql import FRENCH_DATE, RowSql
from chu_platform.tables.columns import arrow_schema
from chu_platform.tables.duckdb_sql import sql_name, sql_text
from chu_platform.tables.slices import Slices
from chu_platform.tables.table import Table

if TYPE_CHECKING:
    from chu_platform.care_database.database import CareDatabase

__all__ = ["FRENCH_DATE", "Reading", "ReadingContext", "read", "write_rejects"]

MEMORY_LIMIT = "2GB"
# Rows that a partition gathers before they are written as a row group: DuckDB's default of four times as
# many makes it swap with fifty partitions.
GATHERED_ROWS = 122_880
# What the system says of a disk; DuckDB's other words may quote rows.
DISK_TROUBLE = re.compile(
    r"No space left on device|File too large|Disk quota exceeded|Permission denied|Input/output error"
)


# A row of REJECT_COLUMNS.
Reject = tuple[str, int, str | None, str, str | None, str]


@dataclass
class ReadingContext:
    """What a reader needs: the pack, a folder for copies, the care database, a place for remarks."""

    pack: Path
    scratch: Path
    care_database: "CareDatabase"
    remark: Callable[[str], None]


@dataclass
class Reading:
    """What was read: rows in = kept + rejected."""

    rows_in: int = 0
    kept: int = 0
    rejects: list[Reject] = field(default_factory=list)
    origins: list[Origin] = field(default_factory=list)


def read(table: Table, slices: Slices | None, staged: Path, context: ReadingContext) -> Reading:
    """Read a delivered table: its kept rows of `slices` as Parquet below `staged`; counts and rejects as the
    result.

    Raises ChuError when the delivery cannot be read, when most of a file's rows are rejected, or when the
    rows that come out are not as many as went in.
    """
    source = table.rows
    assert isinstance(source, Delivered)
    reading = Reading()
    delivered = [c.name for c in table.columns if c.name not in source.derived]
    required = [name for name in delivered if name not in source.optional]
    expected = Expected(required, source.optional, source.spellings)
    with (
        _own_words(table.name),
        source.reader.open(table, expected, context) as files,
        duckdb.connect() as connection,
    ):
        connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
        connection.execute(f"SET temp_directory = {sql_text(str(context.scratch))}")
        connection.execute(f"SET partitioned_write_flush_threshold = {GATHERED_ROWS}")
        for number, raw in enumerate(files):
            with _own_words(raw.origin.name):
                sql = RowSql(table, source, raw)
                kept = _keep(connection, table, sql, slices, staged, number)
                rejects = _rejects(connection, sql, raw, kept)
                reading.origins.append(raw.origin)
                reading.rows_in += raw.rows + len(raw.malformed)
                reading.kept += kept
                reading.rejects += rejects
    if reading.rows_in != reading.kept + len(reading.rejects):
        came_out = f"{reading.kept} kept and {len(reading.rejects)} rejected came out"
        raise ChuError(f"{table.name}: {reading.rows_in} rows went in, {came_out}")
    return reading


def _keep(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    sql: RowSql,
    slices: Slices | None,
    staged: Path,
    number: int,
) -> int:
    """Write the rows of the slices; the number of rows that fit, in all slices."""
    # Parquet keeps no order between files, and rows of a table have none: parallel writing may reorder them.
    connection.execute("SET preserve_insertion_order = false")
    fitting = f"FROM ({sql.judged()}) WHERE reason IS NULL"
    partial = slices is not None and not slices.whole
    wanted = f" AND {slices.predicate()}" if partial and slices else ""
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
    too_many = rows_in - kept > min(rows_in * LARGEST_REJECTED_SHARE, MOST_REJECTS)
    rejects: list[Reject] = [(name, m.line, None, m.reason, None, m.text) for m in raw.malformed]
    if kept != raw.rows:
        # The numbers of rows are those of their order in the file.
        connection.execute("SET preserve_insertion_order = true")
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


def write_rejects(reading: Reading, staged: Path) -> None:
    """The rejects as one Parquet file below `staged`."""
    schema = arrow_schema(REJECT_COLUMNS)
    arrays = [pa.array([reject[i] for reject in reading.rejects], f.type) for i, f in enumerate(schema)]
    pq.write_table(pa.table(arrays, schema=schema), staged / "rejects.parquet")


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
