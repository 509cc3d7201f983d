"""The main job: makes all or some tables, as a few Dagster runs in this process.

A Dagster run can only have one partitions definition. So the graph is divided into runs: each run makes as many tables
as possible of one partition scheme and without partitions, after the runs before it. All runs of one main job have the
same tag.
"""

import logging
import re
import warnings
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import uuid4

import dagster as dg

from chu_platform.automation.build_definitions import build_defs
from chu_platform.automation.jobs import MAINTENANCE, MARTS, RELEASE, main_job_name
from chu_platform.automation.landing_job import land_files
from chu_platform.catalogue import catalogue
from chu_platform.describe_catalogue import keep_described
from chu_platform.errors import ChuError, cause_in_text
from chu_platform.graph.asset_keys import key_of
from chu_platform.graph.assets import partition_range_tags, pool_of
from chu_platform.graph.dagster_instance import GROUP_TAG, MAIN_JOB_TAG, home_identifier
from chu_platform.graph.held_back import release_up_to_date
from chu_platform.graph.mart_asset import KEY as MART_KEY
from chu_platform.graph.mart_asset import SKIPPED
from chu_platform.graph.release import edition_tables, is_settled
from chu_platform.graph.run_resources import RunResources
from chu_platform.graph.up_to_date import remember_reports, reports_are_current, tables_to_make
from chu_platform.ingest.delivered import delivered_rows, delivered_tables, stands_alone
from chu_platform.ingest.file_names import plain_name
from chu_platform.ingest.files import require_pack, scan_pack
from chu_platform.ingest.pack_contents import ambiguous_files, has_other_ending, unread_files
from chu_platform.landing.places import load_places
from chu_platform.settings import Settings
from chu_platform.storage.edition_manifest import editions
from chu_platform.tables.partitions import PartitionRange, PartitionScheme
from chu_platform.tables.table import Layer, Table

# Files that no source reads, which a warning names.
MAX_NAMED_FILES: Final = 10
# A year or a month.
PERIOD: Final = re.compile(r"\d{4}(-(0[1-9]|1[0-2]))?")


@dataclass(frozen=True)
class PlannedRun:
    """A planned Dagster run: the tables that it makes, those with partitions all of the same scheme."""

    partition_scheme: PartitionScheme | None
    tables: Sequence[Table]


@dataclass(frozen=True)
class FailedAsset:
    """An asset that could not be made, and the cause."""

    asset: str
    cause: str


def plan_runs(tables: Sequence[Table]) -> Sequence[PlannedRun]:
    """Divide `tables`, sorted by dependency, into the smallest number of runs, by breadth-first search."""
    wanted = frozenset(tables)
    queue: deque[tuple[frozenset[Table], tuple[PlannedRun, ...]]] = deque([(frozenset(), ())])
    seen: set[frozenset[Table]] = set()
    while queue:
        done, planned = queue.popleft()
        if done == wanted:
            return planned
        for partition_scheme in dict.fromkeys(t.asset_scheme for t in tables if t not in done):
            taken: list[Table] = []
            for table in tables:
                ready = all(n in done or n in taken or n not in wanted for n in table.needs)
                if table not in done and table.asset_scheme in (None, partition_scheme) and ready:
                    taken.append(table)
            after = done.union(taken)
            if any(t.asset_scheme is partition_scheme for t in taken) and after not in seen:
                seen.add(after)
                queue.append((after, (*planned, PlannedRun(partition_scheme, taken))))
    raise AssertionError("the catalogue refuses cyclic dependencies of tables")


@dataclass(frozen=True)
class _Group:
    """The Dagster runs of one command. They share `resources` and a tag with the identifier of this group."""

    resources: RunResources
    instance: dg.DagsterInstance
    defs: dg.Definitions
    identifier: str = field(default_factory=lambda: uuid4().hex[:8])

    @staticmethod
    def of(resources: RunResources, instance: dg.DagsterInstance) -> "_Group":
        """A group without runs."""
        return _Group(resources, instance, build_defs(resources))

    def run(
        self,
        job: str,
        selected: Collection[dg.AssetKey] | None = None,
        partition_range: PartitionRange | None = None,
    ) -> dg.ExecuteInProcessResult:
        """Run a job, or some of its assets, in this process. Raises KeyboardInterrupt after an interrupted run.

        Dagster itself takes no notice of an interrupt at the end of a run.
        """
        logging.getLogger("dagster").setLevel(logging.CRITICAL)
        result = self.defs.resolve_job_def(job).execute_in_process(
            instance=self.instance,
            asset_selection=None if selected is None else list(selected),
            tags={
                MAIN_JOB_TAG: home_identifier(self.resources.settings),
                GROUP_TAG: self.identifier,
                **partition_range_tags(partition_range),
            },
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
        if self.resources.interrupted:
            run = self.instance.get_run_by_id(result.run_id)
            if run and run.status is dg.DagsterRunStatus.FAILURE:  # it ended before it was marked as canceling
                self.instance.report_run_canceled(run)
            raise KeyboardInterrupt
        return result


def run_all(
    resources: RunResources,
    instance: dg.DagsterInstance,
    selection: str,
    partitions: str | None,
    log_progress: Callable[[str], None],
) -> Sequence[FailedAsset]:
    """Make the selected tables; returns the failed assets.

    Tables that depend on a failed asset are not made, except on a source that stands alone: its last version is used.

    `selection` is in Dagster's asset selection syntax. With `partitions` (`KEY` or `FIRST...LAST`, years or months),
    only these partitions of the selected tables are made, and then, whole, the selected tables without partitions that
    depend on them. Tables that are up to date are left out, unless `resources.force`.
    Reports are made last, even after failures. Maintenance only runs if nothing else is selected.
    New files are copied from servers first. Raises ChuError if the selection or the partitions match nothing, if the
    list of places is not valid, or if the key of the pseudonyms is not that of the lake.
    """
    group = _Group.of(resources, instance)
    keys = _selected(group.defs, selection)
    tables = [t for t in catalogue() if key_of(t) in keys]
    if not tables:
        maintained = [key for key in keys if key != MART_KEY]
        of_maintenance: Sequence[FailedAsset] = []
        if maintained:
            log_progress(f"run 1 of 1: {len(maintained)} assets of maintenance")
            of_maintenance = _failures(group.run(MAINTENANCE.name, maintained))
        return [*of_maintenance, *_load_marts(group, keys, log_progress)]
    _ = resources.key  # a missing key ends the job before anything is made
    ranges = _partition_ranges(tables, partitions)
    if partitions:
        tables = _affected_tables(tables, ranges)
    failed: list[FailedAsset] = []
    places = resources.settings.sources_list
    if places and any(_reads_files(t, resources.settings) for t in delivered_tables(tables)):
        load_places(places)  # a mistake in the list ends the job
        failed += _failures(group.run(land_files.name))  # after a failure, the copies that are there are read
    if any(delivered_rows(t).reader.database is None for t in delivered_tables(tables)):
        require_pack(resources.settings.sources_folder)
        warn_of_unread_files(resources)
    edition: Sequence[Table] = [t for t in tables if t.in_editions]
    tables = [t for t in tables if not t.in_editions]
    if not resources.force:
        tables = _without_up_to_date(resources, tables, ranges, log_progress)
        edition = _without_released(resources, edition, log_progress)
    not_made: set[Table] = set()
    # Failed sources that stand alone, and have a version.
    standing: set[Table] = set()
    plan = [*plan_runs([t for t in tables if t.layer is not Layer.REPORTS])]
    # All tables of an edition in one run, after all that they could be made from.
    plan += [PlannedRun(None, edition)] if edition else []
    # Reports describe the runs: they are made last and do not depend on the success of the others.
    plan += [PlannedRun(None, reports)] if (reports := [t for t in tables if t.layer is Layer.REPORTS]) else []
    for number, run in enumerate(plan, 1):
        possible: list[Table] = []
        for table in run.tables:  # sorted by dependency: one that is left out concerns those after it
            if any(n in not_made for n in table.needs):
                _skip(table, not_made, log_progress)
            else:
                possible.append(table)
                for failed_source in (n for n in table.needs if n in standing):
                    log_progress(f"{table.layer}/{table.name} is made of the last version of {failed_source.folder}")
        if run.tables is edition and len(possible) < len(edition):
            # Readers see all tables of an edition, or none.
            possible = []
        if not possible:
            continue
        what = f" by {run.partition_scheme.name}" if run.partition_scheme else ""
        log_progress(f"run {number} of {len(plan)}: {len(possible)} table{'s' if len(possible) > 1 else ''}{what}")
        selected = [key_of(made) for t in possible for made in t.outputs]
        scheme = run.partition_scheme
        partition_range = ranges.get(scheme, scheme.every()) if scheme else None
        result = group.run(main_job_name(run.partition_scheme), selected, partition_range)
        failures = _failures(result)
        failed += failures
        made = {event.step_key for event in result.all_events if event.is_step_success}
        failed_names = {f.asset for f in failures}
        # Tables that Dagster left out because a source failed in the same run that stands alone.
        again: list[Table] = []
        for table in (t for t in possible if pool_of(t) not in made):
            has_failed = f"{table.layer}/{table.name}" in failed_names
            if any(n in not_made for n in table.needs):
                _skip(table, not_made, log_progress)
            elif has_failed and stands_alone(table) and resources.lake.open(table):
                standing.add(table)
            elif not has_failed and any(n in again or (n in standing and n in possible) for n in table.needs):
                again.append(table)
            else:
                not_made.add(table)
                if not has_failed:
                    log_progress(f"left as it was: {table.layer}/{table.name}, because the run did not finish")
        if again:
            plan.insert(number, PlannedRun(run.partition_scheme, again))
    failed += [FailedAsset(table, cause) for table, cause in resources.failures]
    if not failed and {t for t in catalogue() if t.layer is Layer.REPORTS} <= {*tables}:
        remember_reports(resources)
    if is_settled(resources.lake):
        failed += _load_marts(group, keys, log_progress)
    keep_described(resources.settings)
    return failed


def _without_up_to_date(
    resources: RunResources,
    tables: Sequence[Table],
    ranges: Mapping[PartitionScheme, PartitionRange],
    log_progress: Callable[[str], None],
) -> list[Table]:
    """The tables to make: those that are not up to date, and the reports, unless nothing has changed since them."""
    data = [t for t in tables if t.layer is not Layer.REPORTS]
    wanted = tables_to_make(resources, data, ranges)
    release_up_to_date(resources, [t for t in data if t not in wanted])
    if len(wanted) < len(data):
        log_progress(f"up to date: {len(data) - len(wanted)} tables")
    reports = [t for t in tables if t.layer is Layer.REPORTS]
    if not wanted and data and reports_are_current(resources, reports):
        if reports:
            log_progress(f"up to date: {len(reports)} reports")
        return []
    return [*wanted, *reports]


def _without_released(
    resources: RunResources, edition: Sequence[Table], log_progress: Callable[[str], None]
) -> Sequence[Table]:
    """The tables of the first edition, or of one that was interrupted; none if readers see the last edition."""
    if not edition or not is_settled(resources.lake):
        return edition
    last = editions(resources.lake.place)[-1]
    log_progress(f"edition {last.number} of {last.date} stays: `chu release` makes the next one")
    return []


def release_next(
    resources: RunResources, instance: dg.DagsterInstance, log_progress: Callable[[str], None]
) -> Sequence[FailedAsset]:
    """Release the next edition of the tables as the lake has them; returns the failed assets."""
    tables = edition_tables()
    missing = next(
        (t for table in tables for t in table.needs if not t.in_editions and not resources.lake.open(t)), None
    )
    if missing:
        raise ChuError(f"{missing.folder} is not in the lake yet: run `chu materialize` first")
    log_progress(f"releasing {len(tables)} tables")
    group = _Group.of(resources, instance)
    failed = _failures(group.run(RELEASE.name, [key_of(t) for t in tables]))
    return failed or _load_marts(group, [MART_KEY], log_progress)


def _load_marts(
    group: _Group, keys: Collection[dg.AssetKey], log_progress: Callable[[str], None]
) -> Sequence[FailedAsset]:
    """Load the marts if they are among the assets; returns the failed asset. If they are off, that is logged."""
    if MART_KEY not in keys:
        return []
    if not group.resources.settings.marts:
        log_progress(SKIPPED)
        return []
    return _failures(group.run(MARTS.name))


def _skip(table: Table, not_made: set[Table], log_progress: Callable[[str], None]) -> None:
    """Add a table to `not_made`, and log which tables that it needs were not made."""
    missing = ", ".join(sorted(f"{n.layer}/{n.name}" for n in table.needs if n in not_made))
    log_progress(f"left as it was: {table.layer}/{table.name}, which needs {missing}")
    not_made.add(table)


def _selected(defs: dg.Definitions, selection: str) -> Collection[dg.AssetKey]:
    graph = defs.resolve_asset_graph()
    try:
        with warnings.catch_warnings():
            # Dagster itself uses this parameter, which is in beta.
            warnings.filterwarnings("ignore", message="Parameter `include_sources`")
            keys = dg.AssetSelection.from_string(selection).resolve(graph)
    except (dg.DagsterError, ValueError) as error:
        raise ChuError(f"--select {selection!r}: {str(error).splitlines()[0]}") from None
    if not keys:
        raise ChuError(
            f"--select {selection!r} matches no table; try `*`, `group:facts` or `key:kpis/kpi_deaths_by_region`"
        )
    return keys


def _partition_ranges(tables: Sequence[Table], partitions: str | None) -> Mapping[PartitionScheme, PartitionRange]:
    schemes = list(dict.fromkeys(t.asset_scheme for t in tables if t.asset_scheme))
    if partitions is None:
        return {s: s.every() for s in schemes}
    if not schemes:
        raise ChuError(f"--partitions {partitions}: none of the selected tables has partitions")
    first, _, last = partitions.partition("...")
    last = last or first
    valid = all(PERIOD.fullmatch(key) for key in (first, last))
    reversed_ = valid and first[: len(last)] > last[: len(first)]
    overlapping = {s: s.within(first, last) for s in schemes} if valid and not reversed_ else {}
    ranges = {scheme: partition_range for scheme, partition_range in overlapping.items() if partition_range}
    if not ranges:
        known = "; ".join(f"{s.name} {s.keys[0]}...{s.keys[-1]}" for s in schemes)
        problem = "the first comes after the last" if reversed_ else "no such partitions"
        raise ChuError(f"--partitions {partitions}: {problem}; there are {known}")
    return ranges


def _affected_tables(tables: Sequence[Table], ranges: Mapping[PartitionScheme, PartitionRange]) -> list[Table]:
    """The tables with these partitions, those without or over periods that depend on them, and the reports."""
    taken: list[Table] = []
    for table in tables:  # sorted by dependency
        depends = table.layer is Layer.REPORTS or any(n in taken for n in table.needs)
        if table.asset_scheme in ranges or (table.partition_scheme is None and depends):
            taken.append(table)
    return taken


def warn_of_unread_files(resources: RunResources) -> None:
    """Warn of delivered files with data that no source table reads, or several: their names are not known or clear."""
    pack = resources.settings.sources_folder
    scan = scan_pack(pack)
    for file, sources in ambiguous_files(scan, catalogue()).items():
        name = file.relative_to(pack).as_posix()
        resources.warn(f"{name} has a name of several sources, which all read it: {', '.join(sources)}; rename it")
    unread = [file.relative_to(pack).as_posix() for file in unread_files(scan, catalogue())]
    of_other_ending = [name for name in unread if has_other_ending(name, catalogue())]
    for names, why in (
        ([name for name in unread if name not in of_other_ending], "whose names are not known"),
        (of_other_ending, "whose names are known, but with another ending; save them as CSV"),
    ):
        if names:
            more = len(names) - MAX_NAMED_FILES
            listed = ", ".join([*names[:MAX_NAMED_FILES], *([f"and {more} more"] if more > 0 else [])])
            resources.warn(f"no source table reads these delivered files, {why}: {listed}")
    for name in unread:
        if "opposition" in plain_name(name):
            resources.warn(
                f"{name} may be an opposition list, but is NOT read: the deaths in it are published; deliver it as "
                "fichier-opposition-deces.csv (a workbook: save it as CSV)"
            )


def _reads_files(table: Table, settings: Settings) -> bool:
    """Whether a delivered table is read from files, the dump included."""
    return delivered_rows(table).reader.database is None or settings.postgres_url is None


def _failures(result: dg.ExecuteInProcessResult) -> Sequence[FailedAsset]:
    """The failed steps of a run."""
    failed = []
    for event in result.all_events:
        if event.is_step_failure:
            data = event.step_failure_data
            cause = data.user_failure_data.description if data.user_failure_data else None
            if cause is None and data.error:
                cause = (data.error.cause or data.error).message.strip()
            failed.append(FailedAsset((event.step_key or "?").replace("__", "/", 1), cause or "unknown"))
    if not result.success and not failed:
        failed.append(FailedAsset("run", f"the run did not finish{_run_error(result)}"))
    return failed


def _run_error(result: dg.ExecuteInProcessResult) -> str:
    """The error that ended a run outside its steps: a known cause, or its class in brackets and where to look."""
    ends = [e.job_failure_data for e in result.all_events if e.event_type is dg.DagsterEventType.RUN_FAILURE]
    errors = [end.error for end in ends if end.error]
    known = next(filter(None, (cause_in_text(e.cls_name or "", e.message) for e in errors)), None)
    return f": {known}" if known else "".join(f" ({e.cls_name})" for e in errors) + "; see it in the Dagster UI"
