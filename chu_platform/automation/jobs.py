"""Jobs of assets. All assets of a Dagster job that have partitions have the same partitions definition."""

from collections.abc import Sequence
from typing import Final

import dagster as dg

from chu_platform.catalogue import catalogue
from chu_platform.graph.asset_keys import key_of
from chu_platform.graph.dagster_instance import GROUP_TAG, MAIN_JOB
from chu_platform.graph.maintenance_assets import GROUP
from chu_platform.graph.mart_asset import KEY as MART_KEY
from chu_platform.ingest.care_tables import CARE_DATABASE_NAME
from chu_platform.ingest.delivered import delivered_rows, delivered_tables
from chu_platform.tables.partitions import PARTITION_SCHEMES, PartitionScheme
from chu_platform.tables.table import Layer, Table


def tables_read_from(database: str | None) -> Sequence[Table]:
    """The delivered tables that are read from this database, or from files if `database` is None."""
    return [t for t in delivered_tables(catalogue()) if delivered_rows(t).reader.database == database]


def assets_of(tables: Sequence[Table]) -> dg.AssetSelection:
    """The assets of these tables, rejects included."""
    return dg.AssetSelection.assets(*(key_of(made) for t in tables for made in t.outputs))


def reading_job_name(partition_scheme: PartitionScheme | None) -> str:
    """Name of the job that reads files into the tables of a partition scheme."""
    return f"read_files_by_{partition_scheme.name}" if partition_scheme else "read_files"


def tables_beside(partition_scheme: PartitionScheme | None) -> Sequence[Table]:
    """The tables that one run can make: those of a partition scheme, and those without partitions."""
    return [t for t in catalogue() if t.asset_scheme in (None, partition_scheme)]


def main_job_name(partition_scheme: PartitionScheme | None) -> str:
    """Name of the job of the main job's runs that make tables of this partition scheme, and tables without partitions.

    With None, only tables without partitions.
    """
    return f"{MAIN_JOB}_by_{partition_scheme.name}" if partition_scheme else MAIN_JOB


def _with(partition_scheme: PartitionScheme | None) -> str:
    return f"by {partition_scheme.name} and without partitions" if partition_scheme else "without partitions"


MAIN_JOBS: Final = [
    dg.define_asset_job(
        main_job_name(partition_scheme),
        selection=assets_of(tables_beside(partition_scheme)),
        description=f"Runs of `chu materialize` for tables {_with(partition_scheme)}. Those of one command have "
        f"the same tag {GROUP_TAG}.",
    )
    for partition_scheme in (None, *PARTITION_SCHEMES)
]
CARE_DATABASE: Final = dg.define_asset_job(
    CARE_DATABASE_NAME,
    selection=assets_of(tables_read_from(CARE_DATABASE_NAME)),
    description="Every table of the care database, from one snapshot.",
)
READING: Final = [
    dg.define_asset_job(
        reading_job_name(partition_scheme),
        selection=assets_of([t for t in tables_read_from(None) if t.partition_scheme is partition_scheme]),
        description=f"Delivered files{f' by {partition_scheme.name}' if partition_scheme else ''}; "
        "started for files that arrived.",
    )
    for partition_scheme in (None, *PARTITION_SCHEMES)
]
REPORTS: Final = dg.define_asset_job(
    "reports",
    selection=assets_of([t for t in catalogue() if t.layer is Layer.REPORTS]),
    description="Reports on checks and deliveries.",
)
MARTS: Final = dg.define_asset_job(
    "marts",
    selection=dg.AssetSelection.assets(MART_KEY),
    description="The tables for BI tools: the edition that readers see, and the exact tables of secured profiles.",
)
RELEASE: Final = dg.define_asset_job(
    "release",
    selection=assets_of([t for t in catalogue() if t.in_editions]) | dg.AssetSelection.assets(MART_KEY),
    description="The next edition of the published indicators, and the marts that hold it.",
)
MAINTENANCE: Final = dg.define_asset_job(
    "maintenance",
    selection=dg.AssetSelection.groups(GROUP),
    description="Maintenance that is due for the tables of the lake.",
)
JOBS: Final = [*MAIN_JOBS, CARE_DATABASE, *READING, REPORTS, RELEASE, MARTS, MAINTENANCE]
