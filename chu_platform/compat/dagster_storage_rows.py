"""All rows of Dagster's storage on a server, for a search: Dagster has no method that reads every table.

Storage in files is searched as files.
"""

import zlib
from collections.abc import Iterator
from typing import Final

import sqlalchemy
from dagster import DagsterInstance
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage

FETCHED_ROWS: Final = 1000


def tables_of_server(instance: DagsterInstance) -> Iterator[tuple[str, Iterator[bytes]]]:
    """The tables of a storage in PostgreSQL, each with its rows as bytes; none if the storage is another one.

    The rows of a table must be read before the next one. Raises sqlalchemy.exc.SQLAlchemyError.
    """
    log = instance.event_log_storage
    if not isinstance(log, SqlEventLogStorage):
        return
    with log.index_connection() as found:
        engine = found.engine
    if engine.dialect.name != "postgresql":
        return
    # Rows are fetched as they are read, which needs a transaction.
    with engine.execution_options(isolation_level="REPEATABLE READ").connect() as connection:
        for table in sqlalchemy.inspect(connection).get_table_names():
            query = sqlalchemy.select(sqlalchemy.text("*")).select_from(sqlalchemy.table(table))
            options = {"stream_results": True, "yield_per": FETCHED_ROWS}
            yield table, map(_bytes, connection.execute(query, execution_options=options))


def _bytes(row: sqlalchemy.Row[tuple[object, ...]]) -> bytes:
    """The values of a row, one behind the other; of a compressed one what it holds."""
    return b"\t".join(_value(value) for value in row)


def _value(value: object) -> bytes:
    if not isinstance(value, bytes | memoryview):
        return str(value).encode()
    try:
        return zlib.decompress(value)
    except zlib.error:
        return bytes(value)
