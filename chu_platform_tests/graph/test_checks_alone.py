"""*Execute* of an asset check: it reads the committed rows, finds what the step has found, and makes nothing."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from deltalake import DeltaTable

from chu_platform.catalogue import catalogue
from chu_platform.facts.fact_hospitalisation import fact_hospitalisation
from chu_platform.graph.asset_keys import key_of
from chu_platform.graph.assets import RUN_RESOURCES, asset_of
from chu_platform.graph.checks_alone import can_run_alone, run_selected
from chu_platform.graph.release_asset import release_asset
from chu_platform.graph.run_resources import RunResources
from chu_platform.graph.up_to_date import measured_last
from chu_platform.kpis.kpi_hospitalisation_rate import kpi_hospitalisation_rate
from chu_platform.settings import Settings
from chu_platform.storage.edition_manifest import editions
from chu_platform.tables.check_metadata import RESULTS
from chu_platform.tables.table import Layer, Table
from chu_platform_tests.pipeline.home import Home

pytestmark = pytest.mark.integration

ALONE = [t for t in catalogue() if can_run_alone(t) and t.layer is not Layer.REPORTS]
MASKED = kpi_hospitalisation_rate.masked


@pytest.fixture(scope="module")
def home(made: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    return made.copy(tmp_path_factory.mktemp("checks") / "home")


@pytest.fixture
def resources(home: Home) -> Iterator[RunResources]:
    with RunResources(Settings(_env_file=None, home=home.folder, sources=home.pack), lambda _: None) as resources:
        yield resources


def keys_of(table: Table) -> set[dg.AssetCheckKey]:
    return {dg.AssetCheckKey(key_of(table), check.group) for check in table.all_checks}


def test_each_check_finds_what_its_step_has_found(resources: RunResources) -> None:
    assert len(ALONE) > 60
    different = {}
    for table in ALONE:
        events = list(run_selected(resources, [table], keys_of(table)))
        assert {e.check_name for e in events} == {key.name for key in keys_of(table)}
        found: dict[str, object] = {}
        for event in events:
            results = (event.metadata or {})[RESULTS]
            assert isinstance(results, dg.TableMetadataValue)
            found |= {str(r.data["check"]): r.data["measured"] for r in results.records}
        if found != pytest.approx(measured_last(resources.lake, table), nan_ok=True):
            different[table.folder] = found
    assert different == {}


@pytest.mark.parametrize("table", [fact_hospitalisation, MASKED], ids=lambda t: t.name)
def test_a_run_of_a_check_alone_makes_nothing(table: Table, home: Home, resources: RunResources) -> None:
    key = sorted(keys_of(table), key=lambda k: k.name)[0]
    before = DeltaTable(home.lake.path(table)).version()
    assert editions(home.lake.place)[-1].number == 1
    with dg.DagsterInstance.ephemeral() as instance:
        done = dg.materialize(
            [release_asset() if table.in_editions else asset_of(table)],
            selection=dg.AssetSelection.checks(key),
            resources={RUN_RESOURCES: resources},
            instance=instance,
        )
    assert done.success
    assert [(e.asset_check_key, e.passed) for e in done.get_asset_check_evaluations()] == [(key, True)]
    assert done.asset_materializations_for_node(done.job_def.nodes[0].name) == []
    assert DeltaTable(home.lake.path(table)).version() == before
    assert editions(home.lake.place)[-1].number == 1


def test_a_check_alone_fails_for_rows_that_break_it(home: Home, resources: RunResources, tmp_path: Path) -> None:
    damaged = home.copy(tmp_path / "home")
    delta = DeltaTable(damaged.lake.path(fact_hospitalisation))
    rows = delta.to_pyarrow_dataset().count_rows()
    delta.update({"days": "-1"})
    settings = Settings(_env_file=None, home=damaged.folder, sources=damaged.pack)
    with RunResources(settings, lambda _: None) as own:
        events = list(run_selected(own, [fact_hospitalisation], keys_of(fact_hospitalisation)))
    failed = {e.check_name: e.description for e in events if not e.passed}
    assert any(f"range_days: {rows}" in str(text) for text in failed.values()), failed
    assert resources.lake.version(fact_hospitalisation) >= 0
