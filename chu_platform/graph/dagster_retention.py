"""Retention of Dagster's storage: old runs are deleted with their events, old backfills and old server logs too.

The lake does not need them: what the tables were made of is in their Delta logs, deliveries and their readings are in
the reports. A run stays as long as the UI shows its events as the last ones of an asset, a partition or a check, and
until the report of readings has read its events. Dagster itself deletes old ticks (`retention` in dagster.yaml).
"""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import dagster as dg
from deltalake.exceptions import DeltaError
from sqlalchemy.exc import OperationalError

from chu_platform.access.archive import keep_journal
from chu_platform.access.journal import Journal
from chu_platform.care_database.embedded_postgres import embedded_server
from chu_platform.compat.dagster_retention import (
    delete_backfills,
    delete_evaluations,
    delete_freshness_changes,
    delete_leftovers,
    runs_shown,
    vacuum,
)
from chu_platform.compat.event_batches import BatchedEventLog
from chu_platform.errors import ChuError
from chu_platform.graph.asset_keys import key_of
from chu_platform.graph.dagster_instance import FINISHED
from chu_platform.ingest.fingerprints import forget_missing_files
from chu_platform.reports.delivery_reading import delivery_reading
from chu_platform.settings import Settings
from chu_platform.storage.lake import Lake
from chu_platform.storage.store import lake_root

DAY_SECONDS: Final = 86_400.0
# The oldest runs first: the runs of a year need several days.
MAX_DELETED: Final = 2000
# Why a table was made or not made automatically: some 85 kB for each table and change.
EVALUATION_DAYS: Final = 3
MAX_LOG_BYTES: Final = 16 * 2**20


@dataclass(frozen=True)
class Deleted:
    """Numbers of deleted runs and backfills, and of old runs that the UI still shows."""

    runs: int
    backfills: int
    kept: int

    def __str__(self) -> str:
        return f"deleted {self.runs} old runs and {self.backfills} old backfills; {self.kept} old runs hold last events"


def clean_up(instance: dg.DagsterInstance, settings: Settings, now: float) -> Sequence[str]:
    """Delete old runs and logs, fingerprints of files that are gone, and an embedded care database that nobody reads.

    Returns what was done, for a log.

    `now` is in seconds since 1970.
    """
    forget_missing_files()
    server = embedded_server(settings)
    done = list(_keep_journal(settings, now))
    for log in (*settings.logs_folder.glob("*.log"), server.log):
        if log.is_file():
            shorten(log)
    if settings.postgres_url and server.folder.is_dir():
        # What was restored before the care database was read from a server.
        gone = server.remove()
        done.append(f"the embedded copy of the care database {'is deleted' if gone else 'is in use, and stays'}")
    try:
        deleted = delete_old_runs(instance, settings.run_retention_days, now)
    except OperationalError:
        return [*done, "Dagster's storage is in use: old runs are deleted the next time"]
    of_runs = str(deleted) if deleted else "CHU_RUN_RETENTION_DAYS is 0, or the storage is another one: all runs stay"
    return [*done, of_runs]


def _keep_journal(settings: Settings, now: float) -> Sequence[str]:
    """Move the access journal into the lake and purge its old entries. What cannot be done is said, and done later."""
    journal = Journal(settings.secrets_folder)
    try:
        done = keep_journal(Lake(lake_root(settings)), journal, datetime.fromtimestamp(now, UTC))
        head = journal.head()
    except (ChuError, DeltaError, OSError) as error:
        why = str(error) if isinstance(error, ChuError) else type(error).__name__
        logging.getLogger(__name__).warning("the access journal is not moved into the lake: %s", why)
        return []
    # In Dagster's storage it is outside the journal and the lake: `chu journal verify --kept`.
    return [*([done] if done else []), *([f"the access journal reaches {head}"] if head else [])]


def shorten(log: Path) -> None:
    """Cut the first part of a log off if it is long. Its writers append to it, also meanwhile."""
    if log.stat().st_size <= MAX_LOG_BYTES:
        return
    with log.open("r+b") as stream:
        stream.seek(-MAX_LOG_BYTES // 2, os.SEEK_END)
        stream.readline()
        kept = stream.read()
        stream.truncate(0)
    with log.open("ab") as stream:
        stream.write(kept)


def delete_old_runs(instance: dg.DagsterInstance, days: int, now: float) -> Deleted | None:
    """Delete the runs and backfills that ended more than `days` before `now`, in seconds since 1970.

    Returns None, and deletes nothing, if `days` is 0 or the storage is not one of the platform.
    """
    if days == 0 or not isinstance(instance.event_log_storage, BatchedEventLog):
        return None
    before = min(now - days * DAY_SECONDS, _read_until(instance))
    ended = dg.RunsFilter(statuses=list(FINISHED), created_before=datetime.fromtimestamp(before, UTC))
    shown = runs_shown(instance)
    old = [r.dagster_run.run_id for r in instance.get_run_records(ended, ascending=True) if _end(r) < before]
    to_delete = [run_id for run_id in old if run_id not in shown][:MAX_DELETED]
    for run_id in to_delete:
        instance.delete_run(run_id)
    deleted = Deleted(len(to_delete), delete_backfills(instance, before), len(shown & {*old}))
    delete_leftovers(instance)
    delete_freshness_changes(instance, before)
    delete_evaluations(instance, now - EVALUATION_DAYS * DAY_SECONDS)
    if not vacuum(instance):
        logging.getLogger(__name__).warning("Dagster's storage is in use: its space is given back the next time")
    return deleted


def _read_until(instance: dg.DagsterInstance) -> float:
    """When the report of readings last read the events."""
    event = instance.get_latest_materialization_event(key_of(delivery_reading))
    return event.timestamp if event else 0.0


def _end(record: dg.RunRecord) -> float:
    return record.end_time or record.update_timestamp.timestamp()
