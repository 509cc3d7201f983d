"""Jobs: what schedules and sensors start. One Dagster job has one partitions definition.

Here: which tables each makes. Not here: when (schedules, arrivals, reporting).
"""

from collections.abc import Sequence
from typing import Final

import dagster as dg

from chu_platform.catalogue import catalogue
from chu_platform.graph.assets import key_of
from chu_platform.graph.maintenance_assets import GROUP
from chu_platform.ingest.care_tables import CareTable
from chu_platform.ingest.delivered import Delivered, made_with
from chu_platform.ingest.delivered_files import DeliveredFiles
from chu_platform.tables.partitions import PARTITION_SCHEMES, PartitionScheme
from chu_platform.tables.table import Layer, Table


def read_by(kind: type) -> Sequence[Table]:
    """The delivered tables whose reader is of a kind."""
    return [t for t in catalogue() if isinstance(t.rows, Delivered) and isinstance(t.rows.reader, kind)]


def _assets(tables: Sequence[Table]) -> dg.AssetSelection:
    return dg.AssetSelection.assets(*(key_of(made) for t in tables for made in made_with(t)))


def reading_job_name(partition_scheme: PartitionScheme | None) -> str:
    """Name of the job that reads files into tables of a partition scheme."""
    return f"read_files_by_{partition_scheme.name}" if partition_scheme else "read_files"


CARE_DATABASE: Final = dg.define_asset_job(
    "care_database",
    selection=_assets(read_by(CareTable)),
    description="Every table of the care database, from one snapshot.",
)
READING: Final = [
    dg.define_asset_job(
        reading_job_name(partition_scheme),
        selection=_assets([t for t in read_by(DeliveredFiles) if t.partition_scheme is partition_scheme]),
        description=f"Delivered files{f' by {partition_scheme.name}' if partition_scheme else ''}; "
        "started for those that have arrived.",
    )
    for partition_scheme in (None, *PARTITION_SCHEMES)
]
REPORTS: Final = dg.define_asset_job(
    "reports",
    selection=_assets([t for t in catalogue() if t.layer is Layer.REPORTS]),
    description="What is known of checks and deliveries.",
)
MAINTENANCE: Final = dg.define_asset_job(
    "maintenance", selection=dg.AssetSelection.groups(GROUP), description="What is due for the tables of the lake."
)
JOBS: Final = [CARE_DATABASE, *READING, REPORTS, MAINTENANCE]
