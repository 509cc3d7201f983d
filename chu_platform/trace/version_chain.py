"""The chain of a table version: which versions of which tables it was made of, as its commits say.

Here: walking the recorded versions back to the deliveries. Not here: which rows of them made a figure (evidence).
"""

import os
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from chu_platform.catalogue import catalogue
from chu_platform.errors import ChuError
from chu_platform.storage.commit_log import commits
from chu_platform.storage.lake import Lake
from chu_platform.storage.provenance import data_commits
from chu_platform.tables.table import Layer, Table


@dataclass(frozen=True)
class Step:
    """A table at a version, and what the data_commits say that made its rows, the newest first.

    `time` is that of the commit, as text. `closed` tells that the zone may not be read by whoever asks.
    """

    table: Table
    version: int
    data_commits: Sequence[Mapping[str, Any]]
    time: str
    closed: bool = False

    @property
    def name(self) -> str:
        """What the step is called."""
        return f"{self.table.folder}@{self.version}"


@dataclass(frozen=True)
class Chain:
    """A table version and all it was made of, each after what read it."""

    steps: Sequence[Step]

    def has(self, table: Table) -> bool:
        """Whether a table is in the chain."""
        return any(s.table is table for s in self.steps)

    def at(self, table: Table) -> int:
        """The version of a table in the chain. Raises ChuError when it is not in it.

        Of several, that which the facts have read, and of these the newest: a dimension may have been made later, of
        rows that no figure counts yet.
        """
        found = [s.version for s in self.steps if s.table is table]
        if not found:
            raise ChuError(f"{table.folder} is not among what {self.steps[0].name} says it was made of")
        facts = [s for s in self.steps if s.table.layer is Layer.FACTS and table in s.table.reads.values()]
        reads = [said.get("read", {}) for s in facts for said in s.data_commits]
        counted = [read[table.folder] for read in reads if table.folder in read]
        return max(counted or found)

    def step(self, table: Table) -> Step:
        """The step of a table at that version."""
        version = self.at(table)
        return next(s for s in self.steps if s.table is table and s.version == version)


@cache
def tables_by_folder() -> Mapping[str, Table]:
    """Every table of the platform, rejects included, by its folder below the lake."""
    return {t.folder: t for table in catalogue() for t in table.outputs}


def find_table(name: str) -> Table:
    """The table called by its folder in the lake or by its asset. Raises ChuError when there is none."""
    folders = tables_by_folder()
    name = name.strip("/")
    found = folders.get(name) or next((t for t in folders.values() if f"{t.layer}/{t.name}" == name), None)
    if found is None:
        alike = sorted(f for f in folders if name.rpartition("/")[2] in f.rpartition("/")[2])[:3]
        hint = f"; is it {' or '.join(alike)}?" if alike else ": write it as published/kpis/kpi_deaths_by_region"
        raise ChuError(f"there is no table {name!r}{hint}")
    return found


def version_of(lake: Lake, table: Table, asked: int | None) -> int:
    """The version asked for, or that of now. Raises ChuError when there is no such version."""
    now = lake.version(table)
    if asked is not None and not 0 <= asked <= now:
        raise ChuError(f"{table.folder} has no version {asked}: its versions go to {now}")
    return now if asked is None else asked


def chain_of(lake: Lake, table: Table, version: int) -> Chain:
    """The chain of a table version. What a rule only refers to is not followed: no row came from it."""
    steps: dict[tuple[Table, int], Step] = {}
    pending = deque([(table, version)])
    while pending:
        at = pending.popleft()
        if at in steps:
            continue
        step = steps[at] = step_of(lake, *at)
        for publication in step.data_commits:
            for read in step.table.reads.values():
                if (number := publication.get("read", {}).get(read.folder)) is not None:
                    pending.append((read, number))
    return Chain(list(steps.values()))


def step_of(lake: Lake, table: Table, version: int) -> Step:
    """What is recorded of one table version."""
    path = lake.path(table)
    if not os.access(path, os.R_OK | os.X_OK):
        return Step(table, version, [], "", closed=True)
    commit = next(commits(path, version), None)
    time = f"{commit.time:%Y-%m-%d %H:%M:%S}" if commit and commit.time and commit.version == version else ""
    return Step(table, version, list(data_commits(path, version)), time)
