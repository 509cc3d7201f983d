"""The steps of the graph, run in this process without Dagster."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from chu_platform.catalogue import catalogue
from chu_platform.graph.run_resources import RunResources
from chu_platform.graph.step import run_step
from chu_platform.graph.step_result import StepResult
from chu_platform.graph.up_to_date import tables_to_make
from chu_platform.settings import Settings
from chu_platform.tables.checks import ROW_COUNT_STEADY
from chu_platform.tables.partitions import PartitionRange
from chu_platform.tables.table import Layer, Table
from chu_platform_tests.pipeline.home import Home


@contextmanager
def resources_of(home: Home) -> Iterator[RunResources]:
    """The resources of a run with the settings of this home."""
    given: dict[str, Any] = {name.removeprefix("CHU_").lower(): value for name, value in home.settings.items()}
    settings = Settings(_env_file=None, home=home.folder, sources=home.pack, **given)
    with RunResources(settings, lambda _: None) as resources:
        yield resources


def whole(table: Table) -> PartitionRange | None:
    return table.partition_scheme.every() if table.partition_scheme else None


def make_what_changed(resources: RunResources) -> Mapping[Table, StepResult]:
    """The steps that a main job would run, without those of the reports."""
    tables = [t for t in catalogue() if t.layer is not Layer.REPORTS and not t.in_editions]
    ranges = {t.partition_scheme: t.partition_scheme.every() for t in tables if t.partition_scheme}
    return {t: run_step(resources, t, whole(t), "a run") for t in tables_to_make(resources, tables, ranges)}


def make_again(resources: RunResources, tables: Sequence[Table]) -> Mapping[Table, StepResult]:
    """The steps of these tables by force: all their rows are made, whatever has changed."""
    resources.force = True
    return {t: run_step(resources, t, whole(t), "a forced run") for t in tables}


def differing(step: StepResult, forced: StepResult) -> list[str]:
    """What a forced step of the same table has made otherwise: partitions, totals, or numbers that checks measured."""
    found = [f"partition {c} of {t.folder}" for t, commit in forced.commits.items() for c in commit.changed]
    for table, commit in step.commits.items():
        again = forced.commits[table]
        names = ("rows", "rows_by_partition", "content", "table_rows")
        found += [f"{name} of {table.folder}" for name in names if getattr(commit, name) != getattr(again, name)]
        for one, other in zip(step.check_results[table], forced.check_results[table], strict=True):
            # The row count is compared with that of the version before.
            if one.measured != other.measured and one.check.name != ROW_COUNT_STEADY:
                found.append(f"{one.check.name} of {table.folder}: {one.measured}, {other.measured}")
    return found
