"""Every query of the benchmark, on every layout and engine: equal answers, and the files and exchanges of a layout."""

from pathlib import Path

import pytest

from chu_platform.layouts.benchmark import Request, measure_layouts
from chu_platform.layouts.declarations import LAYOUTS
from chu_platform.layouts.engines import ENGINES
from chu_platform.layouts.queries import QUERIES
from chu_platform.layouts.results import MEASUREMENTS, WARM, results_file
from chu_platform.settings import Settings
from chu_platform_tests.java import JAVA_OPTIONS, require_java
from chu_platform_tests.pipeline.home import Home

pytestmark = pytest.mark.system


def test_every_query_is_answered_alike_on_every_layout_and_engine(made: Home, tmp_path: Path) -> None:
    require_java()
    settings = Settings(home=tmp_path / "home", lake=made.lake.root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JDK_JAVA_OPTIONS", JAVA_OPTIONS)
        done = measure_layouts(settings, Request(runs=1), print)
    assert done.failures == [] and done.left_out == []
    rows = MEASUREMENTS.read(results_file(settings))
    assert len(rows) == 2 * done.cells
    assert {row["engine"] for row in rows} == {*ENGINES}
    assert {row["layout"] for row in rows} == {layout.name for layout in LAYOUTS}
    assert {row["query"] for row in rows} == {query.name for query in QUERIES}
    exchanges = {r["layout"]: r["exchanges"] for r in rows if (r["engine"], r["query"]) == ("spark", "large_join")}
    assert exchanges["flat"] - exchanges["spark_buckets"] == 2
    kept = {(r["layout"], r["query"]): (r["files_kept"], r["files"]) for r in rows if r["state"] == WARM}
    assert kept["buckets", "one_consultation"] == (1, 16)
    assert kept["region", "deaths_of_one_region"][0] == 1 < kept["region", "deaths_of_one_region"][1]
