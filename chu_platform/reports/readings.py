"""Readings of deliveries in Dagster's event log: metadata of materializations, and causes of failed runs.

The event log is needed because a delivery that changes no row makes no commit in the source table.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, cast

import dagster as dg
from dagster import AssetKey

from chu_platform.tables.table import Table

PAGE_SIZE: Final = 1000


@dataclass(frozen=True)
class Materialization:
    """A materialization of a delivered table: `moment` in seconds since 1970, and the metadata of the event."""

    moment: float
    metadata: Mapping[str, Any]

    @property
    def at(self) -> str:
        """Time of the event: UTC, ISO 8601."""
        return _moment(self.moment)

    @property
    def deliveries(self) -> Sequence[Mapping[str, Any]]:
        """Metadata of the files or tables that were read (`DeliveryReading.metadata`). Empty in events of old versions."""
        return cast("Sequence[Mapping[str, Any]]", self.metadata.get("deliveries", ()))


def materializations_since(instance: dg.DagsterInstance, table: Table, since: str | None) -> Iterator[Materialization]:
    """Materializations of a table since a time (UTC, ISO 8601; None: all), in order of time."""
    after = datetime.fromisoformat(since).timestamp() - 1 if since else None
    records_filter = dg.AssetRecordsFilter(_key(table), after_timestamp=after)
    cursor = None
    while True:
        page = instance.fetch_materializations(records_filter, limit=PAGE_SIZE, cursor=cursor, ascending=True)
        for record in page.records:
            if record.asset_materialization:
                yield _materialization(record.timestamp, record.asset_materialization)
        if not page.has_more:
            return
        cursor = page.cursor


def last_materializations(
    instance: dg.DagsterInstance, tables: Sequence[Table]
) -> Mapping[Table, tuple[Materialization | None, bool]]:
    """The last materialization of each table, and whether a later run has ended without making the table."""
    records = {r.asset_entry.asset_key: r.asset_entry for r in instance.get_asset_records([_key(t) for t in tables])}
    found: dict[Table, tuple[Materialization | None, bool]] = {}
    for table in tables:
        entry = records.get(_key(table))
        last = entry.last_materialization_record if entry else None
        event = last.asset_materialization if last else None
        materialization = _materialization(last.timestamp, event) if last and event else None
        found[table] = materialization, entry is not None and _stopped(entry.last_run_id, last)
    return found


@dataclass(frozen=True)
class Refusal:
    """Why the last run did not make a delivered table, or left out a file, and its time (UTC, ISO 8601)."""

    cause: str
    at: str


def refusals(instance: dg.DagsterInstance, tables: Sequence[Table]) -> Mapping[str, Refusal]:
    """Tables that their last run failed to make, by name. Tables without an error message are left out."""
    found: dict[str, Refusal] = {}
    for record in instance.get_asset_records([_key(t) for t in tables]):
        entry = record.asset_entry
        if entry.last_run_id is None or not _stopped(entry.last_run_id, entry.last_materialization_record):
            continue
        step = "__".join(entry.asset_key.path)
        for failed in instance.get_records_for_run(entry.last_run_id, of_type=dg.DagsterEventType.STEP_FAILURE).records:
            event = failed.event_log_entry.dagster_event
            if event and event.step_key == step and (failure := event.step_failure_data.user_failure_data):
                found[entry.asset_key.path[-1]] = Refusal(failure.description or "", _moment(failed.timestamp))
    return found


def files_left_out(instance: dg.DagsterInstance, tables: Sequence[Table]) -> Mapping[tuple[str, str], Refusal]:
    """The files that the last reading of each table left out, by name of the table and of the file."""
    return {
        (table.name, file["name"]): Refusal(file["why"], last.at)
        for table, (last, _) in last_materializations(instance, tables).items()
        if last
        for file in last.metadata.get("delivery_files_left_out", ())
    }


def _stopped(last_run: str | None, last: dg.EventLogRecord | None) -> bool:
    """Whether the last run planned for a table has not made it. `last` is the last materialization of the table."""
    return last_run is not None and last_run != (last and last.run_id)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")


def _key(table: Table) -> AssetKey:
    return AssetKey([table.layer.value, table.name])


def _materialization(moment: float, event: dg.AssetMaterialization) -> Materialization:
    return Materialization(moment, {name: value.value for name, value in event.metadata.items()})
