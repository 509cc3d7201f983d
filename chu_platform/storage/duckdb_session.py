"""DuckDB connections for tables of the lake: a shared one for small tables, one with a folder for large ones.

A new connection costs about 16 ms of CPU time, more than most queries over small tables.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final

import duckdb

from chu_platform.tables.duckdb_sql import sql_text

MEMORY_LIMIT: Final = "3GB"
# Bytes of Parquet files up to which a query needs no folder for what exceeds the memory limit.
SMALL: Final = 50_000_000


@cache
def _shared() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
    # Rows of a table must not stay in memory after a query, nor be written to an unknown folder.
    connection.execute("SET enable_external_file_cache = false")
    connection.execute("SET temp_directory = ''")
    return connection


def small_connection() -> duckdb.DuckDBPyConnection:
    """A connection for small tables, to be closed after use. Only temporary views and tables are its own."""
    return _shared().cursor()


@contextmanager
def bounded_connection(spill: Path, size: int) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection for files of `size` bytes in total. Only temporary views and tables are its own.

    What exceeds MEMORY_LIMIT is moved to the folder `spill`. The order of rows is not kept.
    """
    if size <= SMALL:
        with small_connection() as connection:
            yield connection
        return
    with duckdb.connect() as connection:
        connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
        connection.execute(f"SET temp_directory = {sql_text(str(spill))}")
        connection.execute("SET preserve_insertion_order = false")
        yield connection
