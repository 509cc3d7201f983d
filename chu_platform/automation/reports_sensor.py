"""The sensor that makes the reports after runs."""

from typing import Final

import dagster as dg

from chu_platform.automation.jobs import REPORTS
from chu_platform.catalogue import catalogue
from chu_platform.graph.asset_keys import key_of
from chu_platform.graph.dagster_instance import FINISHED
from chu_platform.tables.table import Layer

INTERVAL_SECONDS: Final = 30
# Number of latest ended runs that one evaluation reads. Fewer runs end between two evaluations.
MAX_RUNS: Final = 50


@dg.sensor(
    name="reports_follow_runs",
    job=REPORTS,
    minimum_interval_seconds=INTERVAL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Makes the reports after the end of runs, successful or not.",
)
def reports_follow_runs(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Request the reports if a run ended since they were made and no run is in progress."""
    instance = context.instance
    reports = {key_of(t) for t in catalogue() if t.layer is Layer.REPORTS}
    unfinished = [s for s in dg.DagsterRunStatus if s not in FINISHED]
    if instance.get_runs(dg.RunsFilter(statuses=unfinished), limit=1):
        return dg.SkipReason("runs are in progress")
    ended = [
        record
        for record in instance.get_run_records(dg.RunsFilter(statuses=list(FINISHED)), limit=MAX_RUNS)
        if record.dagster_run.job_name != REPORTS.name and not (record.dagster_run.asset_selection or set()) & reports
    ]
    last = max((r.end_time or 0 for r in ended), default=0)
    made = [instance.get_latest_materialization_event(key) for key in reports]
    if all(event and event.timestamp > last for event in made):
        return dg.SkipReason("no run ended since the reports were made")
    if not ended:
        return dg.SkipReason("there was no run yet")
    return dg.RunRequest(f"{last:.3f}")
