"""`chu benchmark layouts` on small tables: DuckDB and Sail on two layouts, its results, and what it resumes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pytest

from chu_platform.errors import ChuError
from chu_platform.layouts.benchmark import Request, Times, measure_layouts
from chu_platform.layouts.copies import Source
from chu_platform.layouts.engines import DuckDb, Run
from chu_platform.layouts.results import MEASUREMENTS, results_file
from chu_platform.settings import Settings
from chu_platform_tests.layouts.small_lake import small_lake

pytestmark = pytest.mark.integration

SMALL = Request(["flat", "month"], ["duckdb", "sail"], ["one_patient", "deaths_of_one_month", "full_scan"], 2)
CELLS = 2 * 2 * 3


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with a lake of a few deaths and consultations."""
    small_lake(tmp_path / "home" / "lake")
    return Settings(home=tmp_path / "home")


def test_a_benchmark_measures_each_cell_once_and_resumes(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    done = measure_layouts(settings, SMALL, told.append)
    assert done.failures == [] and done.left_out == [] and done.cells == CELLS
    rows = MEASUREMENTS.read(results_file(settings))
    assert len(rows) == 2 * CELLS
    by_key = {(r["layout"], r["engine"], r["query"], r["state"]): r for r in rows}
    deaths = by_key["month", "duckdb", "deaths_of_one_month", "cold"]
    # The small lake has deaths of 24 months, five of them in March 2019, on two days.
    assert (deaths["result_rows"], deaths["files"], deaths["files_kept"], deaths["table_rows"]) == (2, 24, 1, 28)
    flat = by_key["flat", "sail", "deaths_of_one_month", "warm"]
    assert (flat["result_rows"], flat["files"], flat["files_kept"], flat["runs"]) == (2, 1, 1, 2)
    assert all(0 < r["median_ms"] <= r["max_ms"] and r["low_ms"] is None for r in rows)
    assert any("100 % (12 of 12)" in line for line in told)
    assert not (results_file(settings).parent / "copies" / "flat").exists()

    # A second run has nothing to do; a larger number of runs measures again.
    told.clear()
    before = results_file(settings).read_bytes()
    assert measure_layouts(settings, SMALL, told.append).cells == CELLS
    assert results_file(settings).read_bytes() == before
    assert any("12 cells" in line and "12 have results" in line for line in told)

    # A run that is interrupted keeps what it has measured, and the next one does the rest.
    measured = 0
    opened = DuckDb.session

    @contextmanager
    def stops(self: DuckDb, sources: Mapping[str, Source]) -> Iterator[Run]:
        nonlocal measured
        measured += 1
        if measured > 12:
            raise KeyboardInterrupt
        with opened(self, sources) as run:
            yield run

    more = Request(["flat"], ["duckdb"], SMALL.queries, 3)
    with monkeypatch.context() as patch:
        patch.setattr(DuckDb, "session", stops)
        with pytest.raises(KeyboardInterrupt):
            measure_layouts(settings, more, told.append)
    again = [r for r in MEASUREMENTS.read(results_file(settings)) if r["runs"] == 3]
    assert 0 < len(again) < 2 * 3
    told.clear()
    assert measure_layouts(settings, more, told.append).cells == 3
    assert any(f"{len(again) // 2} have results" in line for line in told)
    assert len([r for r in MEASUREMENTS.read(results_file(settings)) if r["runs"] == 3]) == 2 * 3


def test_disturbed_measurements_are_made_again_and_the_quieter_one_is_kept(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = Request(["flat"], ["duckdb"], ["full_scan"], 1, most_others=0.2)
    kept = []
    for others in (0.5, 0.9, 0.1, 0.3):
        monkeypatch.setattr(Times, "others", others)
        measure_layouts(settings, request, lambda _: None)
        kept.append({row["others"] for row in MEASUREMENTS.read(results_file(settings))})
    # Nothing is measured a fourth time: 0.1 is quiet enough.
    assert kept == [{0.5}, {0.5}, {0.1}, {0.1}]


def test_a_time_does_not_count_if_the_rows_are_wrong(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def wrong(_self: DuckDb, _sources: Mapping[str, Source]) -> Iterator[Run]:
        yield lambda _sql: pa.table({"deaths": [1]})

    monkeypatch.setattr(DuckDb, "session", wrong)
    done = measure_layouts(settings, Request(["flat"], ["duckdb"], ["full_scan"], 1), lambda _: None)
    assert done.failures == ["full_scan on flat by duckdb: the rows are not those that DuckDB finds in the lake"]
    assert MEASUREMENTS.read(results_file(settings)) == []


def test_without_java_spark_is_left_out_visibly(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", "")
    told: list[str] = []
    done = measure_layouts(settings, Request(["flat", "clustered"], ["spark", "duckdb"], ["full_scan"], 1), told.append)
    assert done.cells == 1
    assert done.left_out == [
        "spark is left out: Java 17 or 21 is not installed",
        "layout clustered is left out: only Spark writes it",
    ]
    assert [line for line in told if line.startswith("WARNING")] == [f"WARNING {line}" for line in done.left_out]


def test_a_lake_without_the_tables_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ChuError, match="is not in the lake yet"):
        measure_layouts(Settings(home=tmp_path / "home"), SMALL, lambda _: None)
