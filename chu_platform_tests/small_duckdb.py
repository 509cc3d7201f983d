"""One DuckDB database for the tests of a process: to make a new one takes longer than most of their queries."""

from functools import cache

import duckdb


@cache
def _shared() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    # Some tests write a file again, so soon that its time may be the same.
    connection.execute("SET enable_external_file_cache = false")
    return connection


def connect() -> duckdb.DuckDBPyConnection:
    """A connection to it, to be closed after use. Only what is registered or temporary is its own."""
    return _shared().cursor()
