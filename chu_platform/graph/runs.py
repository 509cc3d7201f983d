"""The main job: the whole graph, or a part of it, as a handful of Dagster runs in this process.

One Dagster run has one partitions definition, so a graph of several is cut into runs: each takes as many assets as
can be made with one definition once the earlier runs are done.

Here: the cut and the execution. Not here: what an asset does.
"""

import logging
import warnings
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import dagster as dg
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG, ASSET_PARTITION_RANGE_START_TAG

from chu_platform.build import build_defs
from chu_platform.errors import ChuError
from chu_platform.graph.assets import key_of
from chu_platform.graph.catalogue import catalogue
from chu_platform.graph.instance import MAIN_JOB_TAG
from chu_platform.graph.platform import Platform
from chu_platform.sources.delivered import Delivered, rejects_of
from chu_platform.sources.delivered_files import DeliveredFiles
from chu_platform.sources.files import require_pack
from chu_platform.tables.slices import Slicing
from chu_platform.tables.table import Table


@dataclass(frozen=True)
class Wave:
    """Tables that one run makes."""

    slicing: Slicing | None
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
        for slicing in dict.fromkeys(t.slicing for t in tables if t not in done):
            taken: list[Table] = []
            for table in tables:
                ready = all(n in done or n in taken or n not in wanted for n in table.needs)
                if table not in done and table.slicing is slicing and ready:
                    taken.append(table)
            after = done.union(taken)
            if taken and after not in seen:
                seen.add(after)
                queue.append((after, (*cut, Wave(slicing, taken))))
    raise AssertionError("tables that need each other in a circle are refused by the catalogue")


def run_all(
    platform: Platform,
    instance: dg.DagsterInstance,
    selection: str,
    partitions: str | None,
    say: Callable[[str], None],
) -> Sequence[Failed]:
    """Make the selected tables. Returns what failed, with causes; what depends on it was left out.

    `selection` is Dagster's asset selection syntax; `partitions` is `KEY` or `FIRST...LAST` and then only tables
    that have these keys are made. Raises ChuError for a selection or a key that means nothing.
    """
    defs = build_defs(platform)
    tables = _selected(defs, selection)
    slices = _slices(tables, partitions)
    if partitions:
        tables = [t for t in tables if t.slicing in slices]
    if any(isinstance(t.rows, Delivered) and isinstance(t.rows.reader, DeliveredFiles) for t in tables):
        require_pack(platform.settings.sources_folder)
    failed: list[Failed] = []
    broken: set[Table] = set()
    plan = waves(tables)
    for number, wave in enumerate(plan, 1):
        possible = [t for t in wave.tables if not any(n in broken for n in t.needs)]
        for table in wave.tables:
            if table not in possible:
                broken.add(table)
        if not possible:
            continue
        what = f" by {wave.slicing.name}" if wave.slicing else ""
        say(f"run {number} of {len(plan)}: {len(possible)} table{'s' if len(possible) > 1 else ''}{what}")
        failed += _run(defs, instance, possible, slices.get(wave.slicing) if wave.slicing else None)
        done = {f.asset for f in failed}
        for table in possible:
            if f"{table.layer}/{table.name}" in done or any(n in broken for n in table.needs):
                broken.add(table)
    return failed


def _selected(defs: dg.Definitions, selection: str) -> list[Table]:
    graph = defs.resolve_asset_graph()
    try:
        with warnings.catch_warnings():
            # Dagster's own use of a parameter of its that is in beta.
            warnings.filterwarnings("ignore", message="Parameter `include_sources`")
            keys = dg.AssetSelection.from_string(selection).resolve(graph)
    except (dg.DagsterError, ValueError) as error:
        raise ChuError(f"--select {selection!r}: {str(error).splitlines()[0]}") from None
    tables = [t for t in catalogue() if key_of(t) in keys]
    if not tables:
        raise ChuError(
            f"--select {selection!r} matches no table; try `*`, `group:facts` or `key:kpis/kpi_deaths_by_region`"
        )
    return tables


def _slices(tables: Sequence[Table], partitions: str | None) -> Mapping[Slicing, tuple[str, str]]:
    slicings = list(dict.fromkeys(t.slicing for t in tables if t.slicing))
    if partitions is None:
        return {s: (s.keys[0], s.keys[-1]) for s in slicings}
    first, _, last = partitions.partition("...")
    last = last or first
    found = {s: (first, last) for s in slicings if first in s.keys and last in s.keys and first <= last}
    if not found:
        if not slicings:
            raise ChuError(f"--partitions {partitions}: none of the selected tables has partitions")
        known = "; ".join(f"{s.name} {s.keys[0]}...{s.keys[-1]}" for s in slicings)
        what = "the first comes after the last" if first > last else "no such partitions"
        raise ChuError(f"--partitions {partitions}: {what}; there are {known}")
    return found


def _run(
    defs: dg.Definitions,
    instance: dg.DagsterInstance,
    tables: Sequence[Table],
    keys: tuple[str, str] | None,
) -> Sequence[Failed]:
    selection = [
        k
        for t in tables
        for k in ([key_of(t), key_of(rejects_of(t))] if isinstance(t.rows, Delivered) else [key_of(t)])
    ]
    tags = {MAIN_JOB_TAG: "true"}
    if keys:
        tags |= {ASSET_PARTITION_RANGE_START_TAG: keys[0], ASSET_PARTITION_RANGE_END_TAG: keys[1]}
    job = defs.resolve_implicit_global_asset_job_def()
    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    result = job.execute_in_process(
        instance=instance,
        asset_selection=selection,
        tags=tags,
        raise_on_error=False,
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    )
    failed = []
    for event in result.all_events:
        if event.is_step_failure:
            data = event.step_failure_data
            if data.error and data.error.cls_name == DagsterExecutionInterruptedError.__name__:
                raise KeyboardInterrupt
            cause = data.user_failure_data.description if data.user_failure_data else None
            if cause is None and data.error:
                cause = (data.error.cause or data.error).message.strip()
            failed.append(Failed((event.step_key or "?").replace("__", "/", 1), cause or "unknown"))
    if not result.success and not failed:
        failed.append(Failed("run", "the run did not finish; see it in the Dagster UI"))
    return failed
