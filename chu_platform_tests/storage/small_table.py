"""A small table for the tests of storage, and rows written for it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from chu_platform.storage.commit import CommitResult, commit_written
from chu_platform.storage.lake import Lake, Write
from chu_platform.tables.checks import holds
from chu_platform.tables.columns import DATE, DOUBLE, INTEGER, STRING, Column
from chu_platform.tables.maintenance_policy import Policy
from chu_platform.tables.partitions import CAMPAIGNS, PartitionRange
from chu_platform.tables.rows import Computed
from chu_platform.tables.table import Layer, Table, Zone

POLICY = Policy(retention=timedelta(days=7), log_retention=timedelta(days=30))
COLUMNS = (
    Column("code", STRING, "code", "Code", key=True),
    Column("campaign_year", STRING, "year of the campaign", "Année"),
    Column("number", INTEGER, "a number", "Nombre"),
    Column("ratio", DOUBLE, "a ratio", "Rapport"),
    Column("day", DATE, "a day", "Jour"),
    Column("name", STRING, "name of a person", "Nom", identifying=True),
)


def visits(columns: Sequence[Column] = COLUMNS, rows: Computed | None = None) -> Table:
    """A table partitioned by year of campaign; `rows` are its rows, if the test makes it by a step."""
    return Table(
        name="visits",
        layer=Layer.SOURCES,
        zone=Zone.RESTRICTED,
        grain="one visit",
        label="Visites",
        owner="team:tests",
        columns=columns,
        rows=rows or Computed(lambda: pa.table({})),
        checks=[holds("number_not_negative", "number >= 0", "a number is not negative")],
        partition_scheme=CAMPAIGNS,
        maintenance=POLICY,
    )


def rows_of(codes: Mapping[str, Sequence[str]]) -> pa.Table:
    """Rows with the given codes, by year; the other columns are computed from the code."""
    pairs = [(code, year or None) for year, listed in codes.items() for code in listed]
    numbers = [sum(map(ord, code)) for code, _ in pairs]
    return pa.table(
        {
            "code": pa.array([code for code, _ in pairs], pa.string()),
            "campaign_year": pa.array([year for _, year in pairs], pa.string()),
            "number": pa.array(numbers, pa.int32()),
            "ratio": pa.array([n / 7 if n % 3 else None for n in numbers], pa.float64()),
            "day": pa.array([date(2000, 1, 1 + n % 28) for n in numbers], pa.date32()),
            "name": pa.array([f"Name of {code}" for code, _ in pairs], pa.string()),
        }
    )


@contextmanager
def written(lake: Lake, table: Table, rows: pa.Table) -> Iterator[Write]:
    """Rows as Parquet files in the folders of their partitions, not committed yet."""
    lake.prepare()
    with lake.writing(table) as write:
        pq.write_to_dataset(rows, write.rows, partition_cols=list(table.partition_by), compression="zstd")
        yield write


def put(lake: Lake, table: Table, rows: pa.Table, partition_range: PartitionRange | None = None) -> CommitResult:
    """Write rows and commit them."""
    with written(lake, table, rows) as write:
        return commit_written(lake, table, write, partition_range or CAMPAIGNS.every(), {"run": "test"})


def lake_of(root: Path, table: Table, *versions: Mapping[str, Sequence[str]]) -> Lake:
    """A new lake below `root` with one commit of the table for each version, given as for `rows_of`."""
    lake = Lake(root)
    for codes in versions:
        put(lake, table, rows_of(codes))
    return lake
