"""Asset checks that run without their step: *Execute* on the page of the checks of a table."""

from collections.abc import Iterator, Sequence

import dagster as dg

from chu_platform.graph.asset_keys import key_of
from chu_platform.graph.check_events import check_events
from chu_platform.graph.run_resources import RunResources
from chu_platform.graph.up_to_date import measured_last
from chu_platform.storage.run_checks import examine_committed
from chu_platform.tables.table import Table


def can_run_alone(table: Table) -> bool:
    """Whether the checks of a table can run without its step: not those that count what a delivery contains."""
    return table.outputs == [table]


def run_selected(
    resources: RunResources, tables: Sequence[Table], selected: set[dg.AssetCheckKey]
) -> Iterator[dg.AssetCheckResult]:
    """Run the selected asset checks over the committed rows of these tables, and the inputs that these were made from.

    Raises ChuError if a table is not in the lake.
    """
    lake = resources.lake
    for table in tables:
        if any(key.asset_key == key_of(table) for key in selected):
            read = lake.provenance(table).get("read", {})
            versions = {t: read[t.folder] for t in table.needs if t.folder in read}
            results = examine_committed(lake, table, versions, measured_last(lake, table))
            yield from check_events({table: results}, selected)
