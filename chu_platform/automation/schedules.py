"""Schedules of jobs."""

from typing import Final

import dagster as dg

from chu_platform.automation.clean_up import CLEAN_UP
from chu_platform.automation.jobs import CARE_DATABASE, MAINTENANCE, RELEASE
from chu_platform.graph.assets import partition_range_tags
from chu_platform.tables.partitions import MONTHLY

TIME_ZONE: Final = "Europe/Paris"


@dg.schedule(
    name="care_database_nightly",
    job=CARE_DATABASE,
    cron_schedule="0 2 * * *",
    execution_timezone=TIME_ZONE,
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Reads the care database; the tables that depend on it follow automatically.",
)
def care_database_nightly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """One run over all months, because corrections may be in any month."""
    return dg.RunRequest(f"{context.scheduled_execution_time:%Y-%m-%d}", tags=partition_range_tags(MONTHLY.every()))


clean_up_daily: Final = dg.ScheduleDefinition(
    name="clean_up_daily",
    job=CLEAN_UP,
    cron_schedule="30 5 * * *",
    execution_timezone=TIME_ZONE,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Deletes runs that are older than CHU_RUN_RETENTION_DAYS, and old logs.",
)

maintenance_weekly: Final = dg.ScheduleDefinition(
    name="maintenance_weekly",
    job=MAINTENANCE,
    cron_schedule="0 4 * * 0",
    execution_timezone=TIME_ZONE,
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Runs the maintenance that is due for each table.",
)

release_monthly: Final = dg.ScheduleDefinition(
    name="release_monthly",
    job=RELEASE,
    cron_schedule="0 6 5 * *",
    execution_timezone=TIME_ZONE,
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Releases the next edition of the published indicators.",
)
