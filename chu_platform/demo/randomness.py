"""Reproducible pseudo-randomness inside DuckDB, as a function of the row number. No table is made here.

`random()` depends on the order in which threads come by; a hash of (seed, row, stream) does not. A stream is
a number from 0 to 1023 that tells one draw from another; each module owns a hundred of them: 0 patients, 100
professionals, 200 consultations, 300 organisations, 400 activities, 500 small tables, 600 deaths. Arithmetic
stays in integers where it can, so that no rounding of a mathematics library shows in the files.
"""

import duckdb

STREAMS = 1024


def connect(seed: int) -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB, one thread a query, with the draws as macros.

    `draw(i, stream, n)`: a whole number from 0 to n - 1. `skewed(i, stream, n)`: the same, small numbers far
    likelier (the least of three draws, on streams `stream` to `stream + 2`). `shuffled(i, stream)`: a sort
    key. `chosen(i, stream, list)`: an element of a list.
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
