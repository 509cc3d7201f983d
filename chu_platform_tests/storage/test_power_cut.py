"""A power cut at any flush: a reader sees old or new rows, and the next run gives the rows of an undisturbed one.

What a power cut leaves is simulated in copies of the lake, made before each call of `fsync` and at the end. A file that
was not flushed since it was written may be whole or empty, and its name may be lost if a folder above it was not
flushed.
"""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from chu_platform.graph.run_resources import RunResources
from chu_platform.graph.step import run_step
from chu_platform.settings import Settings
from chu_platform.storage.damage import damage_of
from chu_platform.storage.lake import DamagedLog, Lake
from chu_platform.tables.rows import Computed
from chu_platform.tables.table import Table
from chu_platform_tests.storage.small_table import rows_of, visits

BEFORE: Final = {"2017": ["a", "b"], "2018": ["c"]}
AFTER: Final = {"2017": ["a", "b"], "2018": ["x", "y"], "2019": ["z"]}
DAMAGED: Final = "damaged"

# What happens to files whose content was not flushed: `True` for a file of the log.
Loss = Callable[[bool], str]
LOSSES: Final[dict[str, Loss]] = {
    "nothing is lost, as after a kill": lambda _: "whole",
    "contents are lost": lambda _: "empty",
    "names are lost": lambda _: "lost",
    "contents of rows are lost, commits are not": lambda is_log: "whole" if is_log else "empty",
    "commits are lost, rows are not": lambda is_log: "empty" if is_log else "whole",
}


@dataclass
class Disk:
    """Files below `root`, and what was flushed of them. Copies are made in the folder `copies` at each flush.

    `flushed` holds inode and time of flushed files, `named` the files and folders whose entry is on the disk, and
    `moments` each copy, with the files in it of which the content, or the name, is not on the disk.
    """

    root: Path
    copies: Path
    flushed: set[tuple[int, int]] = field(default_factory=set)
    named: set[Path] = field(default_factory=set)
    moments: list[tuple[Path, frozenset[Path], frozenset[Path]]] = field(default_factory=list)

    def entries(self) -> list[Path]:
        return [self.root, *self.root.rglob("*")] if self.root.exists() else []

    def begin(self) -> None:
        """All that exists is on the disk."""
        self.flushed = {self._state(entry) for entry in self.entries()}
        self.named = set(self.entries())

    def record(self) -> None:
        """Copy the lake as it is now."""
        copy = self.copies / str(len(self.moments))
        shutil.copytree(self.root, copy)
        found = [f for f in self.entries() if f.is_file()]
        contents = frozenset(f.relative_to(self.root) for f in found if self._state(f) not in self.flushed)
        names = frozenset(f.relative_to(self.root) for f in found if not self._is_named(f))
        self.moments.append((copy, contents, names))

    def fsync(self, descriptor: int) -> None:
        self.record()
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if path.is_dir():
            self.named |= {f for f in self.entries() if f.parent == path}
        else:
            self.flushed.add(self._state(path))

    def _is_named(self, file: Path) -> bool:
        folders = [folder for folder in file.parents if folder.is_relative_to(self.root) and folder != self.root]
        return self.named.issuperset({file, *folders})

    @staticmethod
    def _state(file: Path) -> tuple[int, int]:
        status = file.stat()
        return status.st_ino, status.st_mtime_ns


def cut(copy: Path, contents: frozenset[Path], names: frozenset[Path], loss: Loss) -> bool:
    """Lose what was not flushed in a copy of the lake; returns whether anything was."""
    changed = False
    for name in contents | names:
        happens = loss("_delta_log" in name.parts)
        file = copy / name
        if happens == "lost" and name in names:
            file.unlink()
            changed = True
        elif happens != "whole" and name in contents and file.stat().st_size:
            file.write_bytes(b"")
            changed = True
    return changed


def table_of(rows: dict[str, list[str]]) -> Table:
    return visits(rows=Computed(lambda: rows_of(rows)))


def run(home: Path, rows: dict[str, list[str]]) -> None:
    """One step of the table, as in a run of its own."""
    with RunResources(Settings(_env_file=None, home=home), lambda _: None, force=False) as resources:
        table = table_of(rows)
        run_step(resources, table, table.partition_scheme.every() if table.partition_scheme else None, "a run")


def codes(lake: Lake) -> list[str] | str | None:
    """What a reader sees: the codes; None if the table does not exist; DAMAGED if it is told that the log is."""
    try:
        return sorted(lake.arrow(visits())["code"].to_pylist()) if lake.open(visits()) else None
    except DamagedLog:
        return DAMAGED


def listed(rows: dict[str, list[str]]) -> list[str]:
    return sorted(code for part in rows.values() for code in part)


@pytest.mark.parametrize(
    "new",
    [pytest.param(True, marks=pytest.mark.integration), pytest.param(False, marks=pytest.mark.system)],
    ids=["new lake", "next version"],
)
def test_a_power_cut_loses_no_row_and_shows_no_half_written_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new: bool
) -> None:
    home = tmp_path / "home"
    disk = Disk(home / "lake", tmp_path / "copies")
    if not new:
        run(home, BEFORE)
    disk.begin()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", disk.fsync)
        run(home, AFTER)
    disk.record()
    assert len(disk.moments) > 10, "the step must flush files and folders"
    _, contents, names = disk.moments[-1]
    # Without `.made`, a table is made again once more.
    volatile = {n for n in contents | names if not {".staging", ".made"}.intersection(n.parts)}
    assert volatile == set(), "all is on the disk when the run says that it is done"
    may_be_seen = [None if new else listed(BEFORE), listed(AFTER), DAMAGED]
    tried = refused = 0
    for copy, contents, names in disk.moments:
        for number, loss in enumerate(LOSSES.values()):
            after_cut = tmp_path / f"{copy.name}-{number}"
            shutil.copytree(copy, after_cut / "lake")
            if not cut(after_cut / "lake", contents, names, loss) and number:
                shutil.rmtree(after_cut)
                continue
            tried += 1
            lake = Lake(after_cut / "lake")
            seen = codes(lake)
            assert seen in may_be_seen
            refused += seen == DAMAGED
            run(after_cut, AFTER)
            assert codes(lake) == listed(AFTER)
            assert damage_of(lake, visits()) == []
            shutil.rmtree(after_cut)
    assert tried > 2 * len(disk.moments) and refused
