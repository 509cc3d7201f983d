"""A second run with the same pack changes no table version and no file."""

import time
from pathlib import Path

import pytest
from deltalake import DeltaTable

from chu_platform.graph.asset_keys import key_of
from chu_platform.storage.lake import Lake
from chu_platform.tables.table import Layer, Table
from chu_platform_tests.pipeline.contents import every_table
from chu_platform_tests.pipeline.home import Home

pytestmark = pytest.mark.integration


def state(lake: Lake, table: Table) -> tuple[int, set[str]]:
    """The version of a table, and its files."""
    delta = DeltaTable(lake.path(table))
    return delta.version(), {uri.removeprefix(str(lake.root)) for uri in delta.file_uris()}


def test_a_second_run_materialises_all_tables_and_writes_nothing(made: Home, tmp_path: Path) -> None:
    again = made.copy(tmp_path / "home")
    start = time.time()
    again.materialize()
    tables = every_table()
    with again.instance() as instance:
        events = {t: instance.get_latest_materialization_event(key_of(t)) for t in tables}
    assert [t.folder for t, event in events.items() if not event or event.timestamp < start] == []
    # Reports change, because they contain data about the runs.
    compared = [t for t in tables if t.layer is not Layer.REPORTS]
    assert [t.folder for t in compared if state(made.lake, t) != state(again.lake, t)] == []
