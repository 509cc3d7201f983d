"""The Dagster definitions of the code location: all tables as one graph, with its jobs, schedules and sensors."""

from collections.abc import Iterator, Sequence
from typing import Final

import dagster as dg

from chu_platform.automation.arriving_files import arriving_files
from chu_platform.automation.clean_up import CLEAN_UP
from chu_platform.automation.dead_runs import dead_runs
from chu_platform.automation.failed_runs import failed_runs_again
from chu_platform.automation.fingerprints_job import FINGERPRINTS
from chu_platform.automation.follow_upstream import follow_upstream
from chu_platform.automation.following import FOLLOWING
from chu_platform.automation.jobs import JOBS
from chu_platform.automation.landing_job import arriving_on_servers, land_files
from chu_platform.automation.rolling_backfill import ROLLING_BACKFILL, rolling_backfill_nightly
from chu_platform.automation.schedules import (
    care_database_nightly,
    clean_up_daily,
    maintenance_weekly,
    release_monthly,
)
from chu_platform.catalogue import catalogue
from chu_platform.graph.assets import RUN_RESOURCES, asset_of
from chu_platform.graph.interruption import interruptible_run
from chu_platform.graph.maintenance_assets import maintenance_assets
from chu_platform.graph.mart_asset import mart_asset
from chu_platform.graph.release_asset import release_asset
from chu_platform.graph.run_resources import RunResources
from chu_platform.settings import load_settings

ASSET_JOBS: Final = (*JOBS, *FOLLOWING)
OTHER_JOBS: Final = (FINGERPRINTS, CLEAN_UP, ROLLING_BACKFILL, land_files)
SCHEDULES: Final[Sequence[dg.ScheduleDefinition]] = (
    care_database_nightly,
    clean_up_daily,
    maintenance_weekly,
    release_monthly,
    rolling_backfill_nightly,
)
SENSORS: Final[Sequence[dg.SensorDefinition]] = (
    arriving_files,
    arriving_on_servers,
    dead_runs,
    failed_runs_again,
    follow_upstream,
)


@dg.resource(description="Lake, engine and care database, opened when a step first uses them.")
def _resources_of_a_run(context: dg.InitResourceContext) -> Iterator[RunResources]:
    log_progress = context.log.info if context.log else print
    resources = RunResources(load_settings(), log_progress, logs_to_dagster=True)
    with interruptible_run(resources, context.instance, context.run.run_id if context.run else None), resources:
        yield resources


def build_defs(resources: RunResources | None = None) -> dg.Definitions:
    """The whole graph. All runs share `resources`; without them, each run opens its own.

    Connects to nothing, so the code location loads even if the engine and the database are down.
    """
    return dg.Definitions(
        assets=[
            *(asset_of(table) for table in catalogue() if not table.in_editions),
            release_asset(),
            mart_asset(),
            *maintenance_assets(catalogue()),
        ],
        jobs=[*ASSET_JOBS, *OTHER_JOBS],
        schedules=SCHEDULES,
        sensors=SENSORS,
        resources={RUN_RESOURCES: resources or _resources_of_a_run},
        executor=dg.in_process_executor,
    )
