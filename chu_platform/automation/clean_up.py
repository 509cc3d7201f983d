"""The job and the schedule that keep Dagster's storage and the work folder small."""

import time
from typing import Final

import dagster as dg

from chu_platform.settings import load_settings

NAME: Final = "clean_up"


@dg.op(
    name="delete_old_runs", pool=NAME, description="Deletes old runs with their events, old backfills, and old logs."
)
def _clean_up(context: dg.OpExecutionContext) -> None:
    from chu_platform.graph.dagster_retention import clean_up  # it imports SQLAlchemy, which definitions do not need

    for line in clean_up(context.instance, load_settings(), time.time()):
        context.log.info(line)


CLEAN_UP: Final = dg.GraphDefinition(
    NAME, node_defs=[_clean_up], description="Retention of Dagster's runs and of the logs of servers."
).to_job()
