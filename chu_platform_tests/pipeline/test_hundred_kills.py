"""A hundred runs are killed at random moments: readers see complete deliveries only, and no process remains."""

import random
import time
from dataclasses import replace

import pytest

from chu_platform_tests.pipeline.conftest import Marked
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import digests
from chu_platform_tests.pipeline.processes import processes_of, wait_until_gone
from chu_platform_tests.pipeline.test_killed_runs import END_TIMEOUT_SECONDS, Watcher

pytestmark = pytest.mark.system

KILLS = 100
# The register of deaths and all tables made from it: all layers, partitioned tables, a mask.
SELECTED = ("--select", "key:sources/deces+")


def test_a_hundred_killed_runs(made: Home, marked: Marked, seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The runs alternate between two deliveries, so that each run has rows to write."""
    home = made.copy(tmp_path_factory.mktemp("hundred") / "home")
    one, other = home, replace(home, pack=marked.home.pack)
    states = [digests(home.lake)]
    start = time.monotonic()
    other.materialize(*SELECTED)
    run_seconds = time.monotonic() - start
    states.append(digests(home.lake))
    changed = [folder for folder in states[0] if states[0][folder] != states[1][folder]]
    assert len(changed) >= 4, "the deliveries must differ, otherwise the test is empty"
    draw = random.Random(seed)
    killed = 0
    with Watcher(home, changed) as watcher:
        for number in range(KILLS):
            killed += kill_after(draw.uniform(0, run_seconds), (one, other)[number % 2])
        for final in (one, other):
            final.materialize(*SELECTED)
            assert digests(home.lake) == states[final is other]
    assert killed > KILLS * 0.8, "most runs must be killed before they end"
    assert watcher.errors == []
    allowed = {folder: {states[0][folder], states[1][folder]} for folder in changed}
    assert {f: seen - allowed[f] for f, seen in watcher.seen.items() if seen - allowed[f]} == {}
    assert all(watcher.seen[folder] == allowed[folder] for folder in changed)


def kill_after(seconds: float, home: Home) -> bool:
    """Start a run and kill it after some seconds; False when it has ended before. All its processes must end."""
    process = home.start("materialize", *SELECTED)
    time.sleep(seconds)
    started = processes_of(process.pid, home.folder)
    process.kill()
    status = process.wait()
    assert process.stdout
    process.stdout.close()
    remaining = wait_until_gone(started, home.folder, END_TIMEOUT_SECONDS)
    assert not remaining, f"still running after the kill: {remaining}"
    return status == -9
