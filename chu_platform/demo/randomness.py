"""Reproducible pseudo-random numbers in DuckDB, as a function of the row number.

DuckDB's `random()` depends on the order of threads; a hash of (seed, row, stream) does not. A stream is a number from
0 to 1023 that identifies a draw. Each module has a hundred streams: 0 patients, 100 professionals, 200 consultations,
300 organisations, 400 activities, 500 small tables, 600 deaths. Integer arithmetic is used where possible, so that the
files do not depend on the rounding of a mathematics library.
"""

import duckdb

STREAMS = 1024


def connect(seed: int) -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB with one thread per query and these macros.

    `draw(i, stream, n)`: an integer from 0 to n - 1. `skewed(i, stream, n)`: the minimum of three draws, on streams
    `stream` to `stream + 2`, so small numbers are more probable. `shuffled(i, stream)`: a sort key.
    `chosen(i, stream, list)`: an element of a list.
    """
    connection = duckdb.connect()
    connection.execute("SET threads = 1")
    key = f"((i::BIGINT * {STREAMS} + stream) + ({seed % 4096}::BIGINT << 48))"
    connection.execute(f"CREATE MACRO shuffled(i, stream) AS hash({key})")
    connection.execute("CREATE MACRO draw(i, stream, n) AS ((shuffled(i, stream) >> 16) % n)::BIGINT")
    connection.execute(
        "CREATE MACRO skewed(i, stream, n) AS least(draw(i, stream, n), draw(i, stream + 1, n), draw(i, stream + 2, n))"
    )
    connection.execute("CREATE MACRO chosen(i, stream, choices) AS choices[1 + draw(i, stream, len(choices))]")
    return connection
