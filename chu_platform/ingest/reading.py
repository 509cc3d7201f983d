"""Turn delivered text into typed rows and rejects. Every row becomes one of the two, or is withdrawn.

The text is typed with try_cast. A row with a value that does not fit its type, or that fails a row check, is rejected
as a whole. A delivery is always read completely, even when only some partitions are wanted, so counts and rejects
cover the whole delivery. But only partitions with other rows than before are written, if the caller can tell them: to
write takes longer than to read twice.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from operator import itemgetter
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import duckdb
import pyarrow as pa

from chu_platform.errors import ChuError, PermanentError, reason_of
from chu_platform.ingest.delivered import (
    FEW_REJECTS,
    MAX_REJECTED_SHARE,
    MAX_REJECTS,
    MAX_REPEATED_SHARE,
    Delivered,
    LeftOut,
    RawRows,
    SourceFile,
    Withdrawals,
    delivered_rows,
    safe_column_name,
)
from chu_platform.ingest.opposed_rows import opposed_condition, without_opposed
from chu_platform.ingest.oppositions import Oppositions
from chu_platform.ingest.reading_session import reading_connection
from chu_platform.ingest.reject_history import Reject
from chu_platform.ingest.row_sql import CONTRADICTORY, REPEATS, RowSql
from chu_platform.ingest.understanding import MAX_NAMED_LINES, Misunderstood, misunderstood, rejected_values
from chu_platform.tables.duckdb_sql import sql_name, sql_text
from chu_platform.tables.partitions import PartitionRange, TouchedPartitions
from chu_platform.tables.table import Table

# From a relation of rows, its number of rows and the partitions in which they are not the committed ones; None: all.
FindChanged = Callable[[duckdb.DuckDBPyConnection, str], tuple[int, TouchedPartitions | None]]
# Called before a file or table is read: its name, its size in bytes, and how much of it has been read in percent.
Watch = Callable[[str, int, Callable[[], float]], None]
# Disk errors of the operating system. Other DuckDB messages are not passed on, because they may quote rows.
DISK_ERROR = re.compile(
    r"No space left on device|File too large|Disk quota exceeded|Permission denied|Input/output error"
)

# A list is remarked if it withdraws rows for less than this share of its entries that concern the delivery.
FEW_WITHDRAWALS = 0.05
# Columns whose values are written to the quarantine at a time.
QUARANTINED_COLUMNS = 500
# Rows that are searched for values of these columns at a time.
BATCH_ROWS = 2_048

SAME_FORM = "ask for the former type and form, or declare the new one"


class DatabaseSnapshot(Protocol):
    """A database whose tables are all read from one snapshot. Raises ChuError when it cannot be read."""

    @property
    def fingerprint(self) -> str:
        """Identifier of the snapshot: the SHA-256 of a dump, or the snapshot of a server."""

    def columns(self, table: str) -> Sequence[str]:
        """Names of the columns of a table, in order; empty when there is no such table."""

    def count(self, table: str) -> int:
        """Number of rows of a table."""

    def stream(self, table: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The rows of a table, every column as text, batch by batch."""


class NoDatabase:
    """In place of a database where only files are read."""

    fingerprint = ""

    def columns(self, table: str) -> Sequence[str]:
        """Nobody asks for them."""
        raise NotImplementedError(table)

    def count(self, table: str) -> int:
        """Nobody asks for it."""
        raise NotImplementedError(table)

    def stream(self, table: str, columns: Sequence[str]) -> "Iterator[pa.RecordBatch]":
        """Nobody asks for it."""
        raise NotImplementedError(table, columns)


def watch_nothing(_name: str, _size: int, _percentage: Callable[[], float]) -> None:
    """A `Watch` without effect."""


@dataclass
class ReadingContext:
    """Context of a reader: the pack, a folder for temporary files, the care database, a log function, a `Watch`.

    Rows of persons on the list of `oppositions` are withdrawn. Readers add `remarks` that whoever starts the run should
    see, and the files that are `left_out`. If `nothing` is read, it is as if nothing was delivered.
    """

    pack: Path
    scratch: Path
    care_database: DatabaseSnapshot
    log: Callable[[str], None]
    watch: Watch = watch_nothing
    remarks: list[str] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    nothing: bool = False
    oppositions: Oppositions | None = None


@dataclass(frozen=True)
class DeliveryReading:
    """A file or database table that was read: its encoding, separator and row counts.

    `undeclared` are the names of the columns that are not declared (see `safe_column_name`). `lines_in_fallback`,
    `garbled` and `is_unended` are explained in `RawRows`.
    """

    origin: SourceFile
    encoding: str | None
    separator: str | None
    rows_in: int
    kept: int
    rejected: int
    withdrawn: int
    undeclared: Sequence[str]
    lines_in_fallback: int
    garbled: int
    is_unended: bool

    @staticmethod
    def of(raw: RawRows, kept: int, rejected: int, withdrawn: int) -> "DeliveryReading":
        """The result for one file or table."""
        rows_in = raw.rows + len(raw.malformed)
        undeclared = [safe_column_name(name) for name in raw.undeclared.values() if name]
        return DeliveryReading(
            raw.origin,
            raw.encoding,
            raw.separator,
            rows_in,
            kept,
            rejected,
            withdrawn,
            undeclared,
            raw.lines_in_fallback,
            raw.garbled,
            raw.is_unended,
        )

    @property
    def metadata(self) -> dict[str, object]:
        """Its entry in commit metadata and Dagster events. Contains no delivered values."""
        return {
            "name": self.origin.name,
            "bytes": self.origin.size,
            "sha256": self.origin.fingerprint,
            "modified": self.origin.modified,
            "encoding": self.encoding,
            "separator": self.separator,
            "lines_in_fallback": self.lines_in_fallback,
            "rows": {
                "in": self.rows_in,
                "kept": self.kept,
                "rejected": self.rejected,
                "withdrawn": self.withdrawn,
            },
            "undeclared": self.undeclared,
        }


@dataclass(frozen=True)
class AppliedList:
    """A list of rows to withdraw that was applied, and its number of rows."""

    origin: SourceFile
    rows: int

    @property
    def metadata(self) -> dict[str, Any]:
        """Its entry in commit metadata."""
        return {"name": self.origin.name, "sha256": self.origin.fingerprint, "rows": {"kept": self.rows}}


@dataclass
class Reading:
    """Result of reading a table: rows in = kept + rejected + withdrawn, for each delivery and in total.

    If only some partitions were written, these are `touched`. `lists` are the files that name the withdrawn rows.
    `misunderstood` are the columns with values that are not understood. `remarks` are other texts about the delivery
    that whoever starts the run should see. `left_out` are the files that cannot be read (`Reader.apart`),
    `left_partitions` the partitions that keep their rows therefore (`Delivered.stands_alone`).
    """

    deliveries: list[DeliveryReading] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    lists: list[AppliedList] = field(default_factory=list)
    touched: TouchedPartitions | None = None
    misunderstood: list[Misunderstood] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    left_partitions: list[Mapping[str, str | None]] = field(default_factory=list)

    @property
    def rows_in(self) -> int:
        """Number of rows of all deliveries."""
        return sum(d.rows_in for d in self.deliveries)

    @property
    def kept(self) -> int:
        """Number of rows kept of all deliveries."""
        return sum(d.kept for d in self.deliveries)

    @property
    def withdrawn(self) -> int:
        """Number of withdrawn rows of all deliveries."""
        return sum(d.withdrawn for d in self.deliveries)

    @property
    def not_understood(self) -> Sequence[str]:
        """A text for each column of which no value, or too few, are understood: it blocks the source."""
        return [m.text for m in self.misunderstood if m.blocks]

    @property
    def partly_understood(self) -> Sequence[str]:
        """A text for each other column with many values that are not understood."""
        return [m.text for m in self.misunderstood if not m.blocks]

    @property
    def undeclared(self) -> Sequence[str]:
        """Names of the columns of all deliveries that are not declared (see `safe_column_name`)."""
        return list(dict.fromkeys(name for d in self.deliveries for name in d.undeclared))

    @property
    def mixed(self) -> Sequence[DeliveryReading]:
        """The files with lines in two encodings."""
        return [d for d in self.deliveries if d.lines_in_fallback]

    @property
    def garbled(self) -> Sequence[DeliveryReading]:
        """The files with lines in an encoding that is not known."""
        return [d for d in self.deliveries if d.garbled]

    @property
    def unended(self) -> Sequence[DeliveryReading]:
        """The files whose last line has no line ending."""
        return [d for d in self.deliveries if d.is_unended]


def read(
    table: Table,
    partition_range: PartitionRange | None,
    written: Path,
    quarantine: Path,
    context: ReadingContext,
    find_changed: FindChanged | None = None,
) -> Reading:
    """Read a delivered table and return its counts and rejects.

    Writes the kept rows of `partition_range` as Parquet below `written`, and the values of columns that are not
    declared below `quarantine`, to files with new names. With `find_changed`, a delivery of one file or database table
    is read twice: first to find the partitions with other rows, then to write only these.

    Raises ChuError when the delivery cannot be read, when most rows of a file are rejected, or when rows in differ from
    kept + rejected + withdrawn.
    """
    source = delivered_rows(table)
    reading = Reading()
    token = uuid4().hex
    if find_changed and source.reader.database is None and len(source.reader.files(context.pack)) != 1:
        # The rows of a partition may be in several files.
        find_changed = None
    with (
        _without_row_values(table.name),
        (
            nullcontext(iter(())) if context.nothing else source.reader.open(source.expected(table.columns), context)
        ) as files,
        reading_connection(context.scratch, _size(source, context)) as connection,
    ):
        withdrawn = None
        withdrawal_keys: Sequence[str] = ()
        if source.withdrawals:
            reading.lists = _load_withdrawals(connection, source.withdrawals, context)
            withdrawal_keys = _withdrawal_keys(connection, source.withdrawals)
            keys = [f"{key} IN (SELECT key FROM withdrawn)" for key in withdrawal_keys]
            withdrawn = f"({' OR '.join(keys)})" if reading.lists else None
        for number, raw in enumerate(files):
            name = f"part-{token}-{number}"
            with _left_out(source, context, raw, written, name), _without_row_values(raw.origin.name):
                context.watch(raw.origin.name, raw.origin.size, connection.query_progress)
                if raw.doubly_encoded:
                    context.remarks.append(
                        f"{raw.origin.name}: letters of {raw.doubly_encoded} lines were encoded twice in UTF-8 (Ã© in "
                        "place of é); they were kept as they are: ask for the original file"
                    )
                opposed = None
                if context.oppositions is not None:
                    rows = RowSql(table, source, raw)
                    opposed = opposed_condition(connection, source, rows, context.oppositions, context.care_database)
                leaving = " OR ".join(filter(None, [withdrawn, opposed])) or None
                sql = _without_repeats(connection, table, source, raw, leaving and f"({leaving})")
                context.remarks += _words_for_nothing(connection, sql, raw)
                kept = None
                if find_changed:
                    kept, reading.touched = find_changed(connection, sql.kept())
                only = _only(partition_range, reading.touched)
                kept = _keep(connection, table, sql, only, written, name, kept)
                withdrawals = _withdrawn(connection, sql, source.withdrawals, withdrawal_keys) if reading.lists else 0
                if opposed:
                    withdrawals = _one(connection, sql.withdrawn_count())
                stored = None if only or not kept else f"read_parquet({sql_text(f'{written}/**/{name}*.parquet')})"
                found = misunderstood(connection, sql, raw, kept, stored)
                without_meaning = [m.text for m in found if m.blocks]
                rejects = _rejects(connection, sql, raw, kept + withdrawals, source.max_rejected_share, without_meaning)
                found += rejected_values(connection, sql, raw, rejects)
                if context.oppositions is not None:
                    others = without_opposed(table, context.oppositions, rejects, itemgetter(-1))
                    withdrawals, rejects = withdrawals + len(rejects) - len(others), others
                if source.reader.apart and (blocking := [m.text for m in found if m.blocks]):
                    raise _Refused(f"{'; '.join(blocking)}; {SAME_FORM}")
                _quarantine(connection, raw, quarantine / f"part-{token}-undeclared{number}-", sql if leaving else None)
                reading.deliveries.append(DeliveryReading.of(raw, kept, len(rejects), withdrawals))
                reading.rejects += rejects
                reading.misunderstood += found
        if reading.lists:
            context.remarks += _incomplete_withdrawals(connection)
            context.remarks += _lists_without_effect(connection, table.name)
        if source.stands_alone and table.partition_by:
            reading.left_partitions = [_partition_of(connection, table, source, f) for f in context.left_out]
    reading.remarks, reading.left_out = context.remarks, context.left_out
    if reading.left_out and source.stands_alone and not reading.deliveries:
        raise PermanentError("; ".join(f.why for f in reading.left_out))
    if reading.rows_in != reading.kept + len(reading.rejects) + reading.withdrawn:
        raise ChuError(
            f"{table.name}: {reading.rows_in} rows read, but {reading.kept} kept, {len(reading.rejects)} rejected and "
            f"{reading.withdrawn} withdrawn"
        )
    return reading


def _size(source: Delivered, context: ReadingContext) -> int | None:
    """The bytes of the delivered files that may be read; None of a database."""
    if source.reader.database is not None:
        return None
    lists = [delivered_rows(w.listed).reader for w in [source.withdrawals] if w]
    return sum(file.stat().st_size for reader in (source.reader, *lists) for file in reader.copies(context.pack))


def _partition_of(
    connection: duckdb.DuckDBPyConnection, table: Table, source: Delivered, file: LeftOut
) -> Mapping[str, str | None]:
    """The partition of the rows of a file, as its name gives it."""
    named = ", ".join(f"{sql_text(value)} AS {sql_name(name)}" for name, value in file.constants.items())
    values = ", ".join(source.derived[column] for column in table.partition_by)
    (row,) = connection.execute(f"SELECT {values} FROM (SELECT {named})").fetchall()
    return dict(zip(table.partition_by, row, strict=True))


def _load_withdrawals(
    connection: duckdb.DuckDBPyConnection, withdrawals: Withdrawals, context: ReadingContext
) -> list[AppliedList]:
    """Create the table withdrawn(file, key, group, is_incomplete) from the delivered lists. Returns their files.

    Raises ChuError when a row of a list cannot be read: what it withdraws would be kept.
    """
    source = delivered_rows(withdrawals.listed)
    connection.execute('CREATE TEMP TABLE withdrawn(file VARCHAR, key VARCHAR, "group" VARCHAR, is_incomplete BOOLEAN)')
    connection.execute(
        "CREATE TEMP TABLE delivered_groups(delivered_group VARCHAR, withdrawn_rows BIGINT, withdrawn_keys VARCHAR[])"
    )
    files = []
    quiet = replace(context, log=lambda _: None)
    with source.reader.open(source.expected(withdrawals.listed.columns), quiet) as lists:
        for raw in lists:
            with _without_row_values(raw.origin.name):
                sql = RowSql(withdrawals.listed, source, raw)
                columns = f"{sql_text(raw.origin.name)}, {sql_name(withdrawals.listed_key)}, {withdrawals.group}"
                rows = f"SELECT {columns}, {withdrawals.incomplete} FROM ({sql.checked()}) WHERE reason IS NULL"
                read = _one(connection, f"INSERT INTO withdrawn {rows}")
                _require_withdrawals(connection, sql, raw, read)
            context.remarks += _words_for_nothing(connection, sql, raw)
            files.append(AppliedList(raw.origin, read))
    return files


def _withdrawal_keys(connection: duckdb.DuckDBPyConnection, withdrawals: Withdrawals) -> Sequence[str]:
    """SQL of the keys of a row that the lists may have. Those of incomplete entries are left out if there is none."""
    has_incomplete = _one(connection, "SELECT count(*) FROM withdrawn WHERE is_incomplete")
    return [withdrawals.key, *(withdrawals.wider_keys if has_incomplete else ())]


def _require_withdrawals(connection: duckdb.DuckDBPyConnection, sql: RowSql, raw: RawRows, read: int) -> None:
    """Raise ChuError when fewer rows of a list were read than it has."""
    listed = raw.rows + len(raw.malformed)
    if read == listed:
        return
    where = [(m.line, f"line {m.line}: {m.reason}") for m in raw.malformed]
    connection.execute("SET preserve_insertion_order = true")
    unread = connection.execute(sql.rejected(MAX_NAMED_LINES)).fetchall()
    located = raw.locate(connection, [number for number, *_ in unread])
    where += [
        (line, f"line {line}, column {column}: {reason}, shape {shape or '-'}")
        for (_, column, reason, shape), (line, _) in zip(unread, located, strict=True)
    ]
    named = "; ".join(text for _, text in sorted(where)[:MAX_NAMED_LINES])
    raise ChuError(
        f"{raw.origin.name}: {listed - read} of {listed} withdrawals cannot be read ({named}), so what they withdraw "
        "would be published; nothing was committed: correct these lines, or ask for the list again"
    )


def _words_for_nothing(connection: duckdb.DuckDBPyConnection, sql: RowSql, raw: RawRows) -> Sequence[str]:
    """A text if cells of a file hold words such as NULL for no value."""
    query = sql.absent_counts()
    found = [(column, n) for column, n in connection.execute(query).fetchall() if n] if query else []
    if not found:
        return []
    columns = ", ".join(f"{n} of {column!r}" for column, n in found)
    return [f"{raw.origin.name}: cells with a word for no value, such as NULL or NA, were read as empty: {columns}"]


def _withdrawn(
    connection: duckdb.DuckDBPyConnection, sql: RowSql, withdrawals: Withdrawals | None, keys: Sequence[str]
) -> int:
    """The number of withdrawn rows of a file. Its groups of the lists are added to the table delivered_groups."""
    assert withdrawals
    rows = sql.withdrawn_rows(withdrawals.group, keys, 'SELECT "group" FROM withdrawn')
    connection.execute(f"CREATE OR REPLACE TEMP TABLE groups_of_file AS {rows}")
    connection.execute("INSERT INTO delivered_groups FROM groups_of_file")
    return _one(connection, "SELECT coalesce(sum(withdrawn_rows), 0) FROM groups_of_file")


def _incomplete_withdrawals(connection: duckdb.DuckDBPyConnection) -> Sequence[str]:
    """A text for each list with entries that lack a part of their key."""
    lists = connection.execute(
        "SELECT file, count(*) FROM withdrawn WHERE is_incomplete GROUP BY file ORDER BY file"
    ).fetchall()
    return [
        f"{file}: {entries} withdrawals have no place or no number: every row that they may name is withdrawn, perhaps "
        "some too many; complete them"
        for file, entries in lists
    ]


def _lists_without_effect(connection: duckdb.DuckDBPyConnection, table: str) -> Sequence[str]:
    """A text for each list that withdraws hardly any row, although the delivery has rows of its groups."""
    lists = connection.execute(
        """
        SELECT file, count(*) FILTER ("group" IN (SELECT delivered_group FROM delivered_groups)) AS expected,
               count(*) FILTER (key IN (SELECT unnest(withdrawn_keys) FROM delivered_groups)) AS applied
        FROM withdrawn GROUP BY file HAVING applied < expected * ? ORDER BY file
        """,
        [FEW_WITHDRAWALS],
    ).fetchall()
    return [
        f"{file}: {applied or 'none'} of its {expected} withdrawals that concern days of {table} names a delivered "
        "row: these rows were left out already, or the list writes places or numbers in a way that is not known"
        for file, expected, applied in lists
    ]


def _without_repeats(
    connection: duckdb.DuckDBPyConnection, table: Table, source: Delivered, raw: RawRows, withdrawn: str | None
) -> RowSql:
    """The SQL of the rows of a file, with rejects of the rows that repeat the key of another row.

    Usually no key is repeated, which is seen in the key alone. Otherwise rows are numbered, so that they are read in
    order, by one thread. Raises ChuError when the share of the repeats is above MAX_REPEATED_SHARE.
    """
    sql = RowSql(table, source, raw, withdrawn)
    # The order of rows does not matter, so DuckDB may read and write in parallel.
    connection.execute("SET preserve_insertion_order = false")
    if not table.key or not connection.execute(sql.repeated_key()).fetchall():
        return sql
    connection.execute("SET preserve_insertion_order = true")
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {REPEATS} AS {sql.repeats()}")
    repeated, contradictory = connection.execute(
        f"SELECT count(*), count(*) FILTER (reason = '{CONTRADICTORY}') FROM {REPEATS}"
    ).fetchall()[0]
    if repeated > _allowed_rejects(raw.rows, MAX_REPEATED_SHARE):
        raise _Refused(
            f"{raw.origin.name}: {repeated} of {raw.rows} rows have the key ({', '.join(table.key)}) of another row, "
            f"{contradictory} of them with other values; nothing was committed, ask for it again"
        )
    return RowSql(table, source, raw, withdrawn, has_repeats=repeated > 0)


def _only(partition_range: PartitionRange | None, touched: TouchedPartitions | None) -> str | None:
    """Condition of the rows to write; None: all."""
    if touched is not None:
        return touched.predicate()
    return partition_range.predicate() if partition_range and not partition_range.whole else None


def _keep(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    sql: RowSql,
    only: str | None,
    written: Path,
    name: str,
    kept: int | None,
) -> int:
    """Write the kept rows that meet the condition `only`. Returns the number of all kept rows: `kept`, if known."""
    relation = sql.kept()
    options = "FORMAT parquet, COMPRESSION zstd"
    target = written / f"{name}.parquet"
    if table.partition_by:
        target = written
        names = ", ".join(sql_name(c) for c in table.partition_by)
        options += f", PARTITION_BY ({names}), OVERWRITE_OR_IGNORE true, FILENAME_PATTERN '{name}_{{i}}'"
    rows = f"SELECT * FROM {relation}{f' WHERE {only}' if only else ''}"
    copied = _one(connection, f"COPY ({rows}) TO {sql_text(str(target))} ({options})")
    if kept is not None:
        return kept
    return _one(connection, f"SELECT count(*) FROM {relation}") if only else copied


def _rejects(
    connection: duckdb.DuckDBPyConnection,
    sql: RowSql,
    raw: RawRows,
    kept: int,
    max_share: float,
    not_understood: Sequence[str],
) -> list[Reject]:
    """The rejects of a file with `kept` kept or withdrawn rows, in order of line.

    Raises ChuError when the number of rejects, or their share (`max_share`), is above the limit, or when rows are
    neither kept nor rejected. A column that is `not_understood` is then the cause.
    """
    name = raw.origin.name
    rows_in = raw.rows + len(raw.malformed)
    too_many = rows_in - kept > min(_allowed_rejects(rows_in, max_share), MAX_REJECTS)
    rejects: list[Reject] = [(name, m.line, None, m.reason, None, m.text) for m in raw.malformed]
    if kept != raw.rows:
        # Row numbers follow the order of the file.
        connection.execute("SET preserve_insertion_order = true")
        rows = connection.execute(sql.rejected(1 if too_many else None)).fetchall()
        located = raw.locate(connection, [number for number, *_ in rows])
        rejects += [
            (name, line, column, reason, shape, text)
            for (_, column, reason, shape), (line, text) in zip(rows, located, strict=True)
        ]
    rejects.sort(key=lambda reject: reject[1])
    if too_many and not_understood:
        raise _Refused(f"{'; '.join(not_understood)}; nothing was committed, {SAME_FORM}")
    if too_many:
        _, line, column, reason, shape, _ = rejects[0]
        raise _Refused(
            f"{name}: {rows_in - kept} of {rows_in} rows are rejected, first line {line} (column "
            f"{column or '-'}: {reason}, shape {shape or '-'}); nothing was committed, ask for it again"
        )
    if rows_in != kept + len(rejects):
        raise ChuError(
            f"{name}: {rows_in} rows read, but {kept} kept and {len(rejects)} rejected: run again, and report the "
            "error if it occurs again"
        )
    return rejects


def _allowed_rejects(rows: int, share: float) -> float:
    """Number of `rows` that may be rejected: the declared `share` of them, or a few if more rows are kept."""
    return max(rows * share, min(FEW_REJECTS, rows * MAX_REJECTED_SHARE))


def _quarantine(connection: duckdb.DuckDBPyConnection, raw: RawRows, target: Path, withdrawing: RowSql | None) -> None:
    """Write the values of the columns that are not declared, one row per value; without those of withdrawn rows.

    The names of the files begin with `target`. DuckDB holds all values of some thousand rows at a time, so that a file
    has a limited number of columns.
    """
    undeclared = list(raw.undeclared.items())
    if not undeclared:
        return
    connection.execute("SET preserve_insertion_order = true")
    kept = ""
    if withdrawing:
        connection.execute(f"CREATE OR REPLACE TEMP TABLE withdrawn_numbers AS {withdrawing.withdrawn_numbers()}")
        kept = ' AND "number" NOT IN (SELECT number FROM withdrawn_numbers)'
    if len(undeclared) > QUARANTINED_COLUMNS:
        # Spreadsheet programs write thousands of empty columns at the right of a table.
        filled = _filled(connection, raw, [name for name, _ in undeclared])
        undeclared = [(name, header) for name, header in undeclared if name in filled]
    for start in range(0, len(undeclared), QUARANTINED_COLUMNS):
        cells = ", ".join(
            f"{{'column': {sql_text(header or name)}, 'value': {sql_name(name)}}}"
            for name, header in undeclared[start : start + QUARANTINED_COLUMNS]
        )
        rows = f'SELECT {raw.number} AS "number", unnest([{cells}]) AS cell FROM {raw.relation}'
        connection.execute(
            f"COPY (SELECT {sql_text(raw.origin.name)} AS file, {sql_text(raw.origin.fingerprint)} AS delivery, "
            f'"number", cell."column" AS "column", cell."value" AS "value" FROM ({rows}) '
            f"WHERE cell.\"value\" <> ''{kept}) "
            f"TO {sql_text(f'{target}{start}.parquet')} (FORMAT parquet, COMPRESSION zstd)"
        )


def _filled(connection: duckdb.DuckDBPyConnection, raw: RawRows, names: Sequence[str]) -> set[str]:
    """The columns that have a value. The engine would take long for an aggregate of each of thousands of columns."""
    filled: set[str] = set()
    listed = ", ".join(sql_name(name) for name in names)
    for batch in connection.sql(f"SELECT {listed} FROM {raw.relation}").to_arrow_reader(BATCH_ROWS):
        cells = zip(names, batch.columns, strict=True)
        filled |= {
            n for n, column in cells if column.null_count < len(column) and any(text for text in column.to_pylist())
        }
    return filled


class _Refused(ChuError):
    """A file that cannot be read, or with too many rows that cannot be kept."""


@contextmanager
def _left_out(source: Delivered, context: ReadingContext, raw: RawRows, written: Path, part: str) -> Iterator[None]:
    """Leave out a refused file, and delete its written rows, if files are read apart from each other."""
    try:
        yield
    except _Refused as error:
        if not source.reader.apart:
            raise
        for file in [*written.rglob(f"{part}.parquet"), *written.rglob(f"{part}_*.parquet")]:
            file.unlink()
        context.left_out.append(LeftOut(raw.origin.name, str(error), raw.constants))


@contextmanager
def _without_row_values(name: str) -> Iterator[None]:
    """Replace errors of DuckDB and the system while `name` is read with a one-line ChuError without row values."""
    try:
        yield
    except duckdb.OutOfMemoryException:
        raise ChuError(f"{name}: not enough memory, or disk for temporary files, to read it") from None
    except duckdb.Error as error:
        disk_error = DISK_ERROR.search(str(error))
        if disk_error:
            raise ChuError(
                f"{name}: its rows could not be written: {disk_error.group()}; free disk space or check the permissions"
            ) from None
        line = re.search(r"CSV Error on Line: (\d+)", str(error))
        where = f" near line {line.group(1)}" if line else ""
        raise _Refused(f"{name}: cannot be read{where} ({type(error).__name__}): ask for it again") from None
    except OSError as error:
        raise ChuError(f"{name}: could not be read or copied: {reason_of(error)}") from None


def _one(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    return int(connection.execute(query).fetchall()[0][0])
