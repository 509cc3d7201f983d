"""A second run with the same pack changes no table version and no file."""

import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from deltalake import DeltaTable

from chu_platform.dimensions.dim_medication import dim_medication
from chu_platform.facts.fact_consultation import fact_consultation
from chu_platform.facts.fact_death import fact_death
from chu_platform.facts.fact_death_coverage import fact_death_coverage
from chu_platform.facts.fact_follow_up import fact_follow_up
from chu_platform.graph.asset_keys import key_of
from chu_platform.kpis.kpi_hospitalisation_rate import kpi_hospitalisation_rate
from chu_platform.kpis.kpi_mortality import kpi_mortality
from chu_platform.sources.deces import deces
from chu_platform.sources.patient import patient
from chu_platform.storage.lake import Lake
from chu_platform.tables.table import Layer, Table
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import every_table

# Delivered in a file and in a database, made by queries and in Python; by year, by month, by period and as a whole.
FORCED = (
    deces,
    patient,
    fact_consultation,
    fact_death,
    fact_death_coverage,
    fact_follow_up,
    kpi_hospitalisation_rate.exact,
    kpi_mortality.exact,
)


def state(lake: Lake, table: Table) -> tuple[int, set[str]]:
    """The version of a table, and its files."""
    delta = DeltaTable(lake.path(table))
    return delta.version(), {uri.removeprefix(str(lake.root)) for uri in delta.file_uris()}


def not_materialised(home: Home, tables: Sequence[Table], since: float) -> list[str]:
    """The tables that no step has made since then."""
    with home.instance() as instance:
        events = {t: instance.get_latest_materialization_event(key_of(t)) for t in tables}
    return [t.folder for t, event in events.items() if not event or event.timestamp < since]


@pytest.mark.integration
def test_a_second_run_reads_and_writes_nothing(made: Home, tmp_path: Path) -> None:
    again = made.copy(tmp_path / "home")
    before = {f: f.stat().st_mtime_ns for f in again.lake.root.rglob("*") if f.is_file() and f.suffix != ".lock"}
    with again.instance() as instance:
        runs = len(instance.get_runs())
    printed = again.materialize().stdout
    assert "up to date" in printed and "run 1 of" not in printed
    with again.instance() as instance:
        assert len(instance.get_runs()) == runs
    after = {f: f.stat().st_mtime_ns for f in again.lake.root.rglob("*") if f.is_file() and f.suffix != ".lock"}
    assert after == before

    # A selection without reports says nothing of reports.
    printed = again.materialize("--select", "group:facts").stdout
    facts = sum(t.layer is Layer.FACTS for t in every_table())
    assert f"up to date: {facts} tables" in printed and "reports" not in printed

    # A table with a lost file is made again, and what depends on it is looked at.
    root = again.lake.path(dim_medication)
    for file in root.rglob("*.parquet"):
        file.unlink()
    printed = again.materialize("--select", "key:dimensions/dim_medication+").stdout
    assert "dimensions/dim_medication: 15 456 rows, " in printed
    assert len(again.lake.arrow(dim_medication)) == 15_456

    # So is a table whose newest commit is empty, as after a power failure.
    max((root / "_delta_log").glob("*.json")).write_bytes(b"")
    printed = again.materialize("--select", "key:dimensions/dim_medication").stdout
    assert "was unreadable and is set aside" in printed
    assert len(again.lake.arrow(dim_medication)) == 15_456


@pytest.mark.system
def test_a_forced_second_run_materialises_the_selected_tables_and_commits_nothing(made: Home, tmp_path: Path) -> None:
    """Tables of every kind of rows; all tables: `test_corrections`."""
    again = made.copy(tmp_path / "home")
    start = time.time()
    again.materialize("--force", "--select", " or ".join(f"key:{t.layer}/{t.name}" for t in FORCED))
    assert not_materialised(again, FORCED, start) == []
    assert [t.folder for t in every_table() if state(made.lake, t) != state(again.lake, t)] == []
