"""Dagster asset keys of tables."""

import dagster as dg

from chu_platform.tables.table import Table


def key_of(table: Table) -> dg.AssetKey:
    """Asset key of a table: layer and name."""
    return dg.AssetKey([table.layer.value, table.name])
