"""The code location: `build_defs` assembles every declared table into one Dagster graph.

Here: the assembly. Not here: what a table or an asset is.
"""

from collections.abc import Iterator

import dagster as dg

from chu_platform.automation.arrivals import arriving_files
from chu_platform.automation.conditions import follow_upstream
from chu_platform.automation.jobs import JOBS
from chu_platform.automation.reporting import reports_follow_runs
from chu_platform.automation.schedules import care_database_nightly, maintenance_weekly
from chu_platform.graph.assets import PLATFORM, asset_of
from chu_platform.graph.catalogue import catalogue
from chu_platform.graph.maintenance import maintenance_of
from chu_platform.graph.platform import Platform
from chu_platform.settings import load_settings


@dg.resource(description="Lake, engine and care database, opened by the step that needs them first.")
def _platform_of_a_run(context: dg.InitResourceContext) -> Iterator[Platform]:
    say = context.log.info if context.log else print
    with Platform(load_settings(), say, says_to_dagster=True) as platform:
        yield platform


def build_defs(platform: Platform | None = None) -> dg.Definitions:
    """The whole graph. With `platform`, runs share that open one; without, each run opens its own.

    Nothing is connected to or started here: the code location loads with engine and database down.
    """
    return dg.Definitions(
        assets=[make(table) for table in catalogue() for make in (asset_of, maintenance_of)],
        jobs=JOBS,
        schedules=[care_database_nightly, maintenance_weekly],
        sensors=[arriving_files, reports_follow_runs, follow_upstream],
        resources={PLATFORM: platform or _platform_of_a_run},
        executor=dg.in_process_executor,
    )
