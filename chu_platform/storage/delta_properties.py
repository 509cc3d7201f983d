"""Delta properties of a table: statistics columns and retentions, which other tools that write the table also obey."""

from collections.abc import Sequence
from typing import Final

import pyarrow as pa
from deltalake import DeltaTable

from chu_platform.tables.columns import STRING
from chu_platform.tables.maintenance_policy import HOUR, Policy
from chu_platform.tables.table import Table

STATISTICS: Final = "delta.dataSkippingStatsColumns"


def table_properties(table: Table, policy: Policy) -> dict[str, str]:
    """Properties of the table: columns with file statistics, and the retentions of its policy."""
    return {
        STATISTICS: ",".join(statistics_columns(table)),
        "delta.deletedFileRetentionDuration": f"interval {policy.retention // HOUR} hours",
        "delta.logRetentionDuration": f"interval {policy.log_retention // HOUR} hours",
    }


def has_properties(delta: DeltaTable, table: Table, policy: Policy) -> bool:
    """Whether a committed table has the declared properties."""
    configuration = delta.metadata().configuration
    return all(configuration.get(name) == value for name, value in table_properties(table, policy).items())


def has_statistics_columns(delta: DeltaTable, table: Table) -> bool:
    """Whether the columns with statistics of a committed table are those of files that are written now."""
    return delta.metadata().configuration.get(STATISTICS) == ",".join(statistics_columns(table))


def statistics_columns(table: Table) -> Sequence[str]:
    """Columns with file statistics: each file has bounds and a count of nulls for each of them.

    Identifying columns have none, because their values would stay in the log after the rows are deleted.
    Text columns have them only if the layout sorts by them: in other files, they do not tell which rows a file has.
    Floating-point and decimal columns have none, because statistics are not exact for them: Sail 0.7 reads the value of
    a constant column from its statistics, whose decimal text changes the last bit of a floating-point number;
    delta-rs 1.6 converts decimals to floating-point numbers when it rewrites a file.
    """
    return [
        c.name
        for c in table.columns
        if not c.identifying
        and c.name not in table.partition_by
        and not (pa.types.is_floating(c.type) or pa.types.is_decimal(c.type))
        and (c.type != STRING or c.name in table.layout.z_order_by)
    ]
