"""The sensor that tries failed runs again: after a growing wait, for a limited number of times.

The cause of a failure may pass: an engine, a database or a disk that was away or full, a file that was locked. A table
counts as failed if the last run that should have made it has failed. Runs of `chu materialize` are not tried again,
because somebody sees them fail; neither are tables whose failure is permanent (a check that blocks, a damaged file),
nor the tables that need them.

Nothing is stored but a tag of the runs, the number of the attempt. A run that was requested for another reason, such as
a corrected file or a change upstream, has no such tag: the count begins again.
"""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import dagster as dg

from chu_platform.automation.waits import MAX_ATTEMPTS, WAITS
from chu_platform.catalogue import catalogue
from chu_platform.graph.asset_keys import key_of
from chu_platform.graph.assets import partition_range_tags, pool_of
from chu_platform.graph.dagster_instance import MAIN_JOB_TAG
from chu_platform.graph.step_reporting import PERMANENT
from chu_platform.tables.partitions import PartitionScheme
from chu_platform.tables.table import Table

# It reads the last events of all tables.
INTERVAL_SECONDS: Final = 60
ATTEMPT_TAG: Final = "chu/attempt"


@dataclass(frozen=True)
class _Failure:
    """A failed run: its attempt, when it ended, and the tables that it should have made.

    `permanent` are the failed tables for which waiting does not help, and those that need them.
    """

    run_id: str
    attempt: int
    ended: float
    tables: Sequence[Table]
    permanent: Sequence[Table]

    @property
    def curable(self) -> Sequence[Table]:
        """The tables to try again."""
        return [t for t in self.tables if t not in self.permanent]

    @property
    def due(self) -> float:
        """When the next attempt is made, in seconds since 1970."""
        return self.ended + WAITS[self.attempt - 1]


def evaluate(instance: dg.DagsterInstance, now: float) -> tuple[list[dg.RunRequest], list[str]]:
    """Run requests for the failed tables whose wait is over, and messages about all of them."""
    requests, messages = [], []
    for failure in _failures(instance):
        if failure.permanent:
            messages.append(f"{_names(failure.permanent)}: failed, and waiting does not help; see run {failure.run_id}")
        if not failure.curable:
            continue
        names = _names(failure.curable)
        if failure.attempt >= MAX_ATTEMPTS:
            messages.append(f"{names}: failed {failure.attempt} times; remove the cause, then materialise by hand")
        elif now < failure.due:
            at = f"{datetime.fromtimestamp(failure.due, UTC):%Y-%m-%d %H:%M} UTC"
            messages.append(f"{names}: failed, attempt {failure.attempt + 1} of {MAX_ATTEMPTS} at {at}")
        else:
            requests += _requests(failure)
    return requests, messages


def _failures(instance: dg.DagsterInstance) -> list[_Failure]:
    """The failed runs that were the last ones planned for some tables, and did not make them."""
    if not instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]), limit=1):
        return []
    tables = catalogue()
    entries = {
        record.asset_entry.asset_key: record.asset_entry
        for record in instance.get_asset_records([key_of(made) for t in tables for made in t.outputs])
    }
    stopped: dict[str, list[Table]] = defaultdict(list)
    for table in tables:
        for entry in (entries[key_of(made)] for made in table.outputs if key_of(made) in entries):
            last = entry.last_materialization_record
            if entry.last_run_id is not None and entry.last_run_id != (last and last.run_id):
                stopped[entry.last_run_id].append(table)
                break
    found = []
    for run_id, of_run in stopped.items():
        record = instance.get_run_record_by_id(run_id)
        if record is None or record.dagster_run.status is not dg.DagsterRunStatus.FAILURE:
            continue
        tags = record.dagster_run.tags
        if MAIN_JOB_TAG not in tags:
            attempt, ended = int(tags.get(ATTEMPT_TAG, 1)), record.end_time or record.update_timestamp.timestamp()
            found.append(_Failure(run_id, attempt, ended, of_run, _permanent(instance, run_id, of_run)))
    return found


def _permanent(instance: dg.DagsterInstance, run_id: str, tables: Sequence[Table]) -> Sequence[Table]:
    """The tables of a failed run for which waiting does not help, and those that need them. `tables` is sorted."""
    steps = set()
    for record in instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.STEP_FAILURE).records:
        event = record.event_log_entry.dagster_event
        failure = event.step_failure_data.user_failure_data if event else None
        permanent = failure.metadata.get(PERMANENT) if failure else None
        if event and permanent and permanent.value:
            steps.add(event.step_key)
    found: list[Table] = []
    for table in tables:
        if pool_of(table) in steps or any(needed in found for needed in table.needs):
            found.append(table)
    return found


def _requests(failure: _Failure) -> list[dg.RunRequest]:
    """A run for the tables of each partition scheme. Whole: the steps find out which partitions are to be made.

    If there is one partition scheme, the tables without partitions are in the same run.
    """
    schemes = {t.asset_scheme for t in failure.curable if t.asset_scheme}
    only = schemes.pop() if len(schemes) == 1 else None
    by_scheme: Mapping[PartitionScheme | None, list[Table]] = defaultdict(list)
    for table in failure.curable:
        by_scheme[table.asset_scheme or only].append(table)
    return [
        dg.RunRequest(
            f"{failure.run_id}:{failure.attempt + 1}:{scheme.name if scheme else '-'}",
            asset_selection=[key_of(made) for t in tables for made in t.outputs],
            tags={ATTEMPT_TAG: str(failure.attempt + 1), **partition_range_tags(scheme.every() if scheme else None)},
        )
        for scheme, tables in by_scheme.items()
    ]


def _names(tables: Sequence[Table]) -> str:
    return ", ".join(f"{t.layer}/{t.name}" for t in tables)


@dg.sensor(
    name="failed_runs_again",
    asset_selection=dg.AssetSelection.assets(*(key_of(made) for t in catalogue() for made in t.outputs)),
    minimum_interval_seconds=INTERVAL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tries failed runs again after a growing wait, in case their cause has passed.",
)
def failed_runs_again(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Evaluate the sensor on the runs of the instance."""
    requests, messages = evaluate(context.instance, time.time())
    reason = None if requests else dg.SkipReason("; ".join(messages) or "no table has failed")
    return dg.SensorResult(run_requests=requests, skip_reason=reason)
