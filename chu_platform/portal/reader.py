"""The published zone, held in memory as one consistent set of versions.

A snapshot is a set of Delta versions of the published tables: those of one edition, which its manifest names, and the
current versions of the tables that are outside editions. They are loaded into a separate DuckDB database, which cannot
read files afterwards. Each page uses one snapshot. After the manifest or a table has changed, the reader loads a new
snapshot and replaces the old one with it. A snapshot that lacks a table which the old one has does not replace it. At
the start there is no old one: a table that cannot be read is then empty, and named in the snapshot.
"""

import itertools
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final, TypeVar

import duckdb
from deltalake import DeltaTable

from chu_platform.description.described_tables import DescribedCatalogue, DescribedTable
from chu_platform.errors import ChuError, log_traceback
from chu_platform.portal.questions import BREAKDOWNS, Question, questions_of
from chu_platform.storage.commit_log import commits, log_of
from chu_platform.storage.edition_manifest import Edition, published_edition
from chu_platform.storage.lake import Lake, active_paths, files_relation
from chu_platform.storage.provenance import last_data_commit
from chu_platform.storage.store import LakePath, log_stamp
from chu_platform.tables.columns import sql_type
from chu_platform.tables.duckdb_sql import sql_name
from chu_platform.tables.table import Zone

# Seconds between two checks of the logs of the tables; after a failure each wait is twice as long, up to the maximum.
INTERVAL: Final = 1.0
MAX_INTERVAL: Final = 60.0
# Number of values of a snapshot that are kept for pages with something in common, such as the peers of a cell.
MAX_KEPT: Final = 500
# Tables by year get the columns of tables by period, so that one kind of query reads both.
YEARS: Final = (
    "SELECT 'year' AS period_grain, make_date(year, 1, 1) AS period_start, make_date(year + 1, 1, 1) AS period_end, *"
)

Made = TypeVar("Made")


@dataclass(frozen=True)
class Version:
    """The version of a table that is served: its number, its commit time, and the metadata of its data commit."""

    number: int
    committed: datetime
    provenance: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The published tables at one set of versions. Tables that were never made are empty and have no version.

    `edition` is the edition that they belong to; None before the first one. `unreadable` are the names of the tables
    that exist and cannot be read: they have no rows here. `number` is another one for each snapshot of this process.
    `own`: rows of an own site are exact.
    Safe to use from several threads.
    """

    catalogue: DescribedCatalogue
    edition: Edition | None
    versions: Mapping[str, Version]
    connection: duckdb.DuckDBPyConnection
    unreadable: frozenset[str] = frozenset()
    number: int = field(default_factory=itertools.count(1).__next__)
    _values: dict[object, Any] = field(default_factory=dict)
    _kept: dict[object, Any] = field(default_factory=dict)
    _kept_lock: threading.Lock = field(default_factory=threading.Lock)
    _value_lock: threading.RLock = field(default_factory=threading.RLock)
    own: bool = False

    @cached_property
    def questions(self) -> Sequence[Question]:
        """The questions, in their order."""
        return questions_of(self.catalogue)

    def question(self, slug: str) -> Question | None:
        """The question with this slug in its address; None if there is none."""
        return next((q for q in self.questions if q.slug == slug), None)

    @cached_property
    def level_labels(self) -> Mapping[str, str]:
        """The labels of levels of places and diagnoses, and of other breakdowns."""
        return {level: names.label for q in self.questions for level, names in q.levels.items()} | BREAKDOWNS

    def rows(self, sql: str, parameters: Mapping[str, object] | None = None) -> list[dict[str, Any]]:
        """The rows of a query over the tables, as dictionaries by column name. Values are passed only as parameters."""
        with self.connection.cursor() as cursor:
            found = cursor.execute(sql, dict(parameters or {}))
            names = [column[0] for column in found.description or ()]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def table(self, sql: str, parameters: Mapping[str, object] | None = None) -> Any:
        """The rows of a query as an Arrow table."""
        with self.connection.cursor() as cursor:
            return cursor.sql(sql, params=dict(parameters or {})).to_arrow_table()

    def once(self, key: object, make: Callable[[], Made]) -> Made:
        """The value that `make` returns. `make` is called once for each key and snapshot."""
        if key not in self._values:
            with self._value_lock:
                if key not in self._values:
                    self._values[key] = make()
        made: Made = self._values[key]
        return made

    def kept(self, key: object, make: Callable[[], Made]) -> Made:
        """The value that `make` returns, or has returned lately: of the keys, the last `MAX_KEPT` are kept."""
        with self._kept_lock:
            found = self._kept.pop(key) if key in self._kept else None
        made: Made = make() if found is None else found
        with self._kept_lock:
            self._kept[key] = made
            while len(self._kept) > MAX_KEPT:
                del self._kept[next(iter(self._kept))]
        return made

    @cached_property
    def identity(self) -> str:
        """A text that identifies this set of versions."""
        names = sorted(published_tables(self.catalogue))
        return "-".join(f"{self.versions[n].number if n in self.versions else ''}" for n in names)


@dataclass(frozen=True)
class _Opened:
    """The tables that exist, opened at the versions to serve, and the names of those that cannot be opened."""

    edition: Edition | None
    tables: Mapping[str, DeltaTable]
    unreadable: frozenset[str]


class Reader:
    """Serves a snapshot, and replaces it when the tables have changed."""

    def __init__(self, root: LakePath, catalogue: DescribedCatalogue, logs: Path | None = None) -> None:
        """`catalogue` describes the tables of the lake; `logs` is the folder for tracebacks of failures."""
        self._catalogue = catalogue
        self._published = published_tables(catalogue)
        self._lake = Lake(root)
        self._logs = logs
        self._noted: set[str] = set()
        self._ended = threading.Event()
        self._prepare: Callable[[Snapshot], None] = lambda _: None
        self._state = self._current_state()
        self._snapshot = self._load(self._open())

    @property
    def lake(self) -> Lake:
        """The lake of the tables."""
        return self._lake

    @property
    def snapshot(self) -> Snapshot:
        """The snapshot that is served now. A page must read this property only once."""
        return self._snapshot

    def prepare_with(self, prepare: Callable[[Snapshot], None]) -> None:
        """Call `prepare` with this snapshot, and with each later one before it is served."""
        prepare(self._snapshot)
        self._prepare = prepare

    def follow(self) -> None:
        """Check for new versions in a background thread until `close`."""
        threading.Thread(target=self._follow, name="published tables", daemon=True).start()

    def close(self) -> None:
        """Stop checking for new versions."""
        self._ended.set()

    def refresh(self) -> bool:
        """Load the current versions if they have changed. Returns whether everything that exists is served."""
        # The libraries may raise any error for a table that is being rewritten, restored or cleaned up. Keep the last
        # good snapshot; the next refresh tries again.
        try:
            return self._refreshed()
        except Exception as error:
            self._note(error)
            return False

    def _refreshed(self) -> bool:
        served, state = self._snapshot, self._current_state()
        if state == self._state and not served.unreadable:
            return True
        opened = self._open()
        numbers = {name: delta.version() for name, delta in opened.tables.items()}
        if (opened.edition, numbers) == (served.edition, {name: v.number for name, v in served.versions.items()}):
            self._state = state
            return not served.unreadable
        loaded = self._load(opened)
        # If a commit came while the tables were loaded, or a table is lost, try again at the next refresh.
        if self._current_state() != state or loaded.unreadable - served.unreadable:
            return False
        if (loaded.edition, loaded.versions) != (served.edition, served.versions):
            self._prepare(loaded)
            self._snapshot = loaded
        self._state = state
        return not loaded.unreadable

    def _follow(self) -> None:
        wait = INTERVAL
        while not self._ended.wait(wait):
            wait = INTERVAL if self.refresh() else min(2 * wait, MAX_INTERVAL)

    def _note(self, error: Exception) -> None:
        """Write the traceback of an error to the log, once."""
        if self._logs and repr(error) not in self._noted:
            self._noted.add(repr(error))
            log_traceback(error, self._logs)

    def _current_state(self) -> tuple[Edition | str | None, Mapping[str, int | None]]:
        """The edition, and for each table outside editions a number of its log that changes with each commit."""
        outside = {name: table for name, table in self._published.items() if not table.in_editions}
        stamps = {name: self._stamp(table) for name, table in outside.items()}
        try:
            return published_edition(self._lake.place), stamps
        except (ChuError, OSError) as error:
            return str(error), stamps

    def _stamp(self, table: DescribedTable) -> int | None:
        try:
            return log_stamp(log_of(self._lake.place_of(table)))
        except OSError:
            return None

    def _open(self) -> _Opened:
        """The edition, and the tables that exist: those of the edition at its versions, the others as they are.

        If the manifest is damaged, no table of an edition can be opened.
        """
        edition, opened = None, {}
        unreadable: set[str] = set()
        try:
            edition = published_edition(self._lake.place)
        except (ChuError, OSError) as error:
            self._note(error)
            unreadable = {name for name, table in self._published.items() if table.in_editions}
        for name, table in self._published.items():
            version = edition.version(table) if edition and table.in_editions else None
            if table.in_editions and version is None:
                continue
            try:
                delta = self._lake.open(table, version)
            except Exception as error:
                self._note(error)
                unreadable.add(name)
                continue
            if delta is not None:
                opened[name] = delta
            elif version is not None:
                unreadable.add(name)
        return _Opened(edition, opened, frozenset(unreadable))

    def _load(self, opened: _Opened) -> Snapshot:
        connection = duckdb.connect(config={"threads": 1, "temp_directory": ""})
        versions, unreadable = {}, set(opened.unreadable)
        for name, table in self._published.items():
            delta = opened.tables.get(name)
            try:
                connection.execute(_creation(table, self._lake.place_of(table), delta))
                if delta is not None:
                    versions[name] = _version(self._lake.place_of(table), delta)
            except Exception as error:
                self._note(error)
                unreadable.add(name)
                connection.execute(f"DROP TABLE IF EXISTS {sql_name(name)}")
                connection.execute(_creation(table, self._lake.place_of(table), None))
        # From here on, no query can read files or change these settings.
        connection.execute("SET enable_external_access = false; SET lock_configuration = true")
        return Snapshot(self._catalogue, opened.edition, versions, connection, frozenset(unreadable))


def _creation(table: DescribedTable, place: LakePath, delta: DeltaTable | None) -> str:
    """The statement that loads a table of the folder `place`; without `delta`, the table has no rows."""
    files: Sequence[LakePath] = []
    written = table
    if delta is not None:
        files = active_paths(place, delta)
        written = table.with_columns({field.name for field in delta.schema().fields})
    order = ", ".join(sql_name(c) for c in table.key) or "ALL"
    columns = {c.name for c in table.columns}
    rows = "SELECT *"
    if "year" in columns:
        # A table without the column has whole years only.
        rows = YEARS if "is_partial" in columns else f"{YEARS}, false AS is_partial"
    # A lake that older code wrote does not have columns that were added later.
    added = "".join(
        f", CAST(NULL AS {sql_type(c.type)}) AS {sql_name(c.name)}" for c in table.columns if c not in written.columns
    )
    return (
        f"CREATE TABLE {sql_name(table.name)} AS {rows}{added} FROM {files_relation(written, files)} ORDER BY {order}"
    )


def published_tables(catalogue: DescribedCatalogue) -> Mapping[str, DescribedTable]:
    """The tables of the published zone, by name."""
    return {t.name: t for t in catalogue.tables if t.zone is Zone.PUBLISHED}


def _version(path: LakePath, delta: DeltaTable) -> Version:
    # The history of delta-rs is empty if the path has special characters.
    at = next(commits(path, delta.version())).time
    committed = at.astimezone(UTC) if at else datetime.fromtimestamp(0, UTC)
    return Version(delta.version(), committed, last_data_commit(path, delta))
