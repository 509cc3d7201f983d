"""The step that makes a table: write its rows, run its checks, commit. All tables are made by this step."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

import dagster as dg
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from chu_platform.building_blocks.reader_needs import added_needs
from chu_platform.catalogue import catalogue
from chu_platform.errors import ChuError, PermanentError, TransientError, known_cause, without_values
from chu_platform.graph.held_back import release_up_to_date
from chu_platform.graph.inputs_agree import disagreement
from chu_platform.graph.progress import StepProgress, report_progress
from chu_platform.graph.run_resources import RunResources
from chu_platform.graph.shrinkage import Shrinkage
from chu_platform.graph.step_result import DeliverySummary, StepResult
from chu_platform.graph.up_to_date import (
    MAX_SHARE,
    inputs_after,
    inputs_of,
    last_result,
    measured_outside,
    remember,
    touched_partitions,
)
from chu_platform.ingest.delivered import is_delivered, quarantine_of, rejects_of, stands_alone
from chu_platform.ingest.files import latest_credible
from chu_platform.ingest.opposed_rows import without_opposed
from chu_platform.ingest.reading import SAME_FORM, FindChanged, Reading, ReadingContext, Watch, read, watch_nothing
from chu_platform.ingest.reject_history import with_history, write_rejects
from chu_platform.storage.changed_partitions import changed_partitions, sound_identities
from chu_platform.storage.commit import commit_written
from chu_platform.storage.damage import rows_before, version_to_continue
from chu_platform.storage.edition_manifest import released_version
from chu_platform.storage.held_deliveries import HeldDeliveries
from chu_platform.storage.key_record import key_record
from chu_platform.storage.lake import Lake, Write, active_files, partition_of, size_of
from chu_platform.storage.partition_folders import values_of
from chu_platform.storage.provenance import KEY, delivery_day
from chu_platform.storage.recorded_code import record_code
from chu_platform.storage.row_identity import aggregate_partitions
from chu_platform.storage.run_checks import CheckResult, examine
from chu_platform.tables.checks import (
    COLUMNS_DECLARED,
    ENCODING_KNOWN,
    FILES_READ,
    LAST_LINE_ENDED,
    ONE_ENCODING,
    VALUES_UNDERSTOOD,
    DeliveryCounts,
)
from chu_platform.tables.partitions import PartitionRange, TouchedPartitions
from chu_platform.tables.period_sql import touched_periods
from chu_platform.tables.rows import Computed, DeliveredRows, Query
from chu_platform.tables.table import Table
from chu_platform.version import PACKAGE_VERSION

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

# Undeclared columns that a warning names.
MAX_NAMED_COLUMNS: Final = 10


class BlockingCheckFailed(PermanentError):
    """Written rows failed a blocking check and were not committed. `check_results` has the results of all checks.

    `advice` says what to do.
    """

    def __init__(self, check_results: Mapping[Table, Sequence[CheckResult]], advice: str = "") -> None:
        self.check_results = check_results
        failures = [_describe(table, [r for r in results if r.blocks]) for table, results in check_results.items()]
        kept = "nothing was committed, the last version stays"
        super().__init__("; ".join(filter(None, [*failures, kept, advice])))


def run_step(
    resources: RunResources,
    table: Table,
    partition_range: PartitionRange | None,
    run_id: str,
    instance: dg.DagsterInstance | None = None,
) -> StepResult:
    """Make the table, or the partitions of `partition_range`, in the Dagster run `run_id`, unless it is up to date.

    It is left as it was if its inputs were made from different rows of the same table (`StepResult.waits`).
    A table over periods is made in any case as far as its inputs have changed, and in the years of `partition_range`.
    `instance` is the Dagster instance of the run; only the reports read it. Raises ChuError if the table cannot be
    made; then nothing is committed, except the first version of a source that stands alone, without rows.
    """
    try:
        return _made(resources, table, partition_range, run_id, instance)
    except TransientError:
        raise
    except ChuError:
        if stands_alone(table) and resources.lake.open(table) is None:
            # A second failure would have the same cause.
            with suppress(ChuError):
                _made(resources, table, partition_range, run_id, instance, nothing=True)
        raise


def _made(
    resources: RunResources,
    table: Table,
    partition_range: PartitionRange | None,
    run_id: str,
    instance: dg.DagsterInstance | None,
    *,
    nothing: bool = False,
) -> StepResult:
    """See `run_step`. If `nothing`, a delivered table is made as if nothing was delivered."""
    begun = time.monotonic()
    lake = resources.lake
    years = None
    if table.period_scheme is not None:
        partition_range, years = None, partition_range
    versions = {t: lake.version(t) for t in table.needs}
    if table.rows.follows_editions and (released := released_version(lake.place, table)) is not None:
        versions[table] = released
    inputs = None if nothing else inputs_of(resources, table, partition_range, versions)
    touched = None if resources.force else touched_partitions(lake, table, partition_range, inputs)
    if touched is not None and years is not None and not years.whole:
        committed = map(partition_of, active_files(lake.require(table)))
        touched = replace(touched, partitions=touched.partitions | table.partitions_in(years, committed))
    if touched is not None and not touched.partitions:
        if not touched.recorded:
            remember(lake, table, inputs, touched.last)
        release_up_to_date(resources, [table])
        return touched.last
    if not resources.force and (reason := disagreement(lake, table, versions)):
        return _waiting(lake, table, reason)
    recorded = inputs_after(lake, table, partition_range, inputs)
    for output in table.outputs:
        if damaged := lake.recover(output):
            resources.warn(f"{output.folder}: {', '.join(damaged)} was unreadable and is set aside")
    try:
        with ExitStack() as stack:
            # The whole delivery is read in any case, so the table of its rejects is always written whole.
            ranges = {t: partition_range if t is table else None for t in table.outputs}
            quarantines = [quarantine_of(table)] if is_delivered(table) else []
            writes = {t: stack.enter_context(lake.writing(t)) for t in [*ranges, *quarantines]}
            last_commit = lake.provenance(table)
            if table.rows.continues:
                former = version_to_continue(lake, table, resources.log_progress)
                versions |= {table: former} if former is not None else {}
            if touched is not None and lake.version(table) != touched.last.commits[table].version:
                # Another process wrote the table before this one held its lock.
                touched = None
            is_whole = touched is None and (partition_range is None or partition_range.whole)
            progress = _progress(resources, table, writes[table], last_commit, is_whole)
            with report_progress(resources.log_progress, progress):
                partitions = touched.partitions if touched else None
                reading = write_rows(
                    resources,
                    table,
                    partition_range,
                    versions,
                    writes,
                    instance,
                    partitions,
                    progress.watch,
                    nothing=nothing,
                )
                if reading is not None:
                    partitions = reading.touched = _without_left(lake, table, writes[table], reading)
                # The rejects are always written whole.
                of_table = {t: partitions if t is table else None for t in ranges}
                shrinkage = Shrinkage.of(resources, table, last_commit, reading)
                counts = _counts(reading, len(shrinkage.held))
                if touched is not None:
                    measured_before = touched.measured
                elif partition_range is not None and not partition_range.whole and not resources.force:
                    measured_before = measured_outside(lake, table, inputs)
                else:
                    measured_before = {}
                examined = {
                    t: examine(lake, t, writes[t], ranges[t], versions, counts, of_table[t], measured_before)
                    for t in ranges
                }
            check_results = {t: examination.check_results for t, examination in examined.items()}
            of_tables = {t: examination.of_table for t, examination in examined.items()}
            _warn(resources, of_tables, reading)
            if any(r.blocks for results in check_results.values() for r in results):
                if shrinkage.held:
                    shrinkage.record(resources, table)
                raise BlockingCheckFailed(check_results, _advice(reading, shrinkage.advice(resources, table)))
            provenance = {**_provenance(table, partition_range, run_id, versions, reading), **shrinkage.metadata}
            if table.pseudonymised and (record := key_record(lake)):
                provenance[KEY] = record.key
            if reading is None:
                provenance["rows"] = {"kept": examined[table].rows}
            if partitions:
                # The others would have the same rows again: their inputs have not changed.
                provenance["made_partitions"] = partitions.predicate()
            provenance["seconds"] = round(time.monotonic() - begun, 1)
            # Before the commit, so that every version has its recorded code, also if the run is killed in between.
            record_code(lake, table)
            for quarantine in quarantines:
                # An empty quarantine is committed if it replaces the quarantine of an earlier delivery.
                if writes[quarantine].files or lake.open(quarantine):
                    commit_written(lake, quarantine, writes[quarantine], None, provenance, repair=resources.force)
            # The rejects first: if the run is killed in between, a row may be in both tables, but never in neither.
            made = {
                t: commit_written(
                    lake, t, writes[t], ranges[t], provenance, examined[t].partitions, resources.force, of_table[t]
                )
                for t in reversed(ranges)
            }
            commits = {t: made[t] for t in ranges}
    except OSError as error:
        cause = known_cause(error) or error.strerror or without_values(str(error))
        raise ChuError(f"{table.layer}/{table.name} could not be written: {cause}") from None
    delivery = DeliverySummary.of(reading) if reading else None
    if delivery and reading:
        now = {d["name"]: d["sha256"] for d in (*delivery.deliveries, *(a.metadata for a in reading.lists))}
        HeldDeliveries(lake).release(table.name, now)
    result = StepResult(commits, of_tables, time.monotonic() - begun, delivery, partial=partitions is not None)
    if reading is None or not reading.left_out:
        # Otherwise the next run tries again.
        remember(lake, table, recorded, result)
    return result


def _without_left(lake: Lake, table: Table, write: Write, reading: Reading) -> TouchedPartitions | None:
    """The partitions to commit: not those of files that could not be read, so that these keep their rows."""
    if not reading.left_partitions or lake.open(table) is None:
        return reading.touched
    committed = [partition_of(f) for f in active_files(lake.require(table))]
    written = [dict(values_of(f.parent.relative_to(write.rows).as_posix())) for f in write.files]
    return TouchedPartitions.of(p for p in [*committed, *written] if p not in reading.left_partitions)


def _waiting(lake: Lake, table: Table, reason: str) -> StepResult:
    """The result of a step that leaves its table as it was. Raises TransientError if it was not made yet."""
    last = last_result(lake, table)
    if last is None:
        raise TransientError(f"{table.layer}/{table.name} is not made: {reason}")
    return replace(last, up_to_date=False, waits=reason)


def _progress(
    resources: RunResources, table: Table, write: Write, last_commit: Mapping[str, Any], is_whole: bool
) -> StepProgress:
    """The progress of a step that begins. A step of some partitions is not compared with one of the whole table."""
    name = f"{table.layer}/{table.name}"
    progress = StepProgress(name, write, engine_starts=lambda: resources.engine_starts)
    if is_whole and last_commit:
        progress.last_seconds = last_commit.get("seconds")
        progress.last_size = lambda: size_of(resources.lake.require(table))
    return progress


def _describe(table: Table, check_results: Sequence[CheckResult]) -> str:
    """The given failed checks of a table in one text; empty if there are none."""
    descriptions = []
    for check_result in check_results:
        check = check_result.check
        deviation = f" {check.unit} break it" if check.maximum == 0 else f", not {check.allowed}"
        descriptions.append(f'"{check.condition}": {check_result.measured or 0:g}{deviation}')
    return f"{table.layer}/{table.name}: {'; '.join(descriptions)}" if descriptions else ""


def _warn(
    resources: RunResources, check_results: Mapping[Table, Sequence[CheckResult]], reading: Reading | None
) -> None:
    """Warn of failed checks that do not block: of undeclared or partly understood columns, and files in two encodings.

    Also warn of what a reading remarks on its delivery, and of files with a time in the future. Files that are not read
    are a failure if their source stands alone.
    """
    named = _named(reading) if reading else {}
    for table, results in check_results.items():
        failed = [r for r in results if not r.passed and not r.check.blocking]
        if failures := _describe(table, [r for r in failed if r.check.name not in named]):
            resources.warn(failures)
        for result in failed:
            if result.check.name == FILES_READ and stands_alone(table):
                for cause in named[FILES_READ]:
                    resources.fail(f"{table.layer}/{table.name}", f"{cause}, and its last rows stay")
            elif names := named.get(result.check.name):
                resources.warn(f"{_describe(table, [result])}: {', '.join(names)}")
    for remark in reading.remarks if reading else ():
        resources.warn(remark)
    latest = latest_credible()
    for origin in (d.origin for d in reading.deliveries) if reading else ():
        if origin.modified and origin.modified > latest:
            resources.warn(
                f"{origin.name} has a modification time in the future, {origin.modified[:10]}: it was read as usual; "
                "check the clock of its sender"
            )


def _named(reading: Reading) -> Mapping[str, Sequence[str]]:
    """What checks of the delivery count, by name of the check."""
    return {
        COLUMNS_DECLARED: _first(reading.undeclared),
        VALUES_UNDERSTOOD: reading.partly_understood,
        ONE_ENCODING: [f"{d.origin.name} ({d.lines_in_fallback} lines are not UTF-8)" for d in reading.mixed],
        ENCODING_KNOWN: [
            f"{d.origin.name} ({d.garbled} lines are neither UTF-8 nor CP1252, but perhaps CP850 or MacRoman: ask for "
            "the file in UTF-8)"
            for d in reading.garbled
        ],
        FILES_READ: [f"{f.why}; it is left out, the other files are read" for f in reading.left_out],
        LAST_LINE_ENDED: [
            f"{d.origin.name} (its last line has no line ending: its last value may be cut, ask whether it is whole)"
            for d in reading.unended
        ],
    }


def _first(names: Sequence[str]) -> Sequence[str]:
    """The first names, and how many more there are."""
    more = len(names) - MAX_NAMED_COLUMNS
    return [*map(repr, names[:MAX_NAMED_COLUMNS]), *([f"and {more} more"] if more > 0 else [])]


def _advice(reading: Reading | None, of_shrinkage: str) -> str:
    """What to do after a failed check: about columns that are not understood, and files that have shrunk."""
    columns = reading.not_understood if reading else []
    return "; ".join(filter(None, [*columns, SAME_FORM if columns else "", of_shrinkage]))


def _counts(reading: Reading | None, shrunk: int) -> DeliveryCounts:
    if reading is None:
        return DeliveryCounts()
    return DeliveryCounts(
        reading.rows_in,
        reading.kept,
        len(reading.rejects),
        len(reading.undeclared),
        shrunk=shrunk,
        withdrawn=reading.withdrawn,
        in_other_encoding=sum(d.lines_in_fallback for d in reading.mixed),
        garbled=sum(d.garbled for d in reading.garbled),
        unended=len(reading.unended),
        not_understood=len(reading.not_understood),
        partly_understood=len(reading.partly_understood),
        left_out=len(reading.left_out),
    )


def write_rows(
    resources: RunResources,
    table: Table,
    partition_range: PartitionRange | None,
    versions: Mapping[Table, int],
    writes: Mapping[Table, Write],
    instance: dg.DagsterInstance | None,
    touched: TouchedPartitions | None = None,
    watch: Watch = watch_nothing,
    *,
    nothing: bool = False,
) -> Reading | None:
    """Write the rows of the table (or of `partition_range`, or only of the partitions `touched`).

    The inputs are read at `versions`. Rejects and quarantine are written if they are in `writes`. `watch` is called
    before each delivered file. If `nothing`, no delivery is read.
    Returns the reading of a delivered table, otherwise None.
    """
    return table.rows.accept(
        _RowWriter(resources, table, partition_range, versions, writes, instance, touched, watch, nothing)
    )


@dataclass(frozen=True)
class _RowWriter:
    """Visitor that writes the rows of a table, for each kind of rows."""

    resources: RunResources
    table: Table
    partition_range: PartitionRange | None
    versions: Mapping[Table, int]
    writes: Mapping[Table, Write]
    instance: dg.DagsterInstance | None
    touched: TouchedPartitions | None
    watch: Watch
    nothing: bool

    def visit_delivered(self, _rows: DeliveredRows) -> Reading:
        """See `RowsVisitor`."""
        resources, table, writes = self.resources, self.table, self.writes
        context = ReadingContext(
            resources.settings.sources_folder,
            writes[table].scratch,
            resources.care_database,
            resources.log_progress,
            self.watch,
            nothing=self.nothing,
            oppositions=resources.oppositions,
        )
        quarantine, rejects = quarantine_of(table), rejects_of(table)
        undeclared = writes[quarantine].rows if quarantine in writes else writes[table].scratch
        # A rebuild has no table to compare with, and writes no rejects.
        find_changed = self._find_changed() if rejects in writes else None
        reading = read(table, self.partition_range, writes[table].rows, undeclared, context, find_changed)
        if rejects in writes:
            deliveries = {d.origin.name: d.origin.fingerprint for d in reading.deliveries}
            now = datetime.now(UTC).isoformat(timespec="seconds")
            current = without_opposed(
                table,
                resources.oppositions,
                rows_before(resources.lake, rejects, resources.log_progress).to_pylist(),
                itemgetter("row"),
            )
            file = writes[rejects].rows / writes[rejects].new_name("rejects.parquet")
            write_rejects(with_history(current, reading.rejects, deliveries, now), file)
        return reading

    def _find_changed(self) -> FindChanged | None:
        """A function that compares rows with the committed ones. None if they cannot be compared, or are not to be."""
        table, partition_range = self.table, self.partition_range
        if self.resources.force or (partition_range is not None and not partition_range.whole):
            return None
        before = sound_identities(self.resources.lake, table)
        if before is None:
            return None

        def find_changed(connection: duckdb.DuckDBPyConnection, relation: str) -> tuple[int, TouchedPartitions | None]:
            found = aggregate_partitions(connection, table, relation)
            after = {folder: p.identity for folder, p in found.items()}
            changed = changed_partitions(before, after)
            most = len(changed) > MAX_SHARE * len(after) or {} in changed
            return sum(p.rows for p in found.values()), None if most else TouchedPartitions.of(changed)

        return find_changed

    def visit_query(self, rows: Query) -> None:
        """See `RowsVisitor`."""
        resources, table = self.resources, self.table
        write = self.writes[table]
        if table.edition is not None:
            resources.lake.copy_rows(table.edition, self.versions[table.edition], write)
            return
        engine = resources.engine
        frames = {name: engine.read(resources.lake.place_of(t), self.versions[t]) for name, t in table.reads.items()}
        if self.touched is not None:
            rows = self._of_touched(rows, frames, self.touched)
        frame = engine.query(rows.sql, frames)
        if rows.finish is not None:
            frame = engine.finished(table, frame, rows.finish)
        # The result is filtered to the partitions, not the inputs, because a join needs all matching rows. The
        # engines push the filter down where it does not change the result.
        engine.write(engine.declared(table, frame, self._condition()), table, write.target)
        write.fetch()

    def _condition(self) -> str | None:
        """The rows of the partitions to make, as SQL; None for all rows."""
        if self.touched is not None:
            return self.touched.predicate()
        partition_range = self.partition_range
        return partition_range.predicate() if partition_range and not partition_range.whole else None

    def _of_touched(self, rows: Query, frames: "dict[str, DataFrame]", touched: TouchedPartitions) -> Query:
        """The query of the touched partitions; filters the inputs of which they need only the same partitions."""
        if rows.depends_on_periods:
            return rows.in_periods(touched_periods(touched))
        for name in self.table.derives_from:
            frames[name] = frames[name].where(touched.predicate())
        return rows

    def visit_computed(self, rows: Computed) -> None:
        """See `RowsVisitor`."""
        table, lake = self.table, self.resources.lake
        wanted = dict.fromkeys(table.derives_from, self._condition() or "true")
        loaded = {
            n: lake.arrow(t, rows.columns.get(n, ()), self.versions[t], wanted.get(n, "true"))
            for n, t in table.reads.items()
        }
        given: dict[str, Callable[[], object]] = {
            "key": lambda: self.resources.key,
            "settings": lambda: self.resources.settings,
            "instance": lambda: self.instance,
            "tables": catalogue,
            "before": lambda: rows_before(lake, table, self.resources.log_progress),
            "released": self._own_rows,
            "former": self._own_rows,
            "delivered_on": lambda: max(delivery_day(lake.place_of(t), self.versions[t]) for t in table.reads.values()),
            "needs": lambda: added_needs(self.resources.settings.needs_file),
            "oppositions": lambda: pa.Table.from_pylist(
                [asdict(entry) for entry in self.resources.oppositions.entries], table.schema
            ),
        }
        made = rows.function(**loaded, **{name: given[name]() for name in rows.given})
        _write_arrow(table, made, self.writes[table])

    def _own_rows(self) -> pa.Table:
        """The rows of the table in the version that it reads of itself; no rows before the first one."""
        if self.table not in self.versions:
            return self.table.schema.empty_table()
        return self.resources.lake.current_rows(self.table, self.versions[self.table])


def _write_arrow(table: Table, rows: pa.Table, write: Write) -> None:
    """Write rows as Parquet, in the declared columns and types."""
    schema = pa.schema([pa.field(c.name, c.type) for c in table.columns])
    typed = rows.select([c.name for c in table.columns]).cast(schema)
    if table.partition_by:
        template = write.new_name("{i}.parquet")
        pq.write_to_dataset(
            typed, write.rows, partition_cols=list(table.partition_by), basename_template=template, compression="zstd"
        )
    else:
        pq.write_table(typed, write.rows / write.new_name("rows.parquet"), compression="zstd")


def _provenance(
    table: Table,
    partition_range: PartitionRange | None,
    run_id: str,
    versions: Mapping[Table, int],
    reading: Reading | None,
) -> dict[str, Any]:
    """Metadata of a data commit: run, asset, partitions, code version, input versions, source files, row counts."""
    metadata: dict[str, Any] = {
        "run": run_id,
        "asset": f"{table.layer}/{table.name}",
        # The partition range. Existing lakes hold it under this key, so the key keeps its name.
        "slices": f"{partition_range.first}...{partition_range.last}" if partition_range else None,
        "whole": partition_range is None or partition_range.whole,
        "code_version": table.code_version,
        "package": PACKAGE_VERSION,
        "read": {t.folder: version for t, version in sorted(versions.items(), key=lambda item: item[0].folder)},
    }
    if reading:
        metadata["files"] = [d.metadata for d in reading.deliveries]
        metadata["rows"] = {
            "in": reading.rows_in,
            "kept": reading.kept,
            "rejected": len(reading.rejects),
            "withdrawn": reading.withdrawn,
        }
        metadata["lists"] = [applied.metadata for applied in reading.lists]
    return metadata
