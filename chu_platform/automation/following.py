"""Runs that make what follows from changed tables: as much of it as possible in one run, in the order of dependency.

All tables of a Dagster run have the same partitions, or none. So the tables of another partition scheme, and what needs
them, are left for the next run.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import dagster as dg

from chu_platform.automation.jobs import assets_of, tables_beside
from chu_platform.catalogue import catalogue
from chu_platform.graph.asset_keys import key_of
from chu_platform.graph.assets import partition_range_tags
from chu_platform.graph.mart_asset import KEY as MART_KEY
from chu_platform.marts.content import every_mart_table
from chu_platform.tables.partitions import PARTITION_SCHEMES, PartitionScheme
from chu_platform.tables.table import Layer, Table


def following_job_name(partition_scheme: PartitionScheme | None) -> str:
    """Name of the job for the tables of a partition scheme and those without partitions."""
    return f"follow_by_{partition_scheme.name}" if partition_scheme else "follow"


FOLLOWING: Final = [
    dg.define_asset_job(
        following_job_name(partition_scheme),
        selection=assets_of([t for t in tables_beside(partition_scheme) if not t.in_editions])
        | dg.AssetSelection.assets(MART_KEY),
        description="What follows from changed tables, and the reports; without partitions"
        + (f" or by {partition_scheme.name}." if partition_scheme else "."),
    )
    for partition_scheme in (None, *PARTITION_SCHEMES)
]
REPORTS_LAST: Final = [t for t in catalogue() if t.layer is Layer.REPORTS]


@dataclass(frozen=True)
class FollowingRun:
    """Tables that one run makes, sorted by dependency, and their partition scheme, if some have one."""

    tables: Sequence[Table]
    partition_scheme: PartitionScheme | None

    def request(self, run_key: str | None, more: Sequence[Table] = (), marts: bool = False) -> dg.RunRequest:
        """The request of the run, which also makes `more` tables without partitions.

        If there are `marts`, it loads them too when it makes a table that they hold.
        """
        made = [key_of(made) for t in (*self.tables, *more) for made in t.outputs]
        if marts and any(t.table in self.tables for t in every_mart_table()):
            made.append(MART_KEY)
        return dg.RunRequest(
            run_key,
            job_name=following_job_name(self.partition_scheme),
            asset_selection=made,
            tags=partition_range_tags(self.partition_scheme.every() if self.partition_scheme else None),
        )


def first_run(tables: Sequence[Table]) -> FollowingRun:
    """The run that makes most of the tables, which are sorted by dependency, before all others."""
    schemes = dict.fromkeys(t.asset_scheme for t in tables if t.asset_scheme)
    return max((_run(tables, scheme) for scheme in (*schemes, None)), key=lambda run: len(run.tables))


def _run(tables: Sequence[Table], partition_scheme: PartitionScheme | None) -> FollowingRun:
    left = set(tables)
    taken = []
    for table in tables:
        if table.asset_scheme in (None, partition_scheme) and left.isdisjoint(table.needs):
            taken.append(table)
            left.remove(table)
    return FollowingRun(taken, partition_scheme)
