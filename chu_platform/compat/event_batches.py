"""What the event logs on SQLite and on PostgreSQL share: batches, and what is known about the tables.

Dagster sends the planned events of a run, and the materialisations of the partitions of an asset, as batches if
DAGSTER_EVENT_BATCH_SIZE is set (`graph.dagster_instance` and `docker/compose.yaml` set it). Its own storages write all
batches, or those of planned events, event by event; batches for all events were requested but not implemented
(https://github.com/dagster-io/dagster/issues/19618), batches of planned events on PostgreSQL are proposed
(https://github.com/dagster-io/dagster/pull/33832).
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from dagster._core.events import ASSET_CHECK_EVENTS, ASSET_EVENTS
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable, SqlEventLogStorageTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster._serdes import serialize_value
from sqlalchemy.engine import Connection


def insert(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> Sequence[int]:
    """Insert rows into the table of events with one statement; returns their numbers."""
    number = SqlEventLogStorageTable.c.id
    statement = SqlEventLogStorageTable.insert().returning(number, sort_by_parameter_order=True)
    return connection.execute(statement, rows).scalars().all()


class BatchedEventLog(SqlEventLogStorage):
    """Base class of an event log, put before Dagster's class of the database."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self._held = threading.local()
        self._tables: set[str] = set()
        self._columns: set[str] = set()
        super().__init__(*arguments, **named)  # type: ignore[no-untyped-call]

    @contextmanager
    def index_connection(self) -> Iterator[Connection]:
        """A connection to the index of the events: that of the batch, if this thread is writing one."""
        held: Connection | None = getattr(self._held, "connection", None)
        if held is not None:
            yield held
        else:
            # Abstract here; the class of the database has these methods.
            with super().index_connection() as connection:  # type: ignore[safe-super]
                yield connection

    @contextmanager
    def _one_transaction(self) -> Iterator[Connection]:
        """One transaction for all that this thread writes to the index."""
        with self.index_transaction() as connection:
            self._held.connection = connection
            try:
                yield connection
            finally:
                self._held.connection = None

    def _rows(self, events: Sequence[EventLogEntry]) -> Sequence[Mapping[str, Any]]:
        return [self._event_to_row(event) for event in events]

    def _index(self, events: Sequence[EventLogEntry], numbers: Sequence[int]) -> None:
        """Write what the index holds of stored events besides the events: tags, last event by asset, planned checks.

        Assets are written in the order of their names, so that two runs that write the same assets cannot wait for each
        other.
        """
        stored = list(zip(events, numbers, strict=True))
        about_assets = [(e, number) for e, number in stored if e.dagster_event_type in ASSET_EVENTS]
        self.store_asset_event_tags([e for e, _ in about_assets], [number for _, number in about_assets])
        last = {e.get_dagster_event().asset_key: (e, number) for e, number in about_assets}
        for _, (e, number) in sorted(last.items(), key=lambda item: str(item[0])):
            self.store_asset_event(e, number)
        for e, number in stored:
            if e.dagster_event_type in ASSET_CHECK_EVENTS:
                self.store_asset_check_event(e, number)

    def _store_asset_check_evaluation_planned(self, event: EventLogEntry, event_id: int | None) -> None:
        """Store that an asset check will be evaluated, for each partition. Equal to Dagster's method, but it serialises
        the event once and not for each partition, and the statement is compiled once and not for each number of them.
        """
        planned: Any = event.get_dagster_event().event_specific_data
        row = {
            "asset_key": planned.asset_key.to_string(),
            "check_name": planned.check_name,
            "run_id": event.run_id,
            "execution_status": AssetCheckExecutionRecordStatus.PLANNED.value,
            "evaluation_event": serialize_value(event),
            "evaluation_event_timestamp": self._event_insert_timestamp(event),  # type: ignore[no-untyped-call]
            "evaluation_event_storage_id": event_id,
        }
        partitions = planned.partitions_subset.get_partition_keys() if planned.partitions_subset else [None]
        with self.index_connection() as connection:
            connection.execute(AssetCheckExecutionsTable.insert(), [{**row, "partition": key} for key in partitions])

    def has_table(self, table_name: str) -> bool:
        """Whether the index has this table. Asked once, because tables are not removed."""
        if table_name not in self._tables and super().has_table(table_name):  # type: ignore[safe-super]
            self._tables.add(table_name)
        return table_name in self._tables

    def _has_asset_key_col_on_connection(self, conn: Connection, column_name: str) -> bool:
        """Whether the table of assets has this column. Asked once, because columns are not removed."""
        if column_name not in self._columns and super()._has_asset_key_col_on_connection(conn, column_name):
            self._columns.add(column_name)
        return column_name in self._columns
