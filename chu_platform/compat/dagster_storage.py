"""Dagster's SQLite storage with less CPU time for each event.

`dagster.yaml` names it by module and class (`storage: custom:`, a public setting). It uses the same files and tables as
Dagster's own storage, so both can be used one after the other.

For each event, Dagster opens several connections, asks the database which tables and columns it has, commits several
transactions, and creates a SQLAlchemy engine, which compiles all statements again. For each instance, it loads all its
migrations to find out whether the tables are of its version. This storage keeps engines, connections and what it knows
about the tables, and writes a batch of events in one transaction. `event_batches` names the public issues on batches.
We know of no public issue on the connections and the look-ups of tables.
"""

import os
import sqlite3
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME, SqliteEventLogStorage
from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage
from dagster._core.storage.schedules.sqlite.sqlite_schedule_storage import SqliteScheduleStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import create_engine, event
from sqlalchemy.engine import Connection, Engine, make_url
from sqlalchemy.pool import QueuePool

from chu_platform.compat.event_batches import BatchedEventLog, insert
from chu_platform.compat.main_job_runs import MainJobRuns

# Files of events in use at the same time: the index, and those of some runs.
MAX_OPEN_FILES: Final = 8


@cache
def _plain(folder: str) -> str:
    """The path of a folder without `%`, which has a meaning in the URLs of SQLAlchemy.

    Dagster puts paths into URLs as they are. The path is that of an open file of this process, so it needs no cleaning.
    """
    if "%" not in folder:
        return folder
    return f"/proc/self/fd/{os.open(folder, os.O_RDONLY | os.O_DIRECTORY)}"


def _open(url: str) -> Engine:
    """An SQLAlchemy engine of a SQLite file. It keeps its compiled statements and one open connection."""
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=-1,
        # An error shows the statement: without whole events.
        hide_parameters=True,
        connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
    )
    event.listen(engine, "connect", _no_flush)
    return engine


@cache
def _engine_of(url: str) -> Engine:
    """The engine of a file that all instances of this process share, so that statements are compiled once."""
    return _open(url)


def _no_flush(connection: sqlite3.Connection, _record: object) -> None:
    """Disable the flush to disk after each event.

    A killed process loses nothing without the flush; only a power failure could lose the last seconds of the log.
    """
    connection.execute("PRAGMA synchronous = OFF")


@dataclass(frozen=True)
class _Files:
    """Where a storage has its files: addresses of runs and schedules, folder of the events."""

    runs: str
    events: str
    schedules: str

    @property
    def paths(self) -> Sequence[str]:
        """The files, without those of single runs."""
        index = Path(self.events) / f"{INDEX_SHARD_NAME}.db"
        return [str(index), *(str(make_url(address).database) for address in (self.runs, self.schedules))]


# The storages that this process has opened, by their folder, and the folders of events whose index it has initialised.
_FILES: Final[dict[str, _Files]] = {}
_INDEXED: Final[set[str]] = set()
# Addresses of files of schedules that are known to have the table of their states.
_WITH_INSTIGATORS: Final[set[str]] = set()


class EventLog(BatchedEventLog, SqliteEventLogStorage):
    """The events: a file for each run, and an index of all."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        # By shard, the least recently used first.
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        super().__init__(base_dir, inst_data)
        if self._base_dir in _INDEXED:
            self._initialized_dbs.add(INDEX_SHARD_NAME)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        """A connection to the file of one run, or to the index, with a transaction.

        Equal to Dagster's method, except that engines are kept, and that a file which another process locks is an error
        after one wait (SQLITE_BUSY_TIMEOUT_SECONDS) instead of ten.
        """
        with self._db_lock:
            engine = self._engine(shard)
            if shard not in self._initialized_dbs:
                with engine.connect() as connection:
                    connection.exec_driver_sql("SELECT name FROM sqlite_master")
                self._initdb(engine)
                self._initialized_dbs.add(shard)
                if shard == INDEX_SHARD_NAME:
                    _INDEXED.add(self._base_dir)
            with engine.connect() as connection, connection.begin():
                yield connection

    def _engine(self, shard: str) -> Engine:
        if shard not in self._engines:
            self._engines[shard] = _open(self.conn_string_for_shard(shard))
            if len(self._engines) > MAX_OPEN_FILES:
                _, oldest = self._engines.popitem(last=False)
                oldest.dispose()
        self._engines.move_to_end(shard)
        return self._engines[shard]

    def dispose(self) -> None:
        """Close all files."""
        super().dispose()
        with self._db_lock:
            for engine in self._engines.values():
                engine.dispose()
            self._engines.clear()

    def delete_events(self, run_id: str) -> None:
        """Delete the events of a run, and its file, which Dagster would leave empty."""
        with self.index_connection() as connection:
            self.delete_events_for_run(connection, run_id)
        if self.supports_global_concurrency_limits:
            self.free_concurrency_slots_for_run(run_id)
        with self._db_lock:
            if engine := self._engines.pop(run_id, None):
                engine.dispose()
            self._initialized_dbs.discard(run_id)
            for suffix in ("", "-wal", "-shm"):
                Path(self.path_for_shard(run_id) + suffix).unlink(missing_ok=True)

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events of one run about assets or asset checks, in one transaction for each of the two files.

        The batches of Dagster hold no other events.
        """
        batch = self._batch(events)
        with self.run_connection(events[0].run_id) as connection:
            insert(connection, batch.rows)
        with self._one_transaction() as connection:
            self._index(batch, insert(connection, batch.rows))


class _OneFile:
    """A storage of one file, with connections that are kept; put before Dagster's class of the storage."""

    _conn_string: str

    @property
    def _engine(self) -> Engine:
        return _engine_of(self._conn_string)

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A connection to the file. Equal to Dagster's method, except for the engine."""
        with self._engine.connect() as connection, connection.begin():
            yield connection

    def dispose(self) -> None:
        """Close the file."""
        self._engine.dispose()


class Runs(_OneFile, MainJobRuns, SqliteRunStorage):
    """The runs: one file."""


class Schedules(_OneFile, SqliteScheduleStorage):
    """The schedules and sensors with their ticks: one file."""

    def _has_instigators_table(self, conn: Connection) -> bool:
        """Whether the file has the table of this version. Asked once in a process, because tables are not removed."""
        if self._conn_string not in _WITH_INSTIGATORS and super()._has_instigators_table(conn):
            _WITH_INSTIGATORS.add(self._conn_string)
        return self._conn_string in _WITH_INSTIGATORS


class SqliteStorage(DagsterSqliteStorage):
    """Dagster's SQLite storage, with the storages of this module."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        # A code server makes an instance for each tick of a sensor. Whether the files have the tables of this version,
        # which Dagster finds out by loading all its migrations, is asked once in a process.
        if base_dir not in _FILES or not all(map(os.path.exists, _FILES[base_dir].paths)):
            super().__init__(base_dir, inst_data)  # creates missing files
            _FILES[base_dir] = _Files(
                self._run_storage._conn_string, self._event_log_storage._base_dir, self._schedule_storage._conn_string
            )
        else:
            self.base_dir, self._inst_data = base_dir, inst_data
            super(DagsterSqliteStorage, self).__init__()  # type: ignore[no-untyped-call]
        files = _FILES[base_dir]
        self._run_storage = Runs(files.runs)
        self._event_log_storage = EventLog(files.events)
        self._schedule_storage = Schedules(files.schedules)

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "SqliteStorage":
        """The storage of `base_dir`. Dagster's method would return its own class."""
        return cls.from_local(_plain(config_value["base_dir"]), inst_data)
