"""The step that makes a table: rows are staged, audited, and published. Every table goes this way.

Here: the order of the three and what is recorded. Not here: how each is done.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq

from chu_platform.catalogue import catalogue
from chu_platform.errors import ChuError
from chu_platform.graph.progress import signs_of_life
from chu_platform.graph.run_resources import RunResources
from chu_platform.ingest.delivered import is_delivered, quarantine_of, rejects_of
from chu_platform.ingest.reading import Reading, ReadingContext, read
from chu_platform.ingest.rejects import with_history, write_rejects
from chu_platform.storage.commit import Published, publish
from chu_platform.storage.recorded_code import record_code
from chu_platform.storage.run_checks import CheckResult, run_checks
from chu_platform.tables.checks import CheckType, DeliveryCounts
from chu_platform.tables.partitions import PartitionRange
from chu_platform.tables.rows import Computed, DeliveredRows, Query
from chu_platform.tables.table import Table
from chu_platform.version import PACKAGE_VERSION


class BlockingCheckFailed(ChuError):
    """Staged rows break a blocking check: nothing of them was published. `check_results` are all that were found."""

    def __init__(self, check_results: Mapping[Table, Sequence[CheckResult]]) -> None:
        self.check_results = check_results
        said = [_broken(table, [v for v in found if v.blocks]) for table, found in check_results.items()]
        super().__init__(f"{'; '.join(filter(None, said))}; nothing was published, the last version stays")


@dataclass(frozen=True)
class Outcome:
    """What a step did: what it published and how the checks were found, of the table and, if it is delivered, of its
    rejects.
    """

    published: Mapping[Table, Published]
    check_results: Mapping[Table, Sequence[CheckResult]]
    seconds: float
    reading: Reading | None = None


def make(
    platform: RunResources,
    table: Table,
    partition_range: PartitionRange | None,
    run_id: str,
    instance: dg.DagsterInstance | None = None,
) -> Outcome:
    """Make the table, or its partitions, in a run of an instance (which reports on the platform itself look into).

    Raises ChuError, with nothing visible changed, when it cannot be made.
    """
    begun = time.monotonic()
    lake = platform.lake
    versions = {t: lake.version(t) for t in table.needs}
    try:
        with ExitStack() as stack:
            # Each table's own partitions: a delivery is always read whole, so its rejects are all of them.
            parts = {t: partition_range if t is table else None for t in table.outputs}
            aside = [quarantine_of(table)] if is_delivered(table) else []
            staged = {t: stack.enter_context(lake.staging(t)) / "rows" for t in [*parts, *aside]}
            for folder in staged.values():
                folder.mkdir()
            before = lake.provenance(table)
            name = f"{table.layer}/{table.name}"
            with signs_of_life(platform.say, name, staged[table], before.get("seconds")):
                reading = stage(platform, table, partition_range, versions, staged, instance)
                counts = _counts(reading)
                check_results = {t: run_checks(lake, t, staged[t], parts[t], versions, counts) for t in parts}
            _warn(platform, check_results)
            if any(v.blocks for found in check_results.values() for v in found):
                raise BlockingCheckFailed(check_results)
            provenance = _provenance(table, partition_range, run_id, versions, reading)
            if reading is None:
                provenance["rows"] = {"kept": _rows_in(staged[table])}
            provenance["seconds"] = round(time.monotonic() - begun, 1)
            # Before the commit that names it: no version is without its code, wherever a run is killed.
            record_code(lake, table)
            for quarantine in aside:
                # What was set apart of an earlier delivery goes when this one has nothing of the kind.
                if any(staged[quarantine].iterdir()) or lake.open(quarantine):
                    publish(lake, quarantine, staged[quarantine], None, provenance)
            published = {t: publish(lake, t, staged[t], parts[t], provenance) for t in parts}
    except OSError as error:
        raise ChuError(f"{table.layer}/{table.name} could not be written: {error.strerror or error}") from None
    return Outcome(published, check_results, time.monotonic() - begun, reading)


def _broken(table: Table, check_results: Sequence[CheckResult]) -> str:
    said = []
    for check_result in check_results:
        check = check_result.check
        counted = "columns" if check.kind is CheckType.DRIFT else "rows"
        beyond = f" {counted} break it" if check.maximum == 0 else f", not {check.minimum:g} to {check.maximum:g}"
        said.append(f"« {check.description} »: {check_result.measured or 0:g}{beyond}")
    return f"{table.layer}/{table.name}: {'; '.join(said)}" if said else ""


def _warn(platform: RunResources, check_results: Mapping[Table, Sequence[CheckResult]]) -> None:
    """Say which checks are broken that do not block; fewer rows than before may be a delivery cut off between lines."""
    for table, found in check_results.items():
        if said := _broken(table, [v for v in found if not v.passed and not v.check.blocking]):
            platform.say(f"WARNING {said}")


def _counts(reading: Reading | None) -> DeliveryCounts:
    if reading is None:
        return DeliveryCounts()
    return DeliveryCounts(reading.rows_in, reading.kept, len(reading.rejects), len(reading.undeclared))


def stage(
    platform: RunResources,
    table: Table,
    partition_range: PartitionRange | None,
    versions: Mapping[Table, int],
    folders: Mapping[Table, Path],
    instance: dg.DagsterInstance | None,
) -> Reading | None:
    """Write the rows of the table (its `partition_range`) below its folder in `folders`, from its inputs at `versions`.

    Rejects, and what is set apart, are kept where `folders` has a place for them. What was read, of a delivered table.
    """
    return table.rows.accept(_Stage(platform, table, partition_range, versions, folders, instance))


@dataclass(frozen=True)
class _Stage:
    """Writes the rows of a table below its folder, by their kind; gives what was read, of delivered ones."""

    platform: RunResources
    table: Table
    partition_range: PartitionRange | None
    versions: Mapping[Table, int]
    folders: Mapping[Table, Path]
    instance: dg.DagsterInstance | None

    def visit_delivered(self, _rows: DeliveredRows) -> Reading:
        """See `RowsVisitor`."""
        platform, table, folders = self.platform, self.table, self.folders
        staged = folders[table]
        scratch = staged.parent / "scratch"
        scratch.mkdir(exist_ok=True)
        context = ReadingContext(platform.settings.sources_folder, scratch, platform.care_database, platform.say)
        aside = folders.get(quarantine_of(table), scratch / "undeclared")
        aside.mkdir(exist_ok=True)
        reading = read(table, self.partition_range, staged, aside, context)
        rejects = rejects_of(table)
        if rejects in folders:
            deliveries = {d.origin.name: d.origin.fingerprint for d in reading.deliveries}
            now = datetime.now(UTC).isoformat(timespec="seconds")
            before = platform.lake.before(rejects).to_pylist()
            write_rejects(with_history(before, reading.rejects, deliveries, now), folders[rejects])
        return reading

    def visit_query(self, rows: Query) -> None:
        """See `RowsVisitor`."""
        platform, table, partition_range = self.platform, self.table, self.partition_range
        staged = self.folders[table]
        engine = platform.engine
        frames = {name: engine.read(platform.lake.path(t), self.versions[t]) for name, t in table.reads.items()}
        frame = engine.query(rows.sql, frames)
        if rows.finish is None:
            # The partitions are cut from the result, never from an input: a join must see all it would match. The
            # engines push the condition down where that changes nothing.
            condition = partition_range.predicate() if partition_range and not partition_range.whole else None
            engine.write(engine.declared(table, frame, condition), staged, table.partition_by)
        else:
            _write_arrow(table, rows.finish(engine.arrow(frame)), staged)

    def visit_computed(self, rows: Computed) -> None:
        """See `RowsVisitor`."""
        table, lake = self.table, self.platform.lake
        loaded = {n: lake.arrow(t, rows.columns.get(n, ()), self.versions[t]) for n, t in table.reads.items()}
        given: dict[str, Callable[[], object]] = {
            "settings": lambda: self.platform.settings,
            "instance": lambda: self.instance,
            "tables": catalogue,
            "before": lambda: lake.before(table),
        }
        made = rows.function(**loaded, **{name: given[name]() for name in rows.given})
        _write_arrow(table, made, self.folders[table])


def _write_arrow(table: Table, rows: pa.Table, staged: Path) -> None:
    """Rows in the declared columns and types, as Parquet below `staged`."""
    schema = pa.schema([pa.field(c.name, c.type) for c in table.columns])
    typed = rows.select([c.name for c in table.columns]).cast(schema)
    if table.partition_by:
        pq.write_to_dataset(typed, staged, partition_cols=list(table.partition_by), compression="zstd")
    else:
        pq.write_table(typed, staged / "rows.parquet", compression="zstd")


def _rows_in(folder: Path) -> int:
    return sum(pq.read_metadata(file).num_rows for file in folder.rglob("*.parquet"))


def _provenance(
    table: Table,
    partition_range: PartitionRange | None,
    run_id: str,
    versions: Mapping[Table, int],
    reading: Reading | None,
) -> dict[str, Any]:
    """What a commit says of itself: run, asset, partitions, code, versions read, files read, counts."""
    said: dict[str, Any] = {
        "run": run_id,
        "asset": f"{table.layer}/{table.name}",
        "slices": f"{partition_range.first}...{partition_range.last}" if partition_range else None,
        "whole": partition_range is None or partition_range.whole,
        "code_version": table.code_version,
        "package": PACKAGE_VERSION,
        "read": {t.folder: version for t, version in sorted(versions.items(), key=lambda item: item[0].folder)},
    }
    if reading:
        said["files"] = [d.metadata for d in reading.deliveries]
        said["rows"] = {"in": reading.rows_in, "kept": reading.kept, "rejected": len(reading.rejects)}
    return said
