"""The last whole main job as Dagster's log has it: `python -m chu_platform.committee.last_run` prints its steps.

Which steps could run at the same time follows from the tables that each needs; the critical path is the chain of steps
that takes longest, below which no number of workers brings a run.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import dagster as dg

from chu_platform.command import run_command
from chu_platform.description.described_tables import DescribedCatalogue, DescribedTable
from chu_platform.description.file import current_catalogue
from chu_platform.errors import ChuError
from chu_platform.graph.assets import EDITIONS_POOL
from chu_platform.graph.dagster_instance import GROUP_TAG, open_instance
from chu_platform.settings import load_settings
from chu_platform.storage.store import lake_root

COMMAND: Final = "python -m chu_platform.committee.last_run"
# Runs that are looked at; a main job is a few of them.
MAX_RUNS: Final = 60


@dataclass(frozen=True)
class Step:
    """A step that succeeded: its name, and when it began and ended, in seconds since the first one."""

    name: str
    start: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.end - self.start

    @property
    def layer(self) -> str:
        """The layer of the tables that it makes."""
        return self.name.split("__")[0]


@dataclass(frozen=True)
class MainJob:
    """The steps of one main job, in order of time, and the steps that each needs."""

    steps: Sequence[Step]
    needs: Mapping[str, frozenset[str]]

    @property
    def work(self) -> float:
        """Seconds of all steps together."""
        return sum(step.seconds for step in self.steps)

    @property
    def length(self) -> float:
        """Seconds from the first beginning to the last end."""
        return max(step.end for step in self.steps)

    @cached_property
    def critical_path(self) -> Sequence[Step]:
        """The chain of steps, each of which needs the one before, that takes longest."""
        by_name = {step.name: step for step in self.steps}
        best: dict[str, tuple[float, Sequence[Step]]] = {}

        def longest(name: str) -> tuple[float, Sequence[Step]]:
            if name not in best:
                before = max(
                    (longest(n) for n in self.needs.get(name, ()) if n in by_name), default=(0.0, ()), key=_first
                )
                best[name] = before[0] + by_name[name].seconds, [*before[1], by_name[name]]
            return best[name]

        return max((longest(name) for name in by_name), key=_first)[1]

    @cached_property
    def ranks(self) -> Mapping[str, int]:
        """Of each step the number of steps on the longest way to it: steps of one rank do not need each other."""
        found: dict[str, int] = {}

        def rank(name: str) -> int:
            if name not in found:
                found[name] = max((rank(n) + 1 for n in self.needs.get(name, ())), default=0)
            return found[name]

        return {step.name: rank(step.name) for step in self.steps}


def _first(found: tuple[float, Sequence[Step]]) -> float:
    return found[0]


def needed_steps(tables: Iterable[DescribedTable]) -> Mapping[str, frozenset[str]]:
    """The steps that each step needs."""
    every = list(tables)
    makes = {made: _step_of(table) for table in every for made in table.outputs if len(table.outputs) > 1}
    step = {table.identifier: makes.get(table.identifier, _step_of(table)) for table in every}
    found: dict[str, set[str]] = {name: set() for name in step.values()}
    for table in every:
        own = step[table.identifier]
        found[own] |= {step[needed] for needed in table.needs} - {own}
    return {name: frozenset(needed) for name, needed in found.items()}


def _step_of(table: DescribedTable) -> str:
    return EDITIONS_POOL if table.in_editions else f"{table.layer}__{table.name}"


def last_main_job(instance: dg.DagsterInstance, catalogue: DescribedCatalogue) -> MainJob | None:
    """The main job with the most steps among the last runs, the newest of them; None if the log has none."""
    groups: dict[str, list[Step]] = {}
    for run in instance.get_runs(limit=MAX_RUNS):
        if GROUP_TAG in run.tags:
            steps = groups.setdefault(run.tags[GROUP_TAG], [])
            for made in instance.get_run_step_stats(run.run_id):
                if made.start_time and made.end_time:
                    steps.append(Step(made.step_key, made.start_time, made.end_time))
    if not any(groups.values()):
        return None
    steps = max(groups.values(), key=len)  # the newest runs come first
    begun = min(step.start for step in steps)
    shifted = [Step(s.name, s.start - begun, s.end - begun) for s in sorted(steps, key=lambda s: s.start)]
    return MainJob(shifted, needed_steps(catalogue.tables))


def main() -> None:
    """Print the steps with their seconds, their sum, and the critical path."""
    settings = load_settings()
    with open_instance(settings) as instance:
        job = last_main_job(instance, current_catalogue(lake_root(settings), settings.work_folder))
    if job is None:
        raise ChuError("Dagster's log has no run of a main job: run `chu materialize`")
    path = {step.name for step in job.critical_path}
    for step in job.steps:
        mark = "*" if step.name in path else " "
        print(f"{mark} {step.start:8.2f} s {step.seconds:8.2f} s  rank {job.ranks[step.name]:2}  {step.name}")
    critical = sum(step.seconds for step in job.critical_path)
    print(f"{len(job.steps)} steps, {job.work:.1f} s together, {job.length:.1f} s from first to last")
    print(f"critical path (*): {len(path)} steps, {critical:.1f} s")


if __name__ == "__main__":
    run_command(main)
