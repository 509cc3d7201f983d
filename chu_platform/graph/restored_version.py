"""Restore of a table by name, recorded as an event in Dagster."""

from collections.abc import Sequence

import dagster as dg

from chu_platform.catalogue import catalogue
from chu_platform.errors import ChuError
from chu_platform.graph.asset_keys import key_of
from chu_platform.graph.partition_figures import figures_by_partition, until_last_rows
from chu_platform.graph.run_resources import RunResources
from chu_platform.storage.lake import Lake
from chu_platform.storage.restore import restore
from chu_platform.tables.table import Table, Zone


def restore_table(resources: RunResources, instance: dg.DagsterInstance, name: str, version: int) -> int:
    """Restore the table `layer/table` to an earlier version; returns the number of the new version.

    Dagster then shows the table as updated and the tables that depend on it as outdated. They are not made
    automatically, because no checks ran on the restored rows. Raises ChuError if the table or the version does not
    exist, or if the version cannot be restored.
    """
    tables_by_name = {f"{t.layer}/{t.name}": t for table in catalogue() for t in table.outputs}
    if name not in tables_by_name:
        raise ChuError(f"there is no table {name!r}: write layer/table, for instance facts/fact_death")
    table = tables_by_name[name]
    if table.in_editions or table.zone is Zone.PUBLISHED:
        raise ChuError(
            f"{name} cannot be restored: what was published may only be replaced by a new edition; restore the tables "
            "that it is made from, then run `chu materialize` and `chu release`"
        )
    now = restore(resources.lake, table, version, "chu restore", resources.operations)
    metadata = {"restored_version": version, "delta_version": now}
    # Dagster ignores an event without a partition for an asset with partitions.
    for partition in _partitions(resources.lake, table):
        instance.report_runless_asset_event(
            dg.AssetMaterialization(key_of(table), metadata=metadata, partition=partition)
        )
    return now


def _partitions(lake: Lake, table: Table) -> Sequence[str | None]:
    """The partitions of the asset that are shown as made; only None if it has no partitions."""
    if table.asset_scheme is None:
        return (None,)
    every = table.asset_scheme.every()
    return until_last_rows(every, figures_by_partition(lake, table, every))
