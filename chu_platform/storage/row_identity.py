"""Identity of rows: equal rows of a partition have equal identities, whatever their order, files or writer.

Two 64-bit hashes of each row are computed over its typed values, and each is summed over all rows. The row count and
both sums are the identity. Null is a value of its own; 0.0 equals -0.0, and NaN equals NaN, as for DuckDB's operators.

Two different texts or floating-point numbers have the same hash with a probability of 2^-64; two different integers,
dates or booleans never have. Sets of rows with different hashes have the same sums with a probability of about 2^-128.

DuckDB may change its hash between versions, so the version is part of the identity. Identities of different versions
cannot be compared: they are computed again from the files.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import duckdb

from chu_platform.storage.partition_folders import folder_of
from chu_platform.tables.duckdb_sql import sql_name
from chu_platform.tables.table import StoredTable

ALGORITHM: Final = f"duckdb-{duckdb.__version__}"


@dataclass(frozen=True)
class Partition:
    """The rows of one Delta partition: their number, their identity, and the results of further aggregates."""

    rows: int
    identity: str
    aggregates: Sequence[Any]


def aggregate_partitions(
    connection: duckdb.DuckDBPyConnection, table: StoredTable, relation: str, aggregates: Sequence[str] = ()
) -> Mapping[str, Partition]:
    """Aggregate each partition of a relation with the table's columns in one query, by partition folder.

    `aggregates` are further DuckDB expressions, such as `count(*) FILTER (...)`. Partitions without rows are left out.
    """
    groups = [sql_name(c) for c in table.partition_by]
    names = [sql_name(c.name) for c in table.columns if c.name not in table.partition_by] or ["NULL"]
    hashes = (f"hash(1, {', '.join(names)})", f"hash(2, {', '.join(reversed(names))})")
    sums = [f"sum({value})" for value in hashes]
    query = f"SELECT {', '.join([*groups, 'count(*)', *sums, *aggregates])} FROM {relation}"
    found = connection.execute(f"{query} GROUP BY {', '.join(groups)}" if groups else query).fetchall()
    width = len(groups)
    partitions = {}
    for row in found:
        rows, first, second, *others = row[width:]
        if rows:
            values = dict(zip(table.partition_by, row[:width], strict=True))
            identity = f"{ALGORITHM}:{rows}:{first:x}:{second:x}"
            partitions[folder_of(values, table.partition_by)] = Partition(rows, identity, others)
    return partitions
