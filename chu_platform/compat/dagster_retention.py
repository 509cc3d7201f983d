"""What the retention of Dagster's storage needs besides its public methods: which runs the UI shows, old backfills.

Dagster's own retention deletes old ticks only. `DagsterInstance.delete_run` deletes a run with its events, but not the
results of its checks. Dagster has no method that finds the runs whose events are the last ones of an asset
(https://github.com/dagster-io/dagster/issues/33785, https://github.com/dagster-io/dagster/issues/4100), and none that
deletes backfills. SQLite gives no space back by itself.
"""

from collections.abc import Iterable, Iterator, Sequence, Set
from datetime import UTC, datetime
from itertools import islice
from typing import Final
from uuid import UUID

from dagster import DagsterEventType, DagsterInstance
from dagster._core.execution.backfill import BULK_ACTION_TERMINAL_STATUSES
from dagster._core.instance import RUNLESS_RUN_ID
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable, AssetKeyTable, SqlEventLogStorageTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.runs.schema import BackfillTagsTable, BulkActionsTable
from dagster._core.storage.runs.sql_run_storage import SqlRunStorage
from dagster._core.storage.schedules.sql_schedule_storage import SqlScheduleStorage
from sqlalchemy import func, select, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError

LAST_EVENTS: Final = (
    DagsterEventType.ASSET_MATERIALIZATION,
    DagsterEventType.ASSET_OBSERVATION,
    DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
)
# Of one statement. SQLite has a limit.
MAX_VALUES: Final = 500
# Share of the pages of an SQLite database that may be free: later rows use them.
MAX_FREE: Final = 0.2


def runs_shown(instance: DagsterInstance) -> Set[str]:
    """The runs with the last events of each asset, of each of its partitions, and of each of its checks."""
    log = instance.event_log_storage
    assert isinstance(log, SqlEventLogStorage)
    events, checks = SqlEventLogStorageTable.c, AssetCheckExecutionsTable.c
    last_events = (
        select(func.max(events.id))
        .where(events.asset_key.is_not(None), events.dagster_event_type.in_([t.value for t in LAST_EVENTS]))
        .group_by(events.dagster_event_type, events.asset_key, events.partition)
    )
    last_checks = select(func.max(checks.id)).group_by(checks.asset_key, checks.check_name, checks.partition)
    queries = (
        select(AssetKeyTable.c.last_run_id),
        select(events.run_id).where(events.id.in_(last_events)),
        select(checks.run_id).where(checks.id.in_(last_checks)),
    )
    with log.index_connection() as connection:
        return {run for query in queries for run in connection.execute(query).scalars() if run}


def delete_leftovers(instance: DagsterInstance) -> None:
    """Delete the events and check results of runs that do not exist. `delete_run` leaves the check results.

    Events that belong to no run stay.
    """
    log = instance.event_log_storage
    assert isinstance(log, SqlEventLogStorage)
    events, checks = SqlEventLogStorageTable.c.run_id, AssetCheckExecutionsTable.c.run_id
    with log.index_connection() as connection:
        of_events = set(connection.execute(select(events).distinct()).scalars())
        of_checks = set(connection.execute(select(checks).distinct()).scalars())
    if isinstance(log, SqliteEventLogStorage):
        of_events |= set(log.get_all_run_ids())
    # After the events: a run exists before its first event.
    existing = {*instance.run_storage.get_run_ids(), RUNLESS_RUN_ID, None}
    for run_id in of_events - existing:
        if _is_run(run_id):
            log.delete_events(run_id)
    with log.index_connection() as connection:
        for some in _batches(of_checks - existing):
            connection.execute(AssetCheckExecutionsTable.delete().where(checks.in_(some)))


def delete_freshness_changes(instance: DagsterInstance, before: float) -> None:
    """Delete the changes of freshness before this time, in seconds since 1970, but the last one of each asset.

    They belong to no run.
    """
    log = instance.event_log_storage
    assert isinstance(log, SqlEventLogStorage)
    events = SqlEventLogStorageTable.c
    is_change = events.dagster_event_type == DagsterEventType.FRESHNESS_STATE_CHANGE.value
    last = select(func.max(events.id)).where(is_change).group_by(events.asset_key)
    old = SqlEventLogStorageTable.delete().where(is_change, events.timestamp < _stored(before), events.id.not_in(last))
    with log.index_connection() as connection:
        connection.execute(old)
    if isinstance(log, SqliteEventLogStorage):
        with log.run_connection(RUNLESS_RUN_ID) as connection:
            connection.execute(old)


def delete_evaluations(instance: DagsterInstance, before: float) -> None:
    """Delete the evaluations of automation conditions before this time, in seconds since 1970."""
    schedules = instance.schedule_storage
    assert isinstance(schedules, SqlScheduleStorage)
    schedules.purge_asset_evaluations(before)


def _stored(moment: float) -> datetime:
    """A time as Dagster stores it: UTC, without a time zone."""
    return datetime.fromtimestamp(moment, UTC).replace(tzinfo=None)


def _batches(run_ids: Iterable[str]) -> Iterator[Sequence[str]]:
    """The identifiers in batches that one statement takes."""
    remaining = iter(run_ids)
    while batch := list(islice(remaining, MAX_VALUES)):
        yield batch


def _is_run(run_id: str) -> bool:
    """Whether this is the identifier of a run, not the name of another file."""
    try:
        UUID(run_id)
    except ValueError:
        return False
    return True


def delete_backfills(instance: DagsterInstance, before: float) -> int:
    """Delete the backfills that began before this time, in seconds since 1970, and have ended; returns their number."""
    runs = instance.run_storage
    assert isinstance(runs, SqlRunStorage)
    actions, tags = BulkActionsTable.c, BackfillTagsTable.c
    ended = [status.value for status in BULK_ACTION_TERMINAL_STATUSES]
    with runs.connect() as connection:
        deleted = connection.execute(
            BulkActionsTable.delete().where(actions.timestamp < _stored(before), actions.status.in_(ended))
        )
        connection.execute(BackfillTagsTable.delete().where(tags.backfill_id.not_in(select(actions.key))))
    return int(deleted.rowcount)


def vacuum(instance: DagsterInstance) -> bool:
    """Give the space of deleted rows back: to later rows with PostgreSQL; to the disk with SQLite, if it is much.

    Returns False if a database was in use for too long.
    """
    log, runs, schedules = instance.event_log_storage, instance.run_storage, instance.schedule_storage
    assert isinstance(log, SqlEventLogStorage)
    assert isinstance(runs, SqlRunStorage)
    assert isinstance(schedules, SqlScheduleStorage)
    engines = []
    for connect in (log.index_connection, runs.connect, schedules.connect):
        with connect() as connection:
            engines.append(connection.engine)
    done = True
    for engine in engines:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            try:
                for statement in _vacuum_of(connection):
                    connection.execute(text(statement))
            except OperationalError:
                done = False
    return done


def _vacuum_of(connection: Connection) -> Sequence[str]:
    """The statements that give space back. VACUUM of SQLite writes the whole database again."""
    if connection.dialect.name != "sqlite":
        return ["VACUUM ANALYZE"]
    free, pages = (connection.execute(text(f"PRAGMA {n}")).scalar_one() for n in ("freelist_count", "page_count"))
    return [*(["VACUUM"] if free > MAX_FREE * pages else []), "PRAGMA wal_checkpoint(TRUNCATE)"]
