"""Measures the evidence queries on every layout and engine, and keeps what is measured after each of them.

A cell is a query on a layout and an engine. Its time counts only if its rows are those that DuckDB finds in the lake.

- Cold: the files of the tables, with their logs, have left the cache of the operating system; the tables are opened
  anew, and that time counts. The process of the engine stays, with its code, as does what Spark knows of a log.
- Warm: the same query again on the opened tables, after one run that does not count.
"""

import hashlib
import json
import math
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any, Final

import duckdb
import pyarrow as pa

from chu_platform.building_blocks.measurement_file import Row
from chu_platform.errors import ChuError
from chu_platform.facts.fact_death import fact_death
from chu_platform.layouts.copies import Source, in_place, written
from chu_platform.layouts.declarations import PLATFORM, ComparedLayout, Kind, layouts_named
from chu_platform.layouts.engines import BenchmarkedEngine, PlatformEngine, Spark, engines_named
from chu_platform.layouts.intervals import median_interval
from chu_platform.layouts.machine import Activity, activity, drop_from_cache, files_below, machine_text
from chu_platform.layouts.pruning import kept_files
from chu_platform.layouts.queries import Chosen, EvidenceQuery, Value, queries_named
from chu_platform.layouts.results import COLD, FULL_SIZE, MEASUREMENTS, WARM, results_file
from chu_platform.settings import PROJECT, Settings
from chu_platform.storage.file_lock import Locked, file_lock
from chu_platform.storage.lake import Lake
from chu_platform.storage.lake_format import require_known_format
from chu_platform.storage.store import lake_root
from chu_platform.storage.store_path import StorePath
from chu_platform.tables.table import Table
from chu_platform.version import PACKAGE_VERSION

# Digits of a number with a fractional part that all engines agree on, whatever the order of their sums is.
DIGITS: Final = 9
SHOWN_DIGITS: Final = 3


@dataclass(frozen=True)
class Request:
    """What to measure: names of layouts, engines and queries (none: all), and the number of runs of each state.

    Also measured again is what was measured while other processes took more than `most_others` of the machine.
    """

    layouts: Sequence[str] = ()
    engines: Sequence[str] = ()
    queries: Sequence[str] = ()
    runs: int = 7
    most_others: float = 1.0


@dataclass(frozen=True)
class Outcome:
    """How many cells have results now, and what went wrong or was left out, one line each."""

    cells: int
    failures: Sequence[str]
    left_out: Sequence[str]
    file: Path


@dataclass(frozen=True)
class Cell:
    """A query on a layout and an engine."""

    layout: ComparedLayout
    engine: BenchmarkedEngine
    query: EvidenceQuery

    def __str__(self) -> str:
        return f"{self.query.name} on {self.layout.name} by {self.engine.name}"


@dataclass(frozen=True)
class Times:
    """The measured runs of one state: seconds, bytes read from disks, whether all files had left the cache.

    `meanwhile` is the activity of the machine before and after them, where the kernel counts it.
    """

    seconds: Sequence[float]
    disk_bytes: Sequence[int]
    left_cache: bool | None
    meanwhile: tuple[Activity, Activity] | None

    @property
    def others(self) -> float | None:
        """The share of the machine that other processes took."""
        return self.meanwhile[1].others_since(self.meanwhile[0]) if self.meanwhile else None

    @property
    def cpu_seconds(self) -> float | None:
        """CPU seconds of a run, on average, of this process and its descendants."""
        return (self.meanwhile[1].own - self.meanwhile[0].own) / len(self.seconds) if self.meanwhile else None


def measure_layouts(settings: Settings, request: Request, log_progress: Callable[[str], None]) -> Outcome:
    """Measure what has no result yet for the present rows, and return how it went.

    Raises ChuError for an unknown name, a lake in an object store, a missing table, or another benchmark at work.
    """
    layouts, queries = layouts_named(request.layouts), queries_named(request.queries)
    engines = engines_named(request.engines, settings)
    root = lake_root(settings)
    if isinstance(root, StorePath):
        raise ChuError("layouts are measured in a folder: set CHU_LAKE to a copy of the lake on this machine")
    require_known_format(root)
    file = results_file(settings)
    with _alone(file.parent), ExitStack() as stack:
        for engine in engines:
            if isinstance(engine, PlatformEngine):
                stack.callback(engine.close)
        benchmark = _Benchmark(Lake(root), file, request, log_progress)
        return benchmark.run(layouts, engines, queries)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    try:
        with file_lock(folder / "benchmark.lock", 0):
            yield
    except Locked:
        raise ChuError(f"another benchmark measures in {folder}: wait for its end") from None


class _Benchmark:
    """One run of the benchmark on a lake."""

    def __init__(self, lake: Lake, file: Path, request: Request, log_progress: Callable[[str], None]) -> None:
        self._lake = lake
        self._file = file
        self._runs = request.runs
        self._most_others = request.most_others
        self._log_progress = log_progress
        self._machine = machine_text()
        self._code = code_commit()
        self._scale = scale_of(lake)
        self._chosen: dict[Chosen, Value] = {}
        self._expected: dict[str, list[tuple[object, ...]]] = {}
        self._results = {_key(row): row for row in MEASUREMENTS.read(file)}
        self._states: dict[Table, Sequence[int]] = {}
        self._failures: list[str] = []

    def run(
        self,
        layouts: Sequence[ComparedLayout],
        engines: Sequence[BenchmarkedEngine],
        queries: Sequence[EvidenceQuery],
    ) -> Outcome:
        """Measure the cells of these layouts, engines and queries."""
        missing = {engine: why for engine in engines if (why := engine.missing)}
        left_out = [f"{engine.name} is left out: {why}" for engine, why in missing.items()]
        writer = next((e for e in engines if isinstance(e, Spark) and e not in missing), None)
        cells = []
        for layout in layouts:
            if layout.needs_spark and writer is None:
                left_out.append(f"layout {layout.name} is left out: only Spark writes it")
                continue
            cells += [
                Cell(layout, engine, query)
                for engine in engines
                if engine not in missing and (layout.kind is not Kind.BUCKETED or engine.reads_buckets)
                for query in queries
                if layout.name == PLATFORM or set(query.tables.values()) & set(layout.tables)
            ]
        for line in left_out:
            self._log_progress(f"WARNING {line}")
        due = [cell for cell in cells if not self._is_measured(cell) or self._is_disturbed(cell)]
        self._log_progress(
            f"{len(cells)} cells at scale {self._scale:g} on {self._machine}; {len(cells) - len(due)} have results"
        )
        begun, done = time.monotonic(), 0
        for layout in dict.fromkeys(cell.layout for cell in due):
            self._log_progress(f"writing the layout {layout.name}")
            of_layout = [cell for cell in due if cell.layout is layout]
            wanted = {table for cell in of_layout for table in cell.query.tables.values()}
            folder = self._file.parent / "copies" / layout.name
            spark = writer.engine if writer and layout.needs_spark else None
            with written(self._lake, layout, wanted, folder, spark) as made:
                for cell in of_layout:
                    told = self._measure(cell, made)
                    done += 1
                    left = (time.monotonic() - begun) / done * (len(due) - done)
                    self._log_progress(
                        f"{100 * done / len(due):.0f} % ({done} of {len(due)}), {_duration(left)} left: {cell}: {told}"
                    )
        return Outcome(sum(map(self._is_measured, cells)), self._failures, left_out, self._file)

    def _is_measured(self, cell: Cell) -> bool:
        data = self._data(cell)
        found = (self._results.get(self._key_of(cell, state)) for state in (COLD, WARM))
        return all(row and row["data"] == data and row["runs"] >= self._runs for row in found)

    def _is_disturbed(self, cell: Cell) -> bool:
        return any((self._results[self._key_of(cell, s)]["others"] or 0) > self._most_others for s in (COLD, WARM))

    def _key_of(self, cell: Cell, state: str) -> tuple[object, ...]:
        return self._machine, self._scale, cell.engine.name, cell.layout.name, cell.query.name, state

    def _data(self, cell: Cell) -> str:
        """Hash of what a result depends on: versions and sizes of the tables, the text of the query, the layout."""
        versions = {table.folder: self._state_of(table) for table in cell.query.tables.values()}
        of_tables = {table.name: repr(layout) for table, layout in cell.layout.tables.items()}
        parts = [versions, cell.query.text, repr(cell.query.filters), cell.layout.kind, of_tables]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]

    def _state_of(self, table: Table) -> Sequence[int]:
        """Version, rows and bytes of a table of the lake."""
        if table not in self._states:
            source = in_place(self._lake, table)
            self._states[table] = [source.version, rows_of(source), sum(f["size_bytes"] for f in source.files)]
        return self._states[table]

    def _measure(self, cell: Cell, made: Mapping[Table, Source]) -> str:
        """Measure a cell, keep its results, and tell them in words."""
        query = cell.query
        sources = {name: made.get(table) or in_place(self._lake, table) for name, table in query.tables.items()}
        sql = query.sql(cell.layout.tables, self._values(query))
        try:
            with cell.engine.session(sources) as run:
                rows = plain_rows(run(sql))
            exchanges = cell.engine.exchanges(sources, sql)
        except Exception as error:  # of any library: the other cells go on
            return self._failed(f"{cell}: {type(error).__name__}: the query was not answered")
        if rows != self._expected_of(query):
            return self._failed(f"{cell}: the rows are not those that DuckDB finds in the lake")
        times = {COLD: self._cold(cell, sources, sql), WARM: self._warm(cell, sources, sql)}
        facts = {**self._facts(cell, sources), "result_rows": len(rows), "exchanges": exchanges}
        self._keep(
            [row for state, found in times.items() if self._is_better(row := self._row(cell, state, found, facts))]
        )
        return ", ".join(f"{state} {1000 * median(found.seconds):.1f} ms" for state, found in times.items())

    def _failed(self, what: str) -> str:
        self._failures.append(what)
        self._log_progress(f"WARNING {what}")
        return "no result"

    def _values(self, query: EvidenceQuery) -> Mapping[Chosen, Value]:
        """The values that the query chooses. They are keys of persons: they are neither logged nor kept."""
        for chosen in query.chosen:
            if chosen not in self._chosen:
                relations = {name: self._lake.relation(table) for name, table in query.tables.items()}
                with duckdb.connect() as connection:
                    found = connection.sql(chosen.sql.format_map(relations)).fetchall()
                if not found or found[0][0] is None:
                    raise ChuError(f"the lake has no rows for the query {query.name}: materialise it first")
                self._chosen[chosen] = found[0][0]
        return self._chosen

    def _expected_of(self, query: EvidenceQuery) -> list[tuple[object, ...]]:
        if query.name not in self._expected:
            relations = {name: self._lake.relation(table) for name, table in query.tables.items()}
            sql = query.sql({}, self._values(query)).format_map(relations)
            with duckdb.connect() as connection:
                self._expected[query.name] = plain_rows(connection.sql(sql).to_arrow_table())
        return self._expected[query.name]

    def _cold(self, cell: Cell, sources: Mapping[str, Source], sql: str) -> Times:
        files = files_below(source.folder for source in sources.values())
        seconds, disk_bytes, left, before = [], [], True, activity()
        for _ in range(self._runs):
            left &= drop_from_cache(files)
            begun, counted = time.perf_counter(), activity()
            with cell.engine.session(sources) as run:
                run(sql)
                seconds.append(time.perf_counter() - begun)
            if counted and (after := activity()):
                disk_bytes.append(after.disk_bytes - counted.disk_bytes)
        return Times(seconds, disk_bytes, left, _meanwhile(before))

    def _warm(self, cell: Cell, sources: Mapping[str, Source], sql: str) -> Times:
        seconds = []
        with cell.engine.session(sources) as run:
            run(sql)
            before = activity()
            for _ in range(self._runs):
                begun = time.perf_counter()
                run(sql)
                seconds.append(time.perf_counter() - begun)
        return Times(seconds, [], None, _meanwhile(before))

    def _facts(self, cell: Cell, sources: Mapping[str, Source]) -> dict[str, Any]:
        """What the tables of a cell are, whatever their times: rows, files, files that the log leaves, bytes."""
        files = {name: source.files for name, source in sources.items()}
        kept: int | None = None
        if all(source.kind is not Kind.BUCKETED for source in sources.values()):
            ranges = {name: cell.query.ranges(name, cell.layout.tables, self._values(cell.query)) for name in sources}
            kept = sum(kept_files(found, ranges[name]) for name, found in files.items())
        return {
            "table_rows": sum(self._state_of(table)[1] for table in cell.query.tables.values()),
            "files": sum(map(len, files.values())),
            "files_kept": kept,
            "size_bytes": sum(f["size_bytes"] for found in files.values() for f in found),
        }

    def _row(self, cell: Cell, state: str, times: Times, facts: Mapping[str, Any]) -> Row:
        found = median_interval([1000 * s for s in times.seconds])
        return {
            **dict(zip(MEASUREMENTS.key, self._key_of(cell, state), strict=True)),
            **facts,
            "runs": len(times.seconds),
            "median_ms": round(found.median, SHOWN_DIGITS),
            "low_ms": None if found.low is None else round(found.low, SHOWN_DIGITS),
            "high_ms": None if found.high is None else round(found.high, SHOWN_DIGITS),
            "max_ms": round(1000 * max(times.seconds), SHOWN_DIGITS),
            "read_bytes": int(median(times.disk_bytes)) if times.disk_bytes else None,
            "left_cache": times.left_cache,
            "cpu_ms": None if times.cpu_seconds is None else round(1000 * times.cpu_seconds, SHOWN_DIGITS),
            "others": None if times.others is None else round(times.others, SHOWN_DIGITS),
            "engine_version": cell.engine.version,
            "code": self._code,
            "data": self._data(cell),
            "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }

    def _is_better(self, row: Row) -> bool:
        """Whether there is no equal measurement that other processes disturbed less."""
        before = self._results.get(_key(row))
        if before is None or before["data"] != row["data"] or before["runs"] != row["runs"]:
            return True
        return (before["others"] or 0) >= (row["others"] or 0)

    def _keep(self, rows: Sequence[Row]) -> None:
        """Add results to the file. A run that is killed loses the cell that it measures, and nothing else."""
        self._results |= {_key(row): row for row in rows}
        MEASUREMENTS.write(self._file, MEASUREMENTS.newest(self._results.values()))


def plain_rows(table: pa.Table) -> list[tuple[object, ...]]:
    """Rows in an order and in types that do not depend on the engine."""
    columns = [column.to_pylist() for column in table.columns]
    rows = [tuple(map(_plain, row)) for row in zip(*columns, strict=True)]
    return sorted(rows, key=repr)


def _plain(value: object) -> object:
    match value:
        case bool() | None:
            return value
        case int() | float() | Decimal():
            return int(value) if value == int(value) else float(f"{value:.{DIGITS}g}")
        case datetime():
            return value.date()
        case date():
            return value
        case _:
            return str(value)


def scale_of(lake: Lake) -> float:
    """The number of deaths of a lake as a part of 25 million, with one significant digit; at least 0.0001."""
    part = max(rows_of(in_place(lake, fact_death)) / FULL_SIZE, 0.0001)
    return round(part, -math.floor(math.log10(part)))


def rows_of(source: Source) -> int:
    """The number of rows of a Delta table, as its log tells it."""
    return sum(f["num_records"] or 0 for f in source.files)


def code_commit() -> str:
    """The commit of the checkout, with `-dirty` if files differ from it; the version of an installed package."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return PACKAGE_VERSION
    return done.stdout.strip()


def _key(row: Row) -> tuple[object, ...]:
    return tuple(row[name] for name in MEASUREMENTS.key)


def _meanwhile(before: Activity | None) -> tuple[Activity, Activity] | None:
    after = activity()
    return (before, after) if before and after else None


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
