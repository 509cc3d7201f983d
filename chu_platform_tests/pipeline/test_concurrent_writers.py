"""Two backfills of overlapping years and the maintenance of their table run at once: no row is lost or duplicated."""

import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from deltalake import DeltaTable, write_deltalake

from chu_platform.facts.fact_death import fact_death
from chu_platform.sources.deces import deces
from chu_platform_tests.pipeline.home import COMMAND_TIMEOUT_SECONDS, Home
from chu_platform_tests.pipeline.lake_rows import rows

pytestmark = pytest.mark.system

DEATHS = "DECES EN FRANCE/deces.csv"
KEY = f"{fact_death.layer}/{fact_death.name}"
MAINTENANCE = f"maintenance/{fact_death.layer}"
BACKFILLS = (("2005", "2015"), ("2011", "2019"))
# Years of added deaths: of one backfill, of the other, of both, and of neither.
LATE_YEARS = ("1995", "2006", "2012", "2013", "2018")
REQUESTED_YEARS = {str(year) for year in range(2005, 2020)}
# Years with many small files: both backfills replace one of them, only maintenance rewrites the other.
FRAGMENTED_YEARS, FRAGMENTS = ("1995", "2013"), 40


def test_overlapping_backfills_and_a_maintenance_run(made: Home, tmp_path: Path) -> None:
    pack = tmp_path / "pack"
    file = pack / DEATHS
    file.parent.mkdir(parents=True)
    shutil.copy(made.pack / DEATHS, file)
    with file.open("a", encoding="utf-8") as stream:
        stream.writelines(f"TARD,JEAN,1,1930-01-01,75056,PARIS,,{year}-06-01,75056,{year}\n" for year in LATE_YEARS)
    home = made.copy(tmp_path / "home", pack)
    home.materialize("--select", "key:sources/deces")
    fragment(home)

    running = [asset_materialize(home, MAINTENANCE)]
    running += [asset_materialize(home, KEY, "--partition-range", f"{first}...{last}") for first, last in BACKFILLS]
    outputs = [process.communicate(timeout=COMMAND_TIMEOUT_SECONDS)[0] for process in running]
    assert [p.returncode for p in running] == [0, 0, 0], outputs
    if "OPTIMIZE" not in operations(home):  # a backfill had the lock of the table each time
        again = asset_materialize(home, MAINTENANCE)
        output, _ = again.communicate(timeout=COMMAND_TIMEOUT_SECONDS)
        assert again.returncode == 0, output

    before = Counter(rows(made.lake, fact_death)["death_year"].to_pylist())
    after = Counter(rows(home.lake, fact_death)["death_year"].to_pylist())
    late = Counter(year for year in LATE_YEARS if year in REQUESTED_YEARS)
    assert after == before + late
    with duckdb.connect() as connection:
        delivered = connection.from_arrow(rows(home.lake, deces))  # noqa: F841 - DuckDB finds it by its name
        expected = connection.execute(
            "SELECT death_year, count(*) FROM (SELECT DISTINCT * FROM delivered) GROUP BY 1"
        ).fetchall()
    assert {y: n for y, n in expected if y in REQUESTED_YEARS} == {
        y: n for y, n in after.items() if y in REQUESTED_YEARS
    }
    with home.instance() as instance:
        statuses = {run.run_id: run.status for run in instance.get_runs(limit=len(running))}
    assert set(statuses.values()) == {dg.DagsterRunStatus.SUCCESS}
    assert "OPTIMIZE" in operations(home), "maintenance must rewrite files, otherwise the test is empty"


def operations(home: Home) -> list[str]:
    return [entry["operation"] for entry in DeltaTable(home.lake.path(fact_death)).history()]


def fragment(home: Home) -> None:
    """Write the rows of two years to many small files, as many small commits do."""
    path = home.lake.path(fact_death)
    for year in FRAGMENTED_YEARS:
        found = DeltaTable(path).to_pyarrow_table(filters=[("death_year", "=", year)])
        DeltaTable(path).delete(f"death_year = '{year}'")
        size = -(-len(found) // FRAGMENTS)
        for start in range(0, len(found), size):
            write_deltalake(path, found.slice(start, size), mode="append")


def asset_materialize(home: Home, key: str, *partitions: str) -> "subprocess.Popen[str]":
    """Start Dagster's own command in the home."""
    command = [sys.executable, "-m", "dagster", "asset", "materialize", "-m", "chu_platform.definitions"]
    return subprocess.Popen(
        [*command, "--select", key, *partitions],
        env={**home.environment(), "DAGSTER_HOME": str(home.folder / "dagster")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
