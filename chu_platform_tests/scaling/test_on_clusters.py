"""The whole measurement on Spark clusters, on a made lake: rows are right, the dynamic cluster grows and shrinks."""

import pytest

from chu_platform.scaling.executors import from_text
from chu_platform.scaling.measure import measure_elasticity
from chu_platform.scaling.program import QUERIES
from chu_platform.scaling.results import CLUSTERS, DYNAMIC, MEASUREMENTS, ONE_WORKER, PROGRAM, TWO_WORKERS
from chu_platform.settings import Settings
from chu_platform_tests.java import require_java
from chu_platform_tests.pipeline.home import Home

pytestmark = pytest.mark.system


def test_clusters_are_measured(made: Home, tmp_path_factory: pytest.TempPathFactory) -> None:
    require_java()
    settings = Settings(home=tmp_path_factory.mktemp("elasticity"), lake=made.lake.root)
    told: list[str] = []
    rows = MEASUREMENTS.read(measure_elasticity(settings, 2, 25, told.append))
    assert {(r["cluster"], r["query"]) for r in rows} == {(c, q) for c in CLUSTERS for q in (*QUERIES, PROGRAM)}
    assert all(r["equal_rows"] and r["median_ms"] > 0 for r in rows)
    programs = {r["cluster"]: r for r in rows if r["query"] == PROGRAM}
    counts = {name: [step.executors for step in from_text(r["executors"])] for name, r in programs.items()}
    assert counts[ONE_WORKER] == [1] and counts[TWO_WORKERS] == [2]
    assert counts[DYNAMIC][0] == 0 and max(counts[DYNAMIC]) >= 1 and counts[DYNAMIC][-1] == 0
    seconds = {name: r["executor_seconds"] for name, r in programs.items()}
    assert seconds[TWO_WORKERS] == pytest.approx(2 * programs[TWO_WORKERS]["median_ms"] / 1000, rel=0.01)
    assert seconds[DYNAMIC] < programs[DYNAMIC]["median_ms"] / 1000 * 2
    assert len([line for line in told if "executor seconds" in line]) == len(CLUSTERS)
