"""The job that makes the last months again, as a backfill of Dagster, and its schedule.

The backfill makes the months of the tables with months, the years of the indicators that contain them, and what is in
between, in the order of their dependencies. Tables whose inputs have not changed are left as they are.
"""

from collections.abc import Sequence
from typing import Final

import dagster as dg

from chu_platform.automation.schedules import TIME_ZONE
from chu_platform.catalogue import catalogue
from chu_platform.compat.backfills import start_backfill, unfinished_backfill
from chu_platform.graph.asset_keys import key_of
from chu_platform.ingest.care_tables import CARE_DATABASE_NAME
from chu_platform.ingest.delivered import delivered_rows, is_delivered
from chu_platform.settings import load_settings
from chu_platform.tables.partitions import MONTHLY
from chu_platform.tables.table import Layer, Table

NAME: Final = "rolling_backfill"
# Tag of these backfills, and of their runs.
TAG: Final = "chu/rolling_backfill"


def tables_of_months() -> Sequence[Table]:
    """The tables with months, the indicators that need them, and the tables from the care database in between."""
    by_month = {t for t in catalogue() if t.partition_scheme is MONTHLY}
    indicators = [t for t in catalogue() if t.layer is Layer.KPIS and by_month & _with_needed([t])]
    wanted = _with_needed([*by_month, *indicators])
    chosen: list[Table] = []
    for table in catalogue():  # sorted by dependency
        begins = table in by_month or _is_of_care_database(table)
        if table in wanted and (begins or any(t in chosen for t in table.needs)):
            chosen.append(table)
    return chosen


def _with_needed(tables: Sequence[Table]) -> set[Table]:
    """These tables, and all that they need, directly or not."""
    found: set[Table] = set()
    pending = [*tables]
    while pending:
        table = pending.pop()
        if table not in found:
            found.add(table)
            pending += table.needs
    return found


def _is_of_care_database(table: Table) -> bool:
    return is_delivered(table) and delivered_rows(table).reader.database == CARE_DATABASE_NAME


def partitions_of_months(number: int) -> dict[dg.AssetKey, dg.PartitionKeyRange | None]:
    """The partitions of these tables that the last months are in, the current one included; None for a whole table."""
    first, last = MONTHLY.keys[-number], MONTHLY.keys[-1]
    found: dict[dg.AssetKey, dg.PartitionKeyRange | None] = {}
    for table in tables_of_months():
        partitions = table.asset_scheme.within(first, last) if table.asset_scheme else None
        keys = dg.PartitionKeyRange(partitions.first, partitions.last) if partitions else None
        found |= dict.fromkeys((key_of(made) for made in table.outputs), keys)
    return found


def start(instance: dg.DagsterInstance, repository: dg.RepositoryDefinition, months: int, run_id: str) -> str:
    """Start the backfill of the last months, for this run; returns what was done.

    Nothing is started while the last one has not ended.
    """
    if running := unfinished_backfill(instance, TAG):
        return f"backfill {running} has not ended: no other one is started"
    partitions = partitions_of_months(months)
    title = f"{NAME} of {months} month{'s' if months > 1 else ''} until {MONTHLY.keys[-1]}"
    started = start_backfill(instance, repository, partitions, title, {TAG: run_id})
    return f"backfill {started}: {title}, {len(partitions)} assets"


@dg.op(name="start_backfill", description="Starts a backfill of the last CHU_ROLLING_MONTHS months.")
def _start(context: dg.OpExecutionContext) -> None:
    context.log.info(start(context.instance, context.repository_def, load_settings().rolling_months, context.run_id))


ROLLING_BACKFILL: Final = dg.GraphDefinition(
    NAME, node_defs=[_start], description="Makes the last months again, as a backfill (Runs, Backfills)."
).to_job()

rolling_backfill_nightly: Final = dg.ScheduleDefinition(
    name="rolling_backfill_nightly",
    job=ROLLING_BACKFILL,
    cron_schedule="0 3 * * *",
    execution_timezone=TIME_ZONE,
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Reads the last CHU_ROLLING_MONTHS months of the care database and of the stays again, and makes what "
    "depends on them, as one backfill.",
)
