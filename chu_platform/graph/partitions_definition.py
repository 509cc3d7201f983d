"""Partition schemes as Dagster partitions."""

from functools import cache

import dagster as dg

from chu_platform.tables.partitions import PartitionScheme


@cache
def partitions_definition(scheme: PartitionScheme) -> dg.TimeWindowPartitionsDefinition:
    """The Dagster partitions of a scheme: the same keys, including the current period."""
    if scheme.monthly:
        return dg.MonthlyPartitionsDefinition(scheme.first, fmt="%Y-%m", end_offset=1)
    return dg.TimeWindowPartitionsDefinition(start=scheme.first, fmt="%Y", cron_schedule="0 0 1 1 *", end_offset=1)
