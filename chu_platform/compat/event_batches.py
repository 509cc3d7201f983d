"""What the event logs on SQLite and on PostgreSQL share: batches, fewer planned events, knowledge of the tables.

Dagster sends the planned events of a run, and the materialisations of the partitions of an asset, as batches if
DAGSTER_EVENT_BATCH_SIZE is set (`graph.dagster_instance` and `docker/compose.yaml` set it). Its own storages write all
batches, or those of planned events, event by event; batches for all events were requested but not implemented
(https://github.com/dagster-io/dagster/issues/19618), batches of planned events on PostgreSQL are proposed
(https://github.com/dagster-io/dagster/pull/33832).

A run of many partitions plans a table with one event, not with one for each partition. Dagster has this as an option
(`supports_partition_subset_in_asset_materialization_planned_events`), but then its storages do not know which
partitions failed or are in progress. The event log of this module finds that out.

A step reports a materialisation of each partition of its run. Those of partitions that have no rows yet would be shown
as made, so the step marks them, and they are not stored: a step cannot leave out partitions of its run
(https://github.com/dagster-io/dagster/issues/32182, https://github.com/dagster-io/dagster/issues/17836).
"""

import threading
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from dagster import AssetKey, DagsterEventType, EventLogRecord, EventRecordsFilter
from dagster._core.events import ASSET_CHECK_EVENTS, ASSET_EVENTS
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.event_log.base import PlannedMaterializationInfo
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable, SqlEventLogStorageTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster._serdes import serialize_value
from sqlalchemy import select
from sqlalchemy.engine import Connection

from chu_platform.compat.run_tags import LEFT_OUT

PLANNED: Final = DagsterEventType.ASSET_MATERIALIZATION_PLANNED
MADE: Final = DagsterEventType.ASSET_MATERIALIZATION
CHECK_PLANNED: Final = DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED
# Events that repeat other events of the same step. The output of a step is also an event about an asset or an asset
# check; its value is always None, because steps hand their rows over in the lake. A hook that waits for a failure is
# reported after each success.
NOT_STORED: Final = frozenset({DagsterEventType.STEP_OUTPUT, DagsterEventType.HOOK_SKIPPED})


@dataclass(frozen=True)
class _Batch:
    """Events with a row of their own and these rows, and planned checks, which have none."""

    events: Sequence[EventLogEntry]
    checks: Sequence[EventLogEntry]
    rows: Sequence[Mapping[str, Any]]

    def numbered(self, numbers: Sequence[int]) -> Sequence[tuple[EventLogEntry, int]]:
        """All events with the numbers of their rows."""
        stored = list(zip(self.events, numbers, strict=True))
        planned = {e.get_dagster_event().asset_key: n for e, n in stored if e.dagster_event_type is PLANNED}
        return [*stored, *((e, planned[_checked(e)]) for e in self.checks)]


def insert(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> Sequence[int]:
    """Insert rows into the table of events with one statement; returns their numbers."""
    if not rows:
        return []
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

    @property
    def supports_partition_subset_in_asset_materialization_planned_events(self) -> bool:
        """Dagster then reports one planned event for all partitions of an asset in a run."""
        return True

    def store_event(self, event: EventLogEntry) -> None:
        """Store an event, unless it repeats others."""
        if event.dagster_event_type not in NOT_STORED and not _is_left_out(event):
            super().store_event(event)

    def _batch(self, events: Sequence[EventLogEntry]) -> "_Batch":
        """The events of a batch, with the rows that are stored of them.

        A planned asset check gets no row of its own, but the number of the planned materialization of its asset.
        """
        planned = {e.get_dagster_event().asset_key for e in events if e.dagster_event_type is PLANNED}
        with_row: list[EventLogEntry] = []
        checks: list[EventLogEntry] = []
        for e in (e for e in events if not _is_left_out(e)):
            (checks if e.dagster_event_type is CHECK_PLANNED and _checked(e) in planned else with_row).append(e)
        return _Batch(with_row, checks, [self._event_to_row(e) for e in with_row])

    def _index(self, batch: "_Batch", numbers: Sequence[int]) -> None:
        """Write what the index holds of stored events besides the events: tags, last event by asset, planned checks.

        `numbers` are those of the rows. Assets are written in the order of their names, so that two runs that write the
        same assets cannot wait for each other.
        """
        stored = batch.numbered(numbers)
        about_assets = [(e, number) for e, number in stored if e.dagster_event_type in ASSET_EVENTS]
        self.store_asset_event_tags([e for e, _ in about_assets], [number for _, number in about_assets])
        last = {e.get_dagster_event().asset_key: (e, number) for e, number in about_assets}
        for _, (e, number) in sorted(last.items(), key=lambda item: str(item[0])):
            self.store_asset_event(e, number)
        for e, number in stored:
            if e.dagster_event_type in ASSET_CHECK_EVENTS:
                self.store_asset_check_event(e, number)

    def _store_asset_check_evaluation_planned(self, event: EventLogEntry, event_id: int | None) -> None:
        """Store that an asset check will be evaluated. Equal to Dagster's method, but without a row for each partition.

        Asset checks of the platform have no partitions: the result of a run is about all that the run wrote. Dagster
        would leave the rows of the partitions as planned for ever.
        """
        planned: Any = event.get_dagster_event().event_specific_data
        row = {
            "partition": None,
            "asset_key": planned.asset_key.to_string(),
            "check_name": planned.check_name,
            "run_id": event.run_id,
            "execution_status": AssetCheckExecutionRecordStatus.PLANNED.value,
            "evaluation_event": serialize_value(event),
            "evaluation_event_timestamp": self._event_insert_timestamp(event),  # type: ignore[no-untyped-call]
            "evaluation_event_storage_id": event_id,
        }
        with self.index_connection() as connection:
            connection.execute(AssetCheckExecutionsTable.insert(), row)

    def get_latest_asset_partition_materialization_attempts_without_materializations(
        self, asset_key: AssetKey, after_storage_id: int | None = None
    ) -> Mapping[str, tuple[str, int]]:
        """Run and number of the last planned event of each partition that was not made since.

        Dagster's method finds planned events of single partitions only. This one also finds those of several. A step
        makes all partitions of its run together: if a run has made some, it has left out the others.
        """
        method = super().get_latest_asset_partition_materialization_attempts_without_materializations
        attempts = dict(method(asset_key, after_storage_id))
        for record in self._planned_together(asset_key, after_storage_id, ascending=True):
            for key in _partitions(record):
                if key not in attempts or attempts[key][1] < record.storage_id:
                    attempts[key] = (record.run_id, record.storage_id)
        made = self.get_latest_storage_id_by_partition(asset_key, MADE, after_cursor=after_storage_id)
        open_ = {key: attempt for key, attempt in attempts.items() if attempt[1] > made.get(key, 0)}
        done = {run for run in {run for run, _ in open_.values()} if self._has_made(asset_key, run)}
        return {key: attempt for key, attempt in open_.items() if attempt[0] not in done}

    def _has_made(self, asset_key: AssetKey, run_id: str) -> bool:
        """Whether a run has made an asset, or some of its partitions."""
        events = SqlEventLogStorageTable.c
        query = (
            select(events.id)
            .where(events.run_id == run_id, events.asset_key == asset_key.to_string())
            .where(events.dagster_event_type == MADE.value)
            .limit(1)
        )
        with self.index_connection() as connection:
            return connection.execute(query).first() is not None

    def get_latest_planned_materialization_info(
        self, asset_key: AssetKey, partition: str | None = None
    ) -> PlannedMaterializationInfo | None:
        """The last planned event of an asset or of one of its partitions, planned alone or with others."""
        alone = super().get_latest_planned_materialization_info(asset_key, partition)
        if partition is not None:
            after = alone.storage_id if alone else None
            for record in self._planned_together(asset_key, after, ascending=False):
                if partition in _partitions(record):
                    return PlannedMaterializationInfo(storage_id=record.storage_id, run_id=record.run_id)
        return alone

    def _planned_together(self, asset_key: AssetKey, after: int | None, *, ascending: bool) -> Iterator[EventLogRecord]:
        """Planned events of several partitions of an asset, with a number above `after`."""
        wanted = EventRecordsFilter(PLANNED, asset_key, after_cursor=after)
        for record in self._get_event_records(wanted, ascending=ascending):
            if record.event_log_entry.get_dagster_event().partitions_subset is not None:
                yield record

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


def _is_left_out(event: EventLogEntry) -> bool:
    """Whether a step has marked this materialisation."""
    return (
        event.dagster_event_type is MADE
        and LEFT_OUT in event.get_dagster_event().step_materialization_data.materialization.metadata
    )


def _checked(planned: EventLogEntry) -> AssetKey:
    """The asset of a planned asset check."""
    return planned.get_dagster_event().asset_check_planned_data.asset_key


def _partitions(planned: EventLogRecord) -> Set[str]:
    """The partitions of a planned event of several."""
    subset = planned.event_log_entry.get_dagster_event().partitions_subset
    return set(subset.get_partition_keys()) if subset else set()
