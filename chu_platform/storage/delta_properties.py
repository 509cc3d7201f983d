"""The Delta properties of a table, by which every tool that writes it keeps to the declaration.

Here: names and values. Not here: setting them (publish at creation, maintenance afterwards).
"""

from collections.abc import Sequence

import pyarrow as pa

from chu_platform.tables.maintenance_policy import HOUR, Policy
from chu_platform.tables.table import Table


def table_properties(table: Table, policy: Policy) -> dict[str, str]:
    """Properties of the table: which columns have file statistics, and the retentions of its policy."""
    return {
        "delta.dataSkippingStatsColumns": ",".join(statistics_columns(table)),
        "delta.deletedFileRetentionDuration": f"interval {policy.retention // HOUR} hours",
        "delta.logRetentionDuration": f"interval {policy.log_retention // HOUR} hours",
    }


def statistics_columns(table: Table) -> Sequence[str]:
    """Columns with file statistics: never identifying ones, whose values would outlive their rows in the log.

    Nor fractional ones: Sail 0.7 takes the value of a constant column from its statistics, where decimal text changes
    the last bit of a floating-point number, and delta-rs 1.6 rounds decimals to one when it rewrites a file.
    """
    return [
        c.name
        for c in table.columns
        if not c.identifying
        and c.name not in table.partition_by
        and not (pa.types.is_floating(c.type) or pa.types.is_decimal(c.type))
    ]
