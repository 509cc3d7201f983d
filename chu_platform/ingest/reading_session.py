"""The DuckDB connection in which a delivery is read: a shared database for small files, one of its own otherwise.

A new database costs about 25 ms of CPU time, more than to read most small files. So does the optimiser: for a file with
60 columns and 60 rows, it makes a query of hundreds of expressions ten times slower than it is as written.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Final

import duckdb

from chu_platform.tables.duckdb_sql import sql_text

MEMORY_LIMIT: Final = "2GB"
# Bytes of files up to which their rows need no optimised query, and no folder for what exceeds the memory limit.
SMALL: Final = 1_000_000
# Rows of a partition that DuckDB buffers before it writes a row group. The default is four times as many: with fifty
# partitions, the buffers then exceed the memory limit, and DuckDB moves rows to temporary files.
BUFFERED_ROWS: Final = 122_880
# Settings such as the order of rows are those of the database: one delivery at a time is read in the shared one.
_SHARED_IS_USED: Final = Lock()


@contextmanager
def reading_connection(scratch: Path, size: int | None) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection for a delivery of `size` bytes of files (None: not known). Only temporary tables are its own.

    What exceeds MEMORY_LIMIT is moved to the folder `scratch`.
    """
    if size is not None and size <= SMALL and _SHARED_IS_USED.acquire(blocking=False):
        try:
            with _shared().cursor() as connection:
                yield _prepared(connection)
        finally:
            _SHARED_IS_USED.release()
        return
    with duckdb.connect() as connection:
        _limit(connection, str(scratch))
        yield _prepared(connection)


@cache
def _shared() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    # Rows of a delivery must not stay in memory after it was read, nor be written to an unknown folder.
    connection.execute("SET enable_external_file_cache = false")
    _limit(connection, "")
    every = connection.execute("SELECT string_agg(name, ',') FROM duckdb_optimizers()").fetchall()[0][0]
    connection.execute(f"SET disabled_optimizers = '{every}'")
    return connection


def _limit(connection: duckdb.DuckDBPyConnection, spill: str) -> None:
    connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
    connection.execute(f"SET temp_directory = {sql_text(spill)}")
    connection.execute(f"SET partitioned_write_flush_threshold = {BUFFERED_ROWS}")


def _prepared(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    connection.execute("SET preserve_insertion_order = true")
    # Measures the progress of a query, without printing it.
    connection.execute("SET enable_progress_bar = true")
    connection.execute("SET enable_progress_bar_print = false")
    return connection
