"""Runs are killed with -9: readers see the rows of before or after the run, and the next run makes all tables."""

import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from chu_platform.facts.fact_death import fact_death
from chu_platform.kpis.kpi_hospitalisation_rate import kpi_hospitalisation_rate
from chu_platform.storage.lake import SCRATCH
from chu_platform_tests.pipeline.conftest import Marked
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import digest, digests, needed_by
from chu_platform_tests.pipeline.processes import processes_of, wait_until_gone

pytestmark = pytest.mark.integration

# The reader reads these tables, at which runs are killed, and every fourth other one, and then pauses, because it would
# slow down the runs otherwise. What a kill leaves stays until the next run.
KILLED_AT = ("pseudonymised/facts/fact_death", "pseudonymised/kpis/kpi_hospitalisation_rate")
PAUSE_SECONDS = 0.5
# The server of the care database rolls back and writes a checkpoint before it ends.
END_TIMEOUT_SECONDS = 20
# The tables that the runs make: delivered and made by queries and in Python, whole, by month, by year and by period.
# Runs that make masks and published tables are killed in the system tier.
SELECTED = ("--select", "+key:kpis/kpi_hospitalisation_rate or +key:facts/fact_death")
MADE_BY_THE_RUNS = needed_by(kpi_hospitalisation_rate.exact) | needed_by(fact_death)
# Line of output at which a run is killed: both the care database and the engine are running. More moments, and while a
# delivery is read: `test_hundred_kills`.
LINE = "facts/fact_hospitalisation:"
BEFORE_THE_COMMIT = ("--select", "key:sources/deces or key:facts/fact_death")
# A program that kills itself between the writing of the files and the commit of a table, a very short moment.
DIES_BEFORE_THE_COMMIT = """
import os, signal, sys
from chu_platform.storage import commit as module
original = module._commit
def dying(lake, table, *rest):
    if f"{table.layer}/{table.name}" == "facts/fact_death":
        os.kill(os.getpid(), signal.SIGKILL)
    return original(lake, table, *rest)
module._commit = dying
from chu_platform.cli import main
main()
"""


class Watcher:
    """A reader that reads some tables repeatedly in a thread, and records the hashes of their rows."""

    def __init__(self, home: Home, folders: Sequence[str]) -> None:
        self._root = home.lake.root
        self._folders = folders
        self.seen: dict[str, set[str]] = defaultdict(set)
        self.rounds = 0
        self.errors: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _watch(self) -> None:
        while not self._stop.is_set():
            for folder in self._folders:
                try:
                    self.seen[folder].add(digest(self._root / folder))
                except Exception as error:
                    self.errors.append(f"{folder}: {error}")
                if self._stop.is_set():
                    break
            self.rounds += 1
            self._stop.wait(PAUSE_SECONDS)

    def __enter__(self) -> "Watcher":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def kill(home: Home, line: str | None, selected: Sequence[str], program: str | None = None) -> None:
    """Run the main job and kill it with -9 after a line of its output. With `program`, the program kills itself.

    Fails when one of its processes still runs after END_TIMEOUT_SECONDS.
    """
    process = home.start("materialize", *selected, program=program)
    assert process.stdout
    started: set[tuple[int, str]] = set()
    reached = False
    for printed in process.stdout:
        started |= processes_of(process.pid, home.folder)
        if line is not None and line in printed:
            reached = True
            started |= processes_of(process.pid, home.folder)
            process.kill()
            break
    assert process.wait() == -9, "the command ended before it was killed"
    assert reached or line is None
    process.stdout.close()
    remaining = wait_until_gone(started, home.folder, END_TIMEOUT_SECONDS)
    assert not remaining, f"still running after the kill: {remaining}"


@dataclass(frozen=True)
class KilledRuns:
    """A home whose runs were killed, what a reader saw, and the hashes of the tables before and after."""

    home: Home
    watcher: Watcher
    before: Mapping[str, str]
    after: Mapping[str, str]


@pytest.fixture(scope="module")
def killed_runs(
    made: Home,
    marked_pack: Path,
    marked: Marked,
    tmp_path_factory: pytest.TempPathFactory,
) -> KilledRuns:
    """The lake of one pack, for which runs with another pack were killed; the last run was not killed."""
    home = made.copy(tmp_path_factory.mktemp("killed") / "home", marked_pack)
    before, after = (digests(lake, MADE_BY_THE_RUNS) for lake in (home.lake, marked.home.lake))
    changed = [folder for folder in before if before[folder] != after[folder]]
    assert len(changed) > 8, "the packs must differ, otherwise the test is empty"
    with Watcher(home, sorted({*KILLED_AT, *changed[::4]})) as watcher:
        # This kill comes first: a later run does not commit a table again if its rows have not changed.
        kill(home, None, BEFORE_THE_COMMIT, DIES_BEFORE_THE_COMMIT)
        kill(home, LINE, SELECTED)
        home.materialize(*SELECTED)
    return KilledRuns(home, watcher, before, after)


def test_the_next_run_makes_the_same_tables_as_a_run_without_kills(killed_runs: KilledRuns) -> None:
    found = digests(killed_runs.home.lake, MADE_BY_THE_RUNS)
    assert [folder for folder, rows in killed_runs.after.items() if found[folder] != rows] == []


def test_a_reader_sees_only_the_rows_of_before_or_after(killed_runs: KilledRuns) -> None:
    watcher = killed_runs.watcher
    assert watcher.errors == []
    assert watcher.rounds > 10
    partial = {f: seen - {killed_runs.before[f], killed_runs.after[f]} for f, seen in watcher.seen.items()}
    assert {folder: seen for folder, seen in partial.items() if seen} == {}
    assert any(len(seen) == 2 for seen in watcher.seen.values())


def test_no_staged_file_is_left(killed_runs: KilledRuns) -> None:
    root = killed_runs.home.lake.root
    # Lock files remain, but the kernel has released the locks.
    left = [f for f in root.glob(f"*/{SCRATCH}/**/*") if f.is_file() and f.suffix != ".lock"]
    assert left == []
