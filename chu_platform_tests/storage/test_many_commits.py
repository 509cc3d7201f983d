"""Maintenance after 200 small commits: few files, which are read in less than half of the time."""

import time
from pathlib import Path

import duckdb
import pytest

from chu_platform.storage.lake import Lake
from chu_platform.storage.maintenance import maintain
from chu_platform_tests.storage.small_table import POLICY
from chu_platform_tests.storage.test_maintenance import ORDERED, fragmented, reduce_files

pytestmark = pytest.mark.system

COMMITS = 200


def read_seconds(lake: Lake) -> float:
    """The shortest of five times to read all rows, in seconds."""
    taken = []
    files = lake.relation(ORDERED)
    with duckdb.connect() as connection:
        for _ in range(5):
            start = time.perf_counter()
            connection.execute(f"SELECT max(code), max(name), sum(number) FROM {files}").fetchall()
            taken.append(time.perf_counter() - start)
    return min(taken)


def test_after_200_small_commits_files_are_reduced(tmp_path: Path) -> None:
    reduce_files(Lake(tmp_path / "lake"), COMMITS)


def test_after_200_small_commits_reading_takes_less_than_half(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    fragmented(lake, ORDERED, COMMITS)
    slow = read_seconds(lake)
    maintain(lake, ORDERED, POLICY, "a run")
    assert read_seconds(lake) < slow / 2
