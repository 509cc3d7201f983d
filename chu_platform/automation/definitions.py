"""The code location: `build_defs` assembles every declared table into one Dagster graph.

Here: the assembly. Not here: what a table or an asset is.
"""

from collections.abc import Iterator

import dagster as dg

from chu_platform.automation.arriving_files import arriving_files
from chu_platform.automation.jobs import JOBS
from chu_platform.automation.reports_sensor import reports_follow_runs
from chu_platform.automation.schedules import care_database_nightly, maintenance_weekly
from chu_platform.catalogue import catalogue
from chu_platform.graph.assets import RUN_RESOURCES, asset_of
from chu_platform.graph.automation_conditions import follow_upstream
from chu_platform.graph.maintenance_assets import maintenance_of
from chu_platform.graph.run_resources import RunResources
from chu_platform.settings import load_settings


@dg.resource(description="Lake, engine and care database, opened by the step that needs them first.")
def _platform_of_a_run(context: dg.InitResourceContext) -> Iterator[RunResources]:
    say = context.log.info if context.log else print
    with RunResources(load_settings(), say, says_to_dagster=True) as platform:
        yield platform


def build_defs(platform: RunResources | None = None) -> dg.Definitions:
    """The whole graph. With `platform`, runs share that open one; without, each run opens its own.

    Nothing is connected to or started here: the code location loads with engine and database down.
    """
    return dg.Definitions(
        assets=[make(table) for table in catalogue() for make in (asset_of, maintenance_of)],
        jobs=JOBS,
        schedules=[care_database_nightly, maintenance_weekly],
        sensors=[arriving_files, reports_follow_runs, follow_upstream],
        resources={RUN_RESOURCES: platform or _platform_of_a_run},
        executor=dg.in_process_executor,
    )
