"""The main job, as `chu materialize` runs it, for commands that go on afterwards."""

import time
from collections.abc import Callable

from chu_platform.automation.main_job import run_all
from chu_platform.errors import ChuError
from chu_platform.graph.dagster_instance import close_dead_runs, open_instance
from chu_platform.graph.dagster_retention import clean_up
from chu_platform.graph.interruption import interruptible_command
from chu_platform.graph.run_resources import RunResources
from chu_platform.settings import Settings


def run_main_job(settings: Settings, report: Callable[[str], None]) -> None:
    """Make all tables that are not up to date. The caller holds the lock. Raises ChuError if an asset failed."""
    resources = RunResources(settings, report)
    with open_instance(settings) as instance, interruptible_command(resources, instance), resources:
        close_dead_runs(instance)
        failed = run_all(resources, instance, "*", None, report)
        clean_up(instance, settings, time.time())
    if failed:
        first = failed[0]
        more = f", and {len(failed) - 1} more" if len(failed) > 1 else ""
        cause = " ".join(first.cause.split())
        raise ChuError(f"{first.asset} could not be made{more}: {cause}; then run the same command again")
