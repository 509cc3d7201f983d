"""The file of measurements, and what a cluster is started with."""

from pathlib import Path

import pytest

from chu_platform.building_blocks.measurement_file import Row
from chu_platform.errors import ChuError
from chu_platform.scaling.measure import measure_elasticity
from chu_platform.scaling.results import CLUSTERS, DYNAMIC, MEASUREMENTS, PROGRAM, TWO_WORKERS
from chu_platform.settings import Settings

pytestmark = pytest.mark.unit


def row(cluster: str, query: str, when: str, median: float = 10.0) -> Row:
    return {
        **dict.fromkeys(MEASUREMENTS.schema.names),
        "machine": "m", "scale": 0.1, "cluster": cluster, "query": query, "runs": 7, "median_ms": median,
        "max_ms": 12.0, "equal_rows": True, "engine_version": "4", "code": "c", "measured_at": when,
    }  # fmt: skip


def test_rows_survive_their_file_and_the_newest_stays(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "scaling.csv"
    old, new, other = (
        row("one_worker", "q", "2026-01"),
        row("one_worker", "q", "2026-02", 9.5),
        row("dynamic", "q", "2026"),
    )
    MEASUREMENTS.write(file, [new, old, other])
    assert MEASUREMENTS.read(file) == [other, new]
    assert file.read_text().startswith("# ")
    assert MEASUREMENTS.read(tmp_path / "none.csv") == []


def test_another_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "other.csv"
    file.write_text("# x\nmachine,scale\nm,many\n")
    with pytest.raises(ChuError, match="is not a file of measurements"):
        MEASUREMENTS.read(file)


def test_packaged_measurements_grow_shrink_and_find_equal_rows() -> None:
    rows = MEASUREMENTS.packaged()
    if not rows:
        pytest.skip("nothing is recorded yet: chu benchmark elasticity")
    assert all(r["equal_rows"] for r in rows)
    programs = {r["cluster"]: r for r in rows if r["query"] == PROGRAM}
    assert set(programs) <= set(CLUSTERS)
    counts = [int(part.partition(":")[2]) for part in programs[DYNAMIC]["executors"].split()]
    assert counts[0] == 0 and max(counts) == 2 and counts[-1] == 0
    if TWO_WORKERS in programs:
        assert programs[TWO_WORKERS]["executors"] == "0.0:2"


def test_a_lake_in_an_object_store_is_refused(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, lake="s3://bucket/lake")
    with pytest.raises(ChuError, match="object store"):
        measure_elasticity(settings, 1, 0, print)
