"""The progress lines of long steps: what they say, and what they never say."""

import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from chu_platform.graph import progress
from chu_platform.graph.progress import StepProgress, report_progress
from chu_platform.storage.lake import Write

pytestmark = pytest.mark.unit


@pytest.fixture
def write(tmp_path: Path) -> Write:
    return Write(tmp_path, tmp_path, tmp_path)


def put(write: Write, megabytes: int) -> None:
    (write.rows / write.new_name("a.parquet")).write_bytes(bytes(megabytes * 10**6))


def nothing() -> float:
    raise duckdb.ConnectionException("Connection already closed")


def test_a_first_run_says_what_it_has_read_and_written(write: Write) -> None:
    shown = StepProgress("sources/deces", write)
    assert shown.line(10.2) == "sources/deces: 10 s, 0 MB written"
    put(write, 3)
    shown.watch("deces.csv", 2_033_000_000, lambda: 45.4)
    assert shown.line(20) == "sources/deces: 20 s, 45 % of 2033 MB of deces.csv read by this query, 3 MB written"


@pytest.mark.parametrize(
    ("elapsed", "said"),
    [
        (98, "about 40 s left"),
        (137, "about 1 s left"),
        (138, "longer than usual, 138 s last time"),
        (900, "longer than usual, 138 s last time"),
    ],
)
def test_the_time_left_ends_when_it_is_wrong(write: Write, elapsed: float, said: str) -> None:
    put(write, 3)
    shown = StepProgress("sources/deces", write, 138, lambda: 4 * 10**6)
    assert shown.line(elapsed) == f"sources/deces: {elapsed} s, 3 MB written (75 % of last time), {said}"


def test_a_step_that_waits_for_the_engine_says_so(write: Write) -> None:
    states = iter([True, False])
    shown = StepProgress("dimensions/dim_region", write, engine_starts=lambda: next(states))
    assert shown.line(10) == "dimensions/dim_region: 10 s, the engine is starting, 0 MB written"
    assert shown.line(20) == "dimensions/dim_region: 20 s, 0 MB written"


def test_sizes_below_a_megabyte_are_in_kilobytes(write: Write) -> None:
    shown = StepProgress("sources/iqss_2019", write)
    shown.watch("iqss.csv", 310_000, lambda: 72.0)
    assert shown.line(10) == "sources/iqss_2019: 10 s, 72 % of 310 kB of iqss.csv read by this query, 0 MB written"


@pytest.mark.parametrize("percentage", [lambda: -1.0, lambda: 100.0, nothing])
def test_a_query_without_a_known_end_has_no_percentage(write: Write, percentage: Callable[[], float]) -> None:
    shown = StepProgress("sources/deces", write)
    shown.watch("deces.csv", 10**6, percentage)
    assert shown.line(10) == "sources/deces: 10 s, 0 MB written"


def test_the_percentage_is_that_of_a_real_query(write: Write, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("a,b\n" + "".join(f"{n},{'x' * 90}\n" for n in range(300_000)), encoding="utf-8")
    lines: list[str] = []
    with duckdb.connect() as connection, pytest.MonkeyPatch.context() as patched:
        patched.setattr(progress, "INTERVAL_SECONDS", 0.01)
        connection.execute("SET threads = 1")
        connection.execute("SET enable_progress_bar = true")
        connection.execute("SET enable_progress_bar_print = false")
        shown = StepProgress("sources/rows", write)
        shown.watch("rows.csv", file.stat().st_size, connection.query_progress)
        with report_progress(lines.append, shown):
            connection.execute(f"SELECT count(DISTINCT b || a) FROM read_csv('{file}', all_varchar = true)").fetchall()
            time.sleep(0.05)
    size = round(file.stat().st_size / 10**6)
    words = f"% of {size} MB of rows.csv read by this query"
    shares = [int(line.split(", ")[1].split(" ")[0]) for line in lines if words in line]
    assert shares == sorted(shares), lines[:3]
    assert 0 < shares[-1] < 100
