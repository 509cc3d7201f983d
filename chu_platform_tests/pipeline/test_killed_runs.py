"""Kill -9 at any moment: readers see what was there before or what comes after, and the next run makes all good."""

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from chu_platform.lake.lake import STAGING
from chu_platform_tests.pipeline.contents import digest, digests, every_table
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.processes import processes_of, wait_until_gone

# The server of the care database rolls back and writes a checkpoint before it ends.
SECONDS_TO_END = 20
# Lines after which the command is killed, and how many seconds later.
MOMENTS = (("sources/Patient:", 0.0), ("sources/deces:", 0.2), ("facts/fact_hospitalisation:", 0.1), ("disclosure/death_mask:", 0.0))
# The moment between the move of the files and the commit, which no clock would hit: dies at the publication of a table.
DIES_BEFORE_THE_COMMIT = """
import os, signal, sys
from chu_platform.lake import publish
commit = publish._commit
def dying(lake, table, *rest):
    if f"{table.layer}/{table.name}" == "facts/fact_death":
        os.kill(os.getpid(), signal.SIGKILL)
    return commit(lake, table, *rest)
publish._commit = dying
from chu_platform.cli import main
main()
"""


class Watcher:
    """A reader that looks at every table again and again, and notes what it sees."""

    def __init__(self, home: Home) -> None:
        self._lake = home.lake
        self.seen: dict[str, set[str]] = defaultdict(set)
        self.looks = 0
        self.errors: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _watch(self) -> None:
        while not self._stop.is_set():
            for table in every_table():
                try:
                    self.seen[table.folder].add(digest(self._lake.path(table)))
                except Exception as error:
                    self.errors.append(f"{table.folder}: {error}")
                self.looks += 1
                if self._stop.is_set():
                    break
            time.sleep(0.05)

    def __enter__(self) -> "Watcher":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


@contextmanager
def killed(home: Home, line: str | None, seconds: float, program: str | None = None) -> Iterator[None]:
    """Run the main job and kill it with -9 after a line of its output; with `program`, it kills itself."""
    process = home.start("materialize", program=program)
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
    yield
    left = wait_until_gone(started, home.folder, SECONDS_TO_END)
    assert not left, f"still running after the kill: {left}"


@pytest.fixture(scope="module")
def disturbed(
    made: Home, marked_pack: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Home, Watcher, dict[str, str]]]:
    """A home made of one pack on which runs on another pack were killed; what a reader saw, and the content before."""
    home = made.copy(tmp_path_factory.mktemp("killed") / "home", marked_pack)
    before = digests(home.lake)
    with Watcher(home) as watcher:
        for line, seconds in MOMENTS:
            with killed(home, line, seconds):
                pass
        with killed(home, None, 0, DIES_BEFORE_THE_COMMIT):
            pass
        home.materialize()
    yield home, watcher, before


def test_the_next_run_makes_the_tables_of_an_undisturbed_run(
    disturbed: tuple[Home, Watcher, dict[str, str]], marked_run: tuple[Home, CompletedProcess[str]]
) -> None:
    home, _, _ = disturbed
    undisturbed, _ = marked_run
    after, expected = digests(home.lake), digests(undisturbed.lake)
    assert {folder for folder in expected if after[folder] != expected[folder]} == set()


def test_a_reader_sees_the_content_of_before_or_of_after(
    disturbed: tuple[Home, Watcher, dict[str, str]], marked_run: tuple[Home, CompletedProcess[str]]
) -> None:
    _, watcher, before = disturbed
    after = digests(marked_run[0].lake)
    assert watcher.errors == []
    assert watcher.looks > len(before), "the reader must have looked more than once"
    changed = {folder for folder in before if before[folder] != after[folder]}
    assert len(changed) > 10, "the packs must differ, or this tests nothing"
    half = {f: seen - {before[f], after[f]} for f, seen in watcher.seen.items()}
    assert {folder: seen for folder, seen in half.items() if seen} == {}
    assert any(len(seen) == 2 for seen in watcher.seen.values())


def test_nothing_half_done_is_left(disturbed: tuple[Home, Watcher, dict[str, str]]) -> None:
    home, _, _ = disturbed
    assert [f for f in home.lake.root.glob(f"*/{STAGING}/**/*") if f.is_file()] == []
