"""Kill -9 at any moment: readers see what was there before or what comes after, and the next run makes all good."""

import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from chu_platform.storage.lake import STAGING
from chu_platform_tests.pipeline.conftest import Marked
from chu_platform_tests.pipeline.contents import digest, digests
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.processes import processes_of, wait_until_gone

pytestmark = pytest.mark.integration

# The server of the care database rolls back and writes a checkpoint before it ends.
SECONDS_TO_END = 20
# Lines after which the command is killed, how many seconds later, and what it was to make: all, or what leads there.
MOMENTS = (
    ("sources/Patient:", 0.0, ()),
    ("disclosure/death_mask:", 0.1, ("--select", "+key:disclosure/death_mask")),
)
BEFORE_THE_COMMIT = ("--select", "key:sources/deces or key:facts/fact_death")
# Kills the process between the move of the files and the commit of a table, a moment too short for a timer.
DIES_BEFORE_THE_COMMIT = """
import os, signal, sys
from chu_platform.storage import commit as module
commit = module._commit
def dying(lake, table, *rest):
    if f"{table.layer}/{table.name}" == "facts/fact_death":
        os.kill(os.getpid(), signal.SIGKILL)
    return commit(lake, table, *rest)
module._commit = dying
from chu_platform.cli import main
main()
"""


class Watcher:
    """A reader that looks at some tables again and again, and notes what it sees."""

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
            # It must not take the processor from what it watches.
            self._stop.wait(0.2)

    def __enter__(self) -> "Watcher":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def kill(home: Home, line: str | None, seconds: float, selected: Sequence[str], program: str | None = None) -> None:
    """Run the main job and kill it with -9 after a line of its output; with `program`, it kills itself.

    Fails when anything that it started still runs some seconds later.
    """
    process = home.start("materialize", *selected, program=program)
    assert process.stdout
    started: set[tuple[int, str]] = set()
    reached = False
    for printed in process.stdout:
        started |= processes_of(process.pid, home.folder)
        if line is not None and line in printed:
            reached = True
            time.sleep(seconds)
            started |= processes_of(process.pid, home.folder)
            process.kill()
            break
    assert process.wait() == -9, "the command ended before it was killed"
    assert reached or line is None
    process.stdout.close()
    left = wait_until_gone(started, home.folder, SECONDS_TO_END)
    assert not left, f"still running after the kill: {left}"


@dataclass(frozen=True)
class Disturbed:
    """A home on which runs were killed, what a reader saw meanwhile, and the tables before and after all of it."""

    home: Home
    watcher: Watcher
    before: Mapping[str, str]
    after: Mapping[str, str]


@pytest.fixture(scope="module")
def disturbed(
    made: Home,
    marked_pack: Path,
    marked: Marked,
    tmp_path_factory: pytest.TempPathFactory,
) -> Disturbed:
    """The lake of one pack, on which runs of another pack were killed; the last run was left in peace."""
    home = made.copy(tmp_path_factory.mktemp("killed") / "home", marked_pack)
    before, after = digests(home.lake), digests(marked.home.lake)
    changed = [folder for folder in before if before[folder] != after[folder]]
    assert len(changed) > 10, "the packs must differ, or this tests nothing"
    with Watcher(home, changed) as watcher:
        # First: what a later run finds as it should be is not committed again.
        kill(home, None, 0, BEFORE_THE_COMMIT, DIES_BEFORE_THE_COMMIT)
        for line, seconds, selected in MOMENTS:
            kill(home, line, seconds, selected)
        home.materialize()
    return Disturbed(home, watcher, before, after)


def test_the_next_run_makes_the_tables_of_an_undisturbed_run(disturbed: Disturbed) -> None:
    found = digests(disturbed.home.lake)
    assert [folder for folder in found if found[folder] != disturbed.after[folder]] == []


def test_a_reader_sees_the_content_of_before_or_of_after(disturbed: Disturbed) -> None:
    watcher = disturbed.watcher
    assert watcher.errors == []
    assert watcher.rounds > 10
    half = {f: seen - {disturbed.before[f], disturbed.after[f]} for f, seen in watcher.seen.items()}
    assert {folder: seen for folder, seen in half.items() if seen} == {}
    assert any(len(seen) == 2 for seen in watcher.seen.values())


def test_nothing_half_done_is_left(disturbed: Disturbed) -> None:
    root = disturbed.home.lake.root
    # Locks are files, which the kernel has freed.
    left = [f for f in root.glob(f"*/{STAGING}/**/*") if f.is_file() and f.suffix != ".lock"]
    assert left == []
