"""Files arrive, are corrected, and processes are killed, as in six hours: nothing is stuck, every figure is right.

The real servers run on a small pack. A minute stands for ten: in each, a delivery is corrected, a file is copied again
as it was, and a process that makes tables (a run, or an engine) is killed; if there is none, a part of `chu serve`. At
the end, no run is unfinished, Dagster's storage has not grown beyond a bound for each run and each minute, and the rows
of all tables are those of a new lake that one run makes from the final deliveries.
"""

import os
import random
import shutil
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from chu_platform_tests.automation.test_serving import (
    DEATHS,
    STAYS,
    Served,
    serving,
    unfinished_runs,
)
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import digests
from chu_platform_tests.pipeline.processes import processes_of
from chu_platform_tests.pipeline.test_corrections import correct_deaths, correct_file, correct_stays

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds processes in /proc"),
]

MINUTES = 36
# Processes that make tables: launched runs, which the code server starts, and the engine.
WORKERS = ("multiprocessing.spawn import spawn_main", "spark_connect_server")
PARTS = ("chu_platform.portal ", "chu_platform.webserver ", "chu_platform.dagster_daemon ", "dagster api grpc ")
# The last corrections start runs at once. They may have to wait for others.
SETTLE_SECONDS, SECONDS_BETWEEN_LOOKS = 1200, 10
# A run stores some hundred events, each twice: one for each partition of a corrected delivery and of what follows from
# it. The daily clean-up bounds their sum (part `retention`).
MAX_BYTES_A_RUN, MAX_BYTES_A_MINUTE = 6_000_000, 100_000


def test_a_soak(made: Home, seed: int, tmp_path: Path) -> None:
    draw = random.Random(seed)
    pack = tmp_path / "pack"
    shutil.copytree(made.pack, pack)
    home = made.copy(tmp_path / "home", pack)
    begun = time.monotonic()
    killed: list[str] = []
    with home.instance() as instance, serving(home) as served:
        runs_before, bytes_before = len(instance.get_runs()), size(home)
        for minute in range(1, MINUTES + 1):
            draw.choice(CORRECTIONS)(pack, draw)
            deliver_again(pack, draw)
            time.sleep(max(0.0, begun + 60 * minute - time.monotonic() - draw.uniform(0, 45)))
            killed.append(kill_one(served, home, draw))
            time.sleep(max(0.0, begun + 60 * minute - time.monotonic()))
        for correct_one in CORRECTIONS:
            correct_one(pack, draw)
        fresh = Home(tmp_path / "fresh", pack)
        shutil.copytree(home.secrets, fresh.secrets)
        fresh.materialize()
        expected = digests(fresh.lake)
        differing = set(expected)
        deadline = time.monotonic() + SETTLE_SECONDS
        while (unfinished := unfinished_runs(instance)) or differing:
            assert time.monotonic() < deadline, f"{unfinished} runs are stuck; other rows: {sorted(differing)}"
            time.sleep(SECONDS_BETWEEN_LOOKS)
            if not unfinished:
                found = digests(home.lake)
                differing = {folder for folder in expected if found[folder] != expected[folder]}
        minutes = (time.monotonic() - begun) / 60
        runs, grown = len(instance.get_runs()) - runs_before, size(home) - bytes_before
    print(f"{runs} runs in {minutes:.0f} minutes; killed: {Counter(killed)}; storage grew by {grown / 1e6:.1f} MB")
    assert sum(name in WORKERS for name in killed) >= len(killed) / 2, "hardly any run was killed"
    assert grown < runs * MAX_BYTES_A_RUN + minutes * MAX_BYTES_A_MINUTE


def correct_stay_file(pack: Path, draw: random.Random) -> None:
    """Correct some stays."""
    correct_file(pack / STAYS, ";", correct_stays, draw)


def correct_death_file(pack: Path, draw: random.Random) -> None:
    """Correct some deaths."""
    correct_file(pack / DEATHS, ",", correct_deaths, draw)


CORRECTIONS = (correct_stay_file, correct_death_file)


def deliver_again(pack: Path, draw: random.Random) -> None:
    """Copy a file over itself, as it was."""
    file = draw.choice(sorted(f for f in pack.rglob("*.csv") if f.is_file()))
    copy = file.with_name(file.name + ".part")
    copy.write_bytes(file.read_bytes())
    copy.replace(file)


def kill_one(served: Served, home: Home, draw: random.Random) -> str:
    """Kill a process that makes tables, or a part of the servers; returns what it was."""
    pids = {pid for pid, _ in processes_of(served.process.pid, home.folder)} - {served.process.pid}
    for names in (WORKERS, PARTS):
        found = sorted((pid, name) for pid in pids for name in names if name in command_of(pid))
        if found:
            pid, name = draw.choice(found)
            os.kill(pid, signal.SIGKILL)
            return name
    return "nothing"


def command_of(pid: int) -> str:
    """The command of a process without that of a guard, which names what it guards."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace") + " "
    except OSError:
        return ""
    return "" if "guard.py " in command else command


def size(home: Home) -> int:
    """Bytes of Dagster's storage."""
    return sum(file.stat().st_size for file in (home.folder / "dagster").rglob("*") if file.is_file())
