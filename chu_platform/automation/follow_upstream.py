"""The sensor that makes what is older than its inputs after runs, and then the reports.

Dagster's automation conditions follow single assets: a change of one file started a run for each step of the way, runs
of the same wave overlapped, and equal rows counted as a change. This sensor looks at the lake instead, when a run has
ended and none is in progress, and requests one run of all that is outdated (`graph.outdated`). A table that fails is
not requested again until one of its inputs has changed; `failed_runs_again` tries it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final

import dagster as dg

from chu_platform.automation.following import FOLLOWING, REPORTS_LAST, first_run
from chu_platform.automation.jobs import REPORTS
from chu_platform.catalogue import catalogue
from chu_platform.graph.asset_keys import key_of
from chu_platform.graph.dagster_instance import FINISHED, no_main_job
from chu_platform.graph.outdated import LakeState, outdated
from chu_platform.ingest.delivered import delivered_tables
from chu_platform.settings import Settings, load_settings
from chu_platform.storage.lake import Lake
from chu_platform.storage.store import lake_root
from chu_platform.tables.table import Layer, Table

INTERVAL_SECONDS: Final = 20
UNFINISHED: Final = [s for s in dg.DagsterRunStatus if s not in FINISHED]
UNSUCCESSFUL: Final = [s for s in FINISHED if s is not dg.DagsterRunStatus.SUCCESS]
# The latest unsuccessful runs that are searched for one that is not of reports alone.
MAX_RUNS: Final = 20
MAX_LISTED: Final = 10


def is_idle(instance: dg.DagsterInstance, settings: Settings) -> bool:
    """Whether no run waits or is in progress, and no `chu materialize`, which has pauses between its runs."""
    if instance.get_runs(dg.RunsFilter(statuses=UNFINISHED), limit=1):
        return False
    with no_main_job(settings) as free:
        return free


def evaluate(instance: dg.DagsterInstance, settings: Settings) -> tuple[dg.RunRequest | None, str]:
    """The run to request, if any; otherwise why there is none, and which tables wait."""
    state = LakeState(Lake(lake_root(settings)))
    found = outdated(state, failed=_failed(instance))
    waiting = [f"{t.layer}/{t.name}: {why}" for t, why in found.waiting.items() if state.versions.keys() >= {*t.needs}]
    if found.tables:
        run = first_run(found.tables)
        is_last = len(run.tables) == len(found.tables)
        return run.request(_run_key(state, run.tables), REPORTS_LAST if is_last else (), settings.marts), ""
    told = "; ".join(waiting[:MAX_LISTED])
    if since := _reports_older_than(instance, state):
        return dg.RunRequest(f"reports:{since:.3f}", job_name=REPORTS.name), told
    return None, told or "no table is older than its inputs"


def _run_key(state: LakeState, tables: Sequence[Table]) -> str:
    """The same for the same tables to make of the same commits."""
    read = {n for t in tables for n in t.needs if n in state.versions}
    parts = sorted(f"{n.folder} {state.versions[n]} {state.written_at(n)}" for n in read)
    return hashlib.sha256("\n".join([*(t.folder for t in tables), *parts]).encode()).hexdigest()[:32]


def _failed(instance: dg.DagsterInstance) -> Mapping[Table, float]:
    """Of the tables that were not made by the last run that should have, when that run ended without success."""
    tables = {key_of(t): t for t in catalogue()}
    planned: dict[str, list[Table]] = {}
    for record in instance.get_asset_records(list(tables)):
        entry = record.asset_entry
        made = entry.last_materialization_record
        if entry.last_run_id is not None and entry.last_run_id != (made and made.run_id):
            planned.setdefault(entry.last_run_id, []).append(tables[entry.asset_key])
    found: dict[Table, float] = {}
    for run_id, of_run in planned.items():
        run = instance.get_run_record_by_id(run_id)
        if run and run.dagster_run.status in UNSUCCESSFUL:
            found |= dict.fromkeys(of_run, run.end_time or run.update_timestamp.timestamp())
    return found


def _reports_older_than(instance: dg.DagsterInstance, state: LakeState) -> float | None:
    """When something happened that the reports do not tell yet, in seconds since 1970; None if they tell everything.

    That is a commit, a reading of a delivery, or the end of a run without success.
    """
    reports = [key_of(t) for t in REPORTS_LAST]
    made = {r.asset_entry.asset_key: r.asset_entry.last_materialization for r in instance.get_asset_records(reports)}
    oldest = min((event.timestamp if (event := made.get(key)) else 0.0 for key in reports), default=0.0)
    committed = [state.written_at(t) for t in state.versions if t.layer is not Layer.REPORTS]
    newest = max([*committed, *_read_at(instance), *_unsuccessful_at(instance)], default=0.0)
    return newest if newest > oldest else None


def _read_at(instance: dg.DagsterInstance) -> Sequence[float]:
    """When each delivery was last read; not when its table was found up to date."""
    events = [
        r.asset_entry.last_materialization
        for r in instance.get_asset_records([key_of(t) for t in delivered_tables(catalogue())])
    ]
    found = []
    for event in filter(None, events):
        metadata = event.asset_materialization.metadata if event.asset_materialization else {}
        if not (up_to_date := metadata.get("up_to_date")) or not up_to_date.value:
            found.append(event.timestamp)
    return found


def _unsuccessful_at(instance: dg.DagsterInstance) -> Sequence[float]:
    """When the last run ended that was not of reports alone, and not successful."""
    reports = {key_of(t) for t in REPORTS_LAST}
    for record in instance.get_run_records(dg.RunsFilter(statuses=UNSUCCESSFUL), limit=MAX_RUNS):
        selected = record.dagster_run.asset_selection
        if record.dagster_run.job_name != REPORTS.name and not (selected and selected <= reports):
            return [record.end_time or record.update_timestamp.timestamp()]
    return []


def _last_ended(instance: dg.DagsterInstance) -> str:
    """The run that ended last, and when."""
    for record in instance.get_run_records(
        dg.RunsFilter(statuses=list(FINISHED)), limit=1, order_by="update_timestamp"
    ):
        return f"{record.dagster_run.run_id} {record.update_timestamp.timestamp():.3f}"
    return ""


@dg.sensor(
    name="follow_upstream",
    jobs=[*FOLLOWING, REPORTS],
    minimum_interval_seconds=INTERVAL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Makes the tables that are older than the rows of their inputs, in one run, and then the reports.",
)
def follow_upstream(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Evaluate the lake if a run has ended since the last evaluation, and none is in progress.

    The cursor is the run that had ended last, and what was found then.
    """
    seen, _, told = (context.cursor or "").partition("\n")
    ended = _last_ended(context.instance)
    if not ended or ended == seen:
        return dg.SensorResult(skip_reason=dg.SkipReason(told or "there was no run yet"))
    settings = load_settings()
    if not is_idle(context.instance, settings):
        return dg.SensorResult(skip_reason=dg.SkipReason("runs are in progress"))
    request, told = evaluate(context.instance, settings)
    return dg.SensorResult(
        run_requests=[request] if request else [],
        skip_reason=None if request else dg.SkipReason(told),
        cursor=f"{ended}\n{told}",
    )
