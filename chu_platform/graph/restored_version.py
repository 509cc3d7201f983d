"""Bringing a table back to one of its versions, and telling Dagster.

Here: finding the table and the event. Not here: what can be restored, and doing it (lake.restore).
"""

import dagster as dg

from chu_platform.catalogue import catalogue
from chu_platform.errors import ChuError
from chu_platform.graph.assets import key_of
from chu_platform.graph.run_resources import RunResources
from chu_platform.storage.restore import restore


def restore_table(platform: RunResources, instance: dg.DagsterInstance, name: str, version: int) -> int:
    """Restore the table called `layer/table`; gives the new version.

    The graph sees the table as made anew, and what depends on it as behind; that does not follow on its own, since no
    check has looked at the restored rows. Raises ChuError for a table or a version that does not exist, or that
    cannot be gone back to.
    """
    every = {f"{t.layer}/{t.name}": t for table in catalogue() for t in table.outputs}
    if name not in every:
        raise ChuError(f"there is no table {name!r}: write layer/table, for instance facts/fact_death")
    table = every[name]
    now = restore(platform.lake, table, version, "chu restore", platform.operations)
    said = {"restored_version": version, "delta_version": now}
    # Of an asset with partitions, Dagster overlooks an event without one.
    for partition in table.partition_scheme.keys if table.partition_scheme else (None,):
        instance.report_runless_asset_event(dg.AssetMaterialization(key_of(table), metadata=said, partition=partition))
    return now
