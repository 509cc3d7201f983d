"""The events in Dagster after a table was restored to an earlier version."""

import shutil
from pathlib import Path

import dagster as dg
import pytest
from deltalake import DeltaTable

from chu_platform.facts.fact_death import fact_death
from chu_platform.graph.asset_keys import key_of
from chu_platform.graph.restored_version import restore_table
from chu_platform.graph.run_resources import RunResources
from chu_platform.settings import Settings
from chu_platform.storage.lake import Lake
from chu_platform.tables.partitions import DEATH_YEARS
from chu_platform_tests.pipeline.home import Home

pytestmark = pytest.mark.integration


def test_a_restore_reports_the_partitions_until_the_last_rows_as_materialised(made: Home, tmp_path: Path) -> None:
    """Otherwise Dagster would not show that the dependent tables are outdated."""
    lake = tmp_path / "lake"
    Lake(lake).prepare()
    shutil.copytree(made.lake.path(fact_death), lake / fact_death.folder)
    delta = DeltaTable(lake / fact_death.folder)
    first, rows = delta.version(), delta.to_pyarrow_dataset().count_rows()
    delta.delete("death_year = '2019'")
    assert delta.to_pyarrow_dataset().count_rows() < rows
    keys = list(DEATH_YEARS.keys)
    last = max(str(year) for year in delta.to_pyarrow_dataset().to_table()["death_year"].to_pylist())
    years = {*keys[: keys.index(last) + 1]}
    assert years < {*keys}
    settings = Settings(home=tmp_path, lake=lake)
    with RunResources(settings, print) as resources, dg.DagsterInstance.ephemeral() as instance:
        restore_table(resources, instance, "facts/fact_death", first)
        assert instance.get_materialized_partitions(key_of(fact_death)) == years
    assert DeltaTable(lake / fact_death.folder).to_pyarrow_dataset().count_rows() == rows
