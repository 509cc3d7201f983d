"""CHU_HOME and CHU_SOURCES may have any name that the engines can take; another one is refused in one sentence."""

import shutil
from pathlib import Path

import pytest
from deltalake import DeltaTable

from chu_platform.errors import ChuError
from chu_platform.graph.dagster_instance import open_instance
from chu_platform.settings import Settings, load_settings
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.portal.served import serving

# Blank, accent, URL characters, quotes, characters of shells; a percent sign that is no escape.
NAME = "a é#'\"% {x};$y&(z)"


@pytest.mark.integration
def test_tables_are_made_and_read_below_any_name(pack: Path, tmp_path: Path) -> None:
    """By DuckDB from a file, and by the engine from a table."""
    sources = tmp_path / NAME / "pack"
    sources.mkdir(parents=True)
    shutil.copytree(pack / "Etablissement de SANTE", sources / "Etablissement de SANTE")
    home = Home(tmp_path / NAME / "home", sources)
    home.materialize(
        "--select", "key:sources/etablissement_sante or key:references/region or key:dimensions/dim_region"
    )
    region = DeltaTable(str(home.lake.root / "pseudonymised" / "dimensions" / "dim_region"))
    assert {"11", "53", "01"} < set(region.to_pyarrow_table()["region_key"].to_pylist())
    assert home.materialize("--select", "key:dimensions/dim_region").stdout.count("up to date") == 1
    with home.instance() as instance:
        assert len(instance.get_runs()) == 1


@pytest.mark.integration
def test_the_portal_reads_a_lake_below_any_name(made: Home, tmp_path: Path) -> None:
    lake = tmp_path / NAME
    shutil.copytree(made.lake.root / "published", lake / "published")
    shutil.copy(made.lake.root / "format.json", lake)
    with serving(lake) as portal:
        assert portal.get("/").status == 200


@pytest.mark.unit
@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("a%20b", "has '%20', which Delta readers decode: set CHU_LAKE or CHU_HOME to another folder"),
        ("a[b]", "the path has '[', which Dagster and DuckDB read as a pattern: rename the folder"),
        ("a?", "the path has '?', which Dagster and DuckDB read as a pattern: rename the folder"),
        ("a*", "the path has '*', which Dagster and DuckDB read as a pattern: rename the folder"),
    ],
)
def test_a_name_that_cannot_be_used_is_refused(
    name: str, cause: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHU_HOME", str(tmp_path / name))
    with pytest.raises(ChuError, match="settings: ") as refused:
        load_settings()
    assert str(refused.value).endswith(cause)


@pytest.mark.integration
def test_dagsters_storage_is_below_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also with an escape, if the lake is elsewhere."""
    monkeypatch.setenv("DAGSTER_HOME", "")  # put back after the test
    home = tmp_path / f"{NAME}%20"
    with open_instance(Settings(_env_file=None, home=home)) as instance:
        assert instance.get_runs() == []
    assert (home / "dagster" / "history" / "runs.db").exists()
