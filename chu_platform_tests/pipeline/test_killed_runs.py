"""Runs are killed with -9: readers see the rows of before or after the run, and the next run makes all tables."""

import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pytest

from chu_platform.facts.fact_death import fact_death
from chu_platform.sources.deces import deces
from chu_platform.storage.lake import SCRATCH
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import digest, digests
from chu_platform_tests.pipeline.processes import processes_of, wait_until_gone
from chu_platform_tests.pipeline.test_partition_ranges import register_with

pytestmark = pytest.mark.integration

# The tables that the runs make, delivered and by a query, and that the reader reads. A run that makes all tables of an
# indicator, masks and published tables, killed at random moments: `test_hundred_kills`.
MADE_BY_THE_RUNS = (deces, fact_death)
SELECTED = ("--select", " or ".join(f"key:{t.layer}/{t.name}" for t in MADE_BY_THE_RUNS))
# Between two looks: the reader would slow down the runs otherwise.
PAUSE_SECONDS = 0.2
# The server of the care database rolls back and writes a checkpoint before it ends.
END_TIMEOUT_SECONDS = 20
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
def killed_runs(made: Home, tmp_path_factory: pytest.TempPathFactory) -> KilledRuns:
    """The lake of one pack, for which runs with another register were killed; the last run was not killed."""
    folder = tmp_path_factory.mktemp("killed")
    years = (1975, 1999, 2018)
    pack = register_with(
        made, folder / "pack", *(f"PLUS,JEAN,1,1930-01-01,75056,PARIS,,{year}-06-01,75056,{year}" for year in years)
    )
    home, undisturbed = (made.copy(folder / name, pack) for name in ("home", "undisturbed"))
    undisturbed.materialize(*SELECTED)
    before, after = (digests(lake, MADE_BY_THE_RUNS) for lake in (home.lake, undisturbed.lake))
    assert all(before[folder] != after[folder] for folder in before), "the registers must differ"
    with Watcher(home, sorted(before)) as watcher:
        # This kill comes first: a later run does not commit a table again if its rows have not changed.
        kill(home, None, SELECTED, DIES_BEFORE_THE_COMMIT)
        # The register is committed now. This kill is while the engine starts for the facts.
        kill(home, "run 1 of 1", SELECTED)
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
