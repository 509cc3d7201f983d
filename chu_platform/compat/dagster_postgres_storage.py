"""Dagster's PostgreSQL storage with less time for each event.

`docker/dagster.yaml` names it by module and class (`storage: custom:`, a public setting), with the same keys as for
Dagster's own storage. It uses the same tables, so both can be used one after the other.

For each event, Dagster opens several connections, and asks the database which tables it has. This storage keeps
connections and what it knows about the tables, and writes a batch of events with one statement and one transaction.
`event_batches` names the public issues on batches. We know of no public issue on the connections and the look-ups.

It also gives up a server that does not answer. A stopped process (SIGSTOP, a paused container) keeps its connections,
and the kernel answers for it, so neither timeouts of TCP nor `statement_timeout` of the server end the waiting. We know
of no public issue on this.

It also corrects an error. If a pool exists already, because another process has created it since, or because its limit
has changed, Dagster catches the integrity error of an INSERT and goes on in the same transaction, which PostgreSQL has
aborted (https://github.com/dagster-io/dagster/issues/33552). The run then ends without a failed step.
"""

import os
import socket
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from functools import partial
from typing import Any, Final

import psycopg2
import psycopg2.extensions
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log.schema import ConcurrencyLimitsTable
from dagster._serdes import ConfigurableClassData
from dagster_postgres import (
    DagsterPostgresStorage,
    PostgresEventLogStorage,
    PostgresRunStorage,
    PostgresScheduleStorage,
)
from dagster_postgres.auth import PgTokenProvider
from dagster_postgres.utils import (
    create_pg_engine,
    get_token_provider_from_config,
    pg_url_from_config,
    set_pg_statement_timeout,
)
from sqlalchemy import event
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.pool import QueuePool

from chu_platform.compat.event_batches import BatchedEventLog, insert
from chu_platform.compat.main_job_runs import MainJobRuns
from chu_platform.postgres_probe import ServerWatch
from chu_platform.settings import load_settings

# Connections that a process keeps while it does not use them. It opens more when it needs them.
KEPT_CONNECTIONS: Final = 2
CONNECT_SECONDS: Final = 10


class _Connection(psycopg2.extensions.connection):
    """A connection that is cut if the server takes no new one for the timeout of `watch` during a call."""

    def __init__(self, watch: ServerWatch, dsn: str, *arguments: Any) -> None:
        super().__init__(dsn, *arguments)
        self._address = dsn
        self._watch = watch
        self.cursor_factory = _Cursor

    def watched(self) -> AbstractContextManager[None]:
        """Watch a call of this connection."""
        return self._watch.watched(self._address, self._cut)

    def _cut(self) -> None:
        """End the call that waits, with the error that the server has closed the connection."""
        with suppress(OSError, psycopg2.InterfaceError), socket.socket(fileno=os.dup(self.fileno())) as connection:
            connection.shutdown(socket.SHUT_RDWR)

    def commit(self) -> None:
        """Commit the transaction."""
        with self.watched():
            super().commit()

    def rollback(self) -> None:
        """Roll the transaction back."""
        with self.watched():
            super().rollback()


class _Cursor(psycopg2.extensions.cursor):
    """A cursor of `_Connection`."""

    connection: _Connection

    def execute(self, *arguments: Any) -> None:
        """Execute a statement."""
        with self.connection.watched():
            super().execute(*arguments)

    def executemany(self, *arguments: Any) -> None:
        """Execute a statement for each row of values."""
        with self.connection.watched():
            super().executemany(*arguments)


def _engine(postgres_url: str, token_provider: PgTokenProvider | None, **pool: int) -> Engine:
    """An engine with kept connections. One that the server has closed is replaced.

    An error shows the statement, but not its values: these may be whole events.
    """
    return create_pg_engine(
        postgres_url,
        token_provider,
        isolation_level="AUTOCOMMIT",
        poolclass=QueuePool,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={"connection_factory": partial(_Connection, ServerWatch(load_settings().engine_patience))},
        **pool,
    )


class _ForWebserver:
    """A storage whose connections in the webserver have a timeout, and are otherwise those of `_engine`.

    Dagster's method would make connections that are not replaced: the first query after a restart of PostgreSQL fails.
    """

    postgres_url: str
    _token_provider: PgTokenProvider | None
    _engine: Engine

    def optimize_for_webserver(self, statement_timeout: int, pool_recycle: int, max_overflow: int) -> None:
        """Replace the kept connections by those of the webserver; the timeout is in milliseconds."""
        self._engine.dispose()
        self._engine = _engine(
            self.postgres_url, self._token_provider, pool_size=1, pool_recycle=pool_recycle, max_overflow=max_overflow
        )
        event.listen(
            self._engine,
            "connect",
            lambda connection, _: set_pg_statement_timeout(connection, statement_timeout),
        )


class Runs(_ForWebserver, MainJobRuns, PostgresRunStorage):
    """The runs."""


class Schedules(_ForWebserver, PostgresScheduleStorage):
    """The states of schedules and sensors."""


class EventLog(_ForWebserver, BatchedEventLog, PostgresEventLogStorage):
    """The events of all runs."""

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events about assets or asset checks.

        The batches of Dagster hold no other events. The events are committed before the transaction of the index
        tables: Dagster's daemon reads the events in the order of their numbers, and would never read one that is
        committed after a later one.
        """
        batch = self._batch(events)
        with self._connect() as connection:
            numbers = insert(connection, batch.rows)
        with self._one_transaction():
            self._index(batch, numbers)

    def initialize_concurrency_limit_to_default(self, concurrency_key: str) -> bool:
        """Create a pool, or set its limit, with the default limit of the instance. Equal to Dagster's method.

        Except for the statement, which causes no error if the pool exists.
        """
        default = self._instance.global_op_concurrency_default_limit if self.has_instance else None
        if default is None or not self.has_concurrency_limits_table or not self.has_default_pool_limit_col:
            return super().initialize_concurrency_limit_to_default(concurrency_key)
        self._reconcile_concurrency_limits_from_slots()
        table = ConcurrencyLimitsTable
        pool = postgresql.insert(table).values(concurrency_key=concurrency_key, limit=default, using_default_limit=True)
        statement = pool.on_conflict_do_update(
            index_elements=[table.c.concurrency_key],
            set_={"limit": pool.excluded.limit},
            where=table.c.limit != pool.excluded.limit,
        )
        with self.index_transaction() as connection:
            connection.execute(statement)
            self._allocate_concurrency_slots(connection, concurrency_key, default)
        return True

    def dispose(self) -> None:
        """Close the kept connections."""
        super().dispose()
        self._engine.dispose()


class PostgresStorage(DagsterPostgresStorage):
    """Dagster's PostgreSQL storage, with the event log of this module and one pool of connections.

    The storages of runs, events and schedules share the pool. A connection that the server has closed is replaced.
    """

    def __init__(
        self,
        postgres_url: str,
        should_autocreate_tables: bool = True,
        inst_data: ConfigurableClassData | None = None,
        token_provider: PgTokenProvider | None = None,
    ) -> None:
        # Also for connections that Dagster opens itself, to create the tables.
        timeout = {"connect_timeout": str(CONNECT_SECONDS)}
        postgres_url = make_url(postgres_url).update_query_dict(timeout).render_as_string(hide_password=False)
        super().__init__(postgres_url, should_autocreate_tables, inst_data, token_provider)
        self._run_storage = Runs(postgres_url, should_autocreate_tables=False, token_provider=token_provider)
        self._event_log_storage = EventLog(postgres_url, should_autocreate_tables=False, token_provider=token_provider)
        self._schedule_storage = Schedules(postgres_url, should_autocreate_tables=False, token_provider=token_provider)
        engine = _engine(postgres_url, token_provider, pool_size=KEPT_CONNECTIONS, max_overflow=-1)
        for storage in (self._run_storage, self._event_log_storage, self._schedule_storage):
            storage._engine = engine

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "PostgresStorage":
        """The storage of a configuration. Dagster's method would return its own class."""
        return cls(
            pg_url_from_config(config_value),
            config_value.get("should_autocreate_tables", True),
            inst_data,
            get_token_provider_from_config(config_value),
        )
