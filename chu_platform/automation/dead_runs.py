"""The sensor that frees what a killed `chu materialize` holds: its runs, and the pools of the tables that they made.

Until then, runs of the same tables wait. Dagster itself frees the pools of ended runs only, and a killed process cannot
report the end of its run. Its lock is free, however, because the kernel has released it.
"""

from typing import Final

import dagster as dg

from chu_platform.graph.dagster_instance import (
    MAIN_JOB_TAG,
    begun_runs,
    close_dead_runs,
    home_identifier,
    no_main_job,
)
from chu_platform.settings import load_settings

INTERVAL_SECONDS: Final = 30


@dg.sensor(
    name="dead_runs",
    minimum_interval_seconds=INTERVAL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Marks runs of a killed `chu materialize` as failed, and frees their pools.",
)
def dead_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Close the unfinished runs of the main job of this CHU_HOME, if no main job holds its lock."""
    settings = load_settings()
    identifier = home_identifier(settings)
    if not begun_runs(context.instance, MAIN_JOB_TAG, identifier):
        return dg.SkipReason("no run of chu materialize is in progress")
    with no_main_job(settings) as free:
        if not free:
            return dg.SkipReason("chu materialize is running")
        closed = close_dead_runs(context.instance, MAIN_JOB_TAG, identifier)
    return dg.SkipReason(f"marked {closed} unfinished run(s) of a killed process as failed")
