"""A DuckDB connection for large tables of the lake: bounded memory, temporary files where the caller wants them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import duckdb

from chu_platform.tables.duckdb_sql import sql_text

MEMORY_LIMIT: Final = "3GB"


@contextmanager
def bounded_connection(spill: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that moves what exceeds MEMORY_LIMIT to the folder `spill`. The order of rows is not kept."""
    with duckdb.connect() as connection:
        connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
        connection.execute(f"SET temp_directory = {sql_text(str(spill))}")
        connection.execute("SET preserve_insertion_order = false")
        yield connection
