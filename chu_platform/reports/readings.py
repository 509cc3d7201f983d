"""What runs have said of the deliveries they read, in Dagster's event log.

A delivery that changes no row makes no version of a table: its commits alone would not tell that it was read.

Here: getting at it. Not here: what is reported of it (delivery_reading, source_quality).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, cast

import dagster as dg
from dagster import AssetKey

from chu_platform.tables.table import Table

AT_A_TIME: Final = 1000


@dataclass(frozen=True)
class Said:
    """What a run said of a delivered table that it made: `moment` in seconds since 1970, and its metadata."""

    moment: float
    metadata: Mapping[str, Any]

    @property
    def at(self) -> str:
        """The moment, UTC, ISO 8601."""
        return _moment(self.moment)

    @property
    def deliveries(self) -> Sequence[Mapping[str, Any]]:
        """The files or database tables that were read, as `sources.reading` says them; none by older versions."""
        return cast("Sequence[Mapping[str, Any]]", self.metadata.get("deliveries", ()))


def said_of(instance: dg.DagsterInstance, table: Table, since: str | None) -> Iterator[Said]:
    """What runs have said of a table from a moment on, in order of time."""
    after = datetime.fromisoformat(since).timestamp() - 1 if since else None
    wanted = dg.AssetRecordsFilter(_key(table), after_timestamp=after)
    cursor = None
    while True:
        found = instance.fetch_materializations(wanted, limit=AT_A_TIME, cursor=cursor, ascending=True)
        for record in found.records:
            if record.asset_materialization:
                yield _said(record.timestamp, record.asset_materialization)
        if not found.has_more:
            return
        cursor = found.cursor


def last_said(instance: dg.DagsterInstance, tables: Sequence[Table]) -> Mapping[Table, tuple[Said | None, bool]]:
    """Of each table, what was said last, and whether a later run has ended without making it."""
    records = {r.asset_entry.asset_key: r.asset_entry for r in instance.get_asset_records([_key(t) for t in tables])}
    found: dict[Table, tuple[Said | None, bool]] = {}
    for table in tables:
        entry = records.get(_key(table))
        last = entry.last_materialization_record if entry else None
        said = _said(last.timestamp, last.asset_materialization) if last and last.asset_materialization else None
        found[table] = said, entry is not None and _stopped(entry.last_run_id, last)
    return found


@dataclass(frozen=True)
class Refusal:
    """Why the last run did not make a delivered table, in words of its error, and when (UTC, ISO 8601)."""

    why: str
    at: str


def refusals(instance: dg.DagsterInstance, tables: Sequence[Table]) -> Mapping[str, Refusal]:
    """By name, the tables that the last run of theirs has not made, of those whose error says why."""
    found: dict[str, Refusal] = {}
    for record in instance.get_asset_records([_key(t) for t in tables]):
        entry = record.asset_entry
        if entry.last_run_id is None or not _stopped(entry.last_run_id, entry.last_materialization_record):
            continue
        step = "__".join(entry.asset_key.path)
        for failed in instance.get_records_for_run(entry.last_run_id, of_type=dg.DagsterEventType.STEP_FAILURE).records:
            event = failed.event_log_entry.dagster_event
            if event and event.step_key == step and (told := event.step_failure_data.user_failure_data):
                found[entry.asset_key.path[-1]] = Refusal(told.description or "", _moment(failed.timestamp))
    return found


def _stopped(last_run: str | None, last: dg.EventLogRecord | None) -> bool:
    """Whether the last run that was to make a table has ended without making it; `last` is its last materialization."""
    return last_run is not None and last_run != (last and last.run_id)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")


def _key(table: Table) -> AssetKey:
    return AssetKey([table.layer.value, table.name])


def _said(moment: float, materialization: dg.AssetMaterialization) -> Said:
    return Said(moment, {name: value.value for name, value in materialization.metadata.items()})
