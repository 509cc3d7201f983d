"""The clock: jobs, and the schedules that start them.

Here: what runs when. Not here: what follows from it (conditions), what comes with files (arrivals).
"""

from collections.abc import Sequence
from typing import Final

import dagster as dg

from chu_platform.graph.assets import key_of, range_tags
from chu_platform.graph.catalogue import catalogue
from chu_platform.graph.step import made_with
from chu_platform.sources.care_tables import CareTable
from chu_platform.sources.delivered import Delivered
from chu_platform.tables.slices import MONTHLY

TIME_ZONE: Final = "Europe/Paris"


def _care_keys() -> Sequence[dg.AssetKey]:
    read = [t for t in catalogue() if isinstance(t.rows, Delivered) and isinstance(t.rows.reader, CareTable)]
    return [key_of(made) for t in read for made in made_with(t)]


care_database = dg.define_asset_job(
    "care_database",
    selection=dg.AssetSelection.assets(*_care_keys()),
    description="Every table of the care database, from one snapshot.",
)


@dg.schedule(
    name="care_database_nightly",
    job=care_database,
    cron_schedule="0 2 * * *",
    execution_timezone=TIME_ZONE,
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Reads the care database; what follows from it is automatic.",
)
def care_database_nightly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """One run over all months: a correction may be of any of them."""
    return dg.RunRequest(f"{context.scheduled_execution_time:%Y-%m-%d}", tags=range_tags(MONTHLY.every()))
