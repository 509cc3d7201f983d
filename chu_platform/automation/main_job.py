"""The main job: the whole graph, or a part of it, as a handful of Dagster runs in this process.

One Dagster run has one partitions definition, so a graph of several is cut into runs: each takes as many assets as
can be made with one definition once the earlier runs are done.

Here: the cut and the execution. Not here: what an asset does.
"""

import logging
import re
import warnings
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import dagster as dg

from chu_platform.automation.definitions import build_defs
from chu_platform.catalogue import catalogue
from chu_platform.describe import keep_described
from chu_platform.errors import ChuError
from chu_platform.graph.assets import key_of, partition_range_tags
from chu_platform.graph.dagster_instance import MAIN_JOB_TAG
from chu_platform.graph.run_resources import RunResources
from chu_platform.ingest.delivered import delivered_rows, delivered_tables
from chu_platform.ingest.files import require_pack
from chu_platform.tables.partitions import PartitionRange, PartitionScheme
from chu_platform.tables.table import Layer, Table

# A year or a month.
PERIOD: Final = re.compile(r"\d{4}(-(0[1-9]|1[0-2]))?")


@dataclass(frozen=True)
class Wave:
    """Tables that one run makes."""

    partition_scheme: PartitionScheme | None
    tables: Sequence[Table]


@dataclass(frozen=True)
class Failed:
    """An asset that could not be made, and why."""

    asset: str
    cause: str


def waves(tables: Sequence[Table]) -> Sequence[Wave]:
    """Cut tables (each after those it needs) into the fewest runs: breadth-first search over what comes next."""
    wanted = frozenset(tables)
    queue: deque[tuple[frozenset[Table], tuple[Wave, ...]]] = deque([(frozenset(), ())])
    seen: set[frozenset[Table]] = set()
    while queue:
        done, cut = queue.popleft()
        if done == wanted:
            return cut
        for partition_scheme in dict.fromkeys(t.partition_scheme for t in tables if t not in done):
            taken: list[Table] = []
            for table in tables:
                ready = all(n in done or n in taken or n not in wanted for n in table.needs)
                if table not in done and table.partition_scheme is partition_scheme and ready:
                    taken.append(table)
            after = done.union(taken)
            if taken and after not in seen:
                seen.add(after)
                queue.append((after, (*cut, Wave(partition_scheme, taken))))
    raise AssertionError("tables that need each other in a circle are refused by the catalogue")


def run_all(
    platform: RunResources,
    instance: dg.DagsterInstance,
    selection: str,
    partitions: str | None,
    say: Callable[[str], None],
) -> Sequence[Failed]:
    """Make the selected tables. Returns what failed, with causes; what depends on it was left out.

    `selection` is Dagster's asset selection syntax. With `partitions` (`KEY` or `FIRST...LAST`, years or months), only
    these partitions of the selected tables are made, and, whole and once, what follows from them. Reports come last,
    also when something failed. Maintenance runs only when nothing else is selected. Raises ChuError for a selection
    or a key that matches nothing.
    """
    defs = build_defs(platform)
    keys = _selected(defs, selection)
    tables = [t for t in catalogue() if key_of(t) in keys]
    if not tables:
        say(f"run 1 of 1: {len(keys)} assets of maintenance")
        return _run(defs, instance, keys, None)
    partition_range = _slices(tables, partitions)
    if partitions:
        tables = _following(tables, partition_range)
    if any(delivered_rows(t).reader.database is None for t in delivered_tables(tables)):
        require_pack(platform.settings.sources_folder)
    failed: list[Failed] = []
    broken: set[Table] = set()
    plan = [*waves([t for t in tables if t.layer is not Layer.REPORTS])]
    # Reports tell how the runs went: nothing hinders them, and they come last.
    plan += [Wave(None, reports)] if (reports := [t for t in tables if t.layer is Layer.REPORTS]) else []
    for number, wave in enumerate(plan, 1):
        possible = [t for t in wave.tables if not any(n in broken for n in t.needs)]
        for table in wave.tables:
            if table not in possible:
                _leave_out(table, broken, say)
        if not possible:
            continue
        what = f" by {wave.partition_scheme.name}" if wave.partition_scheme else ""
        say(f"run {number} of {len(plan)}: {len(possible)} table{'s' if len(possible) > 1 else ''}{what}")
        selected = [key_of(made) for t in possible for made in t.outputs]
        failed += _run(
            defs, instance, selected, partition_range.get(wave.partition_scheme) if wave.partition_scheme else None
        )
        done = {f.asset for f in failed}
        for table in possible:
            if f"{table.layer}/{table.name}" in done:
                broken.add(table)
            elif any(n in broken for n in table.needs):
                _leave_out(table, broken, say)
    keep_described(platform.settings)
    return failed


def _leave_out(table: Table, broken: set[Table], say: Callable[[str], None]) -> None:
    """Say that a table was not made, and because of which it needs."""
    missing = ", ".join(sorted(f"{n.layer}/{n.name}" for n in table.needs if n in broken))
    say(f"left as it was: {table.layer}/{table.name}, which needs {missing}")
    broken.add(table)


def _selected(defs: dg.Definitions, selection: str) -> Collection[dg.AssetKey]:
    graph = defs.resolve_asset_graph()
    try:
        with warnings.catch_warnings():
            # Dagster's own use of a parameter of its that is in beta.
            warnings.filterwarnings("ignore", message="Parameter `include_sources`")
            keys = dg.AssetSelection.from_string(selection).resolve(graph)
    except (dg.DagsterError, ValueError) as error:
        raise ChuError(f"--select {selection!r}: {str(error).splitlines()[0]}") from None
    if not keys:
        raise ChuError(
            f"--select {selection!r} matches no table; try `*`, `group:facts` or `key:kpis/kpi_deaths_by_region`"
        )
    return keys


def _slices(tables: Sequence[Table], partitions: str | None) -> Mapping[PartitionScheme, PartitionRange]:
    slicings = list(dict.fromkeys(t.partition_scheme for t in tables if t.partition_scheme))
    if partitions is None:
        return {s: s.every() for s in slicings}
    if not slicings:
        raise ChuError(f"--partitions {partitions}: none of the selected tables has partitions")
    first, _, last = partitions.partition("...")
    last = last or first
    plain = all(PERIOD.fullmatch(key) for key in (first, last))
    reversed_ = plain and first[: len(last)] > last[: len(first)]
    touched = {s: s.within(first, last) for s in slicings} if plain and not reversed_ else {}
    found = {
        partition_scheme: partition_range for partition_scheme, partition_range in touched.items() if partition_range
    }
    if not found:
        known = "; ".join(f"{s.name} {s.keys[0]}...{s.keys[-1]}" for s in slicings)
        what = "the first comes after the last" if reversed_ else "no such partitions"
        raise ChuError(f"--partitions {partitions}: {what}; there are {known}")
    return found


def _following(tables: Sequence[Table], partition_range: Mapping[PartitionScheme, PartitionRange]) -> list[Table]:
    """The tables of these partitions, those without partitions that follow from one of them, and the reports."""
    taken: list[Table] = []
    for table in tables:  # each after those it needs
        follows = table.layer is Layer.REPORTS or any(n in taken for n in table.needs)
        if table.partition_scheme in partition_range or (table.partition_scheme is None and follows):
            taken.append(table)
    return taken


def _run(
    defs: dg.Definitions,
    instance: dg.DagsterInstance,
    selected: Collection[dg.AssetKey],
    partition_range: PartitionRange | None,
) -> Sequence[Failed]:
    tags = {MAIN_JOB_TAG: "true"}
    tags |= partition_range_tags(partition_range)
    job = defs.resolve_implicit_global_asset_job_def()
    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    result = job.execute_in_process(
        instance=instance,
        asset_selection=list(selected),
        tags=tags,
        raise_on_error=False,
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    )
    failed = []
    for event in result.all_events:
        if event.is_step_failure:
            data = event.step_failure_data
            if data.error and data.error.cls_name == dg.DagsterExecutionInterruptedError.__name__:
                raise KeyboardInterrupt
            cause = data.user_failure_data.description if data.user_failure_data else None
            if cause is None and data.error:
                cause = (data.error.cause or data.error).message.strip()
            failed.append(Failed((event.step_key or "?").replace("__", "/", 1), cause or "unknown"))
    if not result.success and not failed:
        failed.append(Failed("run", f"the run did not finish{_why(result)}; see it in the Dagster UI"))
    return failed


def _why(result: dg.ExecuteInProcessResult) -> str:
    """Which error, if any, has ended a run outside its steps: Dagster's own; its words are in the UI."""
    ends = [e.job_failure_data for e in result.all_events if e.event_type is dg.DagsterEventType.RUN_FAILURE]
    return "".join(f" ({end.error.cls_name})" for end in ends if end.error)
