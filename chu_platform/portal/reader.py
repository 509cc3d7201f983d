"""The published zone, held in memory as one consistent set of versions.

A snapshot is a set of Delta versions of the published tables, loaded into a DuckDB database of its own that can reach
no file afterwards. A page is made of one snapshot. When tables have been rewritten a new one is loaded beside and
takes the place of the old one at once; as long as that fails, or the tables do not fit together, the last good one
keeps serving.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final, TypeVar

import duckdb
from deltalake import DeltaTable

from chu_platform.description.described_tables import DescribedCatalogue, DescribedTable
from chu_platform.errors import log_traceback
from chu_platform.portal.questions import BREAKDOWNS, Question, questions_of
from chu_platform.storage.lake import Lake, active_paths, files_relation
from chu_platform.storage.provenance import last_data_commit
from chu_platform.tables.columns import sql_type
from chu_platform.tables.duckdb_sql import sql_name
from chu_platform.tables.table import Layer, Zone

# Seconds between two checks of the logs of the tables.
INTERVAL: Final = 1.0
# Seconds after which tables that do not fit together are served all the same: a run that failed in the middle, or a
# table whose rows, made anew, were what they had been.
MAX_WAIT: Final = 600.0

# Pages of about 100 kB that are kept of a snapshot.
MAX_CACHED_PAGES: Final = 300
# Tables of years are held as tables of periods, so that all are asked in one way.
YEARS: Final = (
    "SELECT 'year' AS period_grain, make_date(year, 1, 1) AS period_start, make_date(year + 1, 1, 1) AS period_end, *"
)

Made = TypeVar("Made")


@dataclass(frozen=True)
class Version:
    """The version of a table that is served: its number, when it was committed, and what it was made of."""

    number: int
    committed: datetime
    provenance: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The published tables at one set of versions; those that were never made are empty, and have no version.

    Safe to use from several threads.
    """

    catalogue: DescribedCatalogue
    versions: Mapping[str, Version]
    connection: duckdb.DuckDBPyConnection
    _kept: dict[object, Any] = field(default_factory=dict)
    _pages: dict[object, Any] = field(default_factory=dict)
    _turn: threading.Lock = field(default_factory=threading.Lock)
    _making: threading.RLock = field(default_factory=threading.RLock)

    @cached_property
    def questions(self) -> Sequence[Question]:
        """The questions, in their order."""
        return questions_of(self.catalogue)

    def question(self, slug: str) -> Question | None:
        """The question of an address; None when there is none."""
        return next((q for q in self.questions if q.slug == slug), None)

    @cached_property
    def level_labels(self) -> Mapping[str, str]:
        """The labels of levels of places and diagnoses, and of other breakdowns."""
        return {level: words.label for q in self.questions for level, words in q.levels.items()} | BREAKDOWNS

    def rows(self, sql: str, parameters: Mapping[str, object] | None = None) -> list[dict[str, Any]]:
        """The rows of a query over the tables, by their names; values only ever as parameters."""
        with self.connection.cursor() as cursor:
            found = cursor.execute(sql, dict(parameters or {}))
            names = [column[0] for column in found.description or ()]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def table(self, sql: str, parameters: Mapping[str, object] | None = None) -> Any:
        """The rows of a query as an Arrow table."""
        with self.connection.cursor() as cursor:
            return cursor.sql(sql, params=dict(parameters or {})).to_arrow_table()

    def once(self, key: object, make: Callable[[], Made]) -> Made:
        """What `make` gives, made once for as long as these versions are served."""
        if key not in self._kept:
            with self._making:
                if key not in self._kept:
                    self._kept[key] = make()
        made: Made = self._kept[key]
        return made

    def page(self, key: object, make: Callable[[], Made]) -> Made:
        """What `make` gives, kept for as long as it is one of the last `MAX_CACHED_PAGES` asked for.

        Pages are made one at a time: several at once would each wait for the interpreter after every query, and the
        same page, asked for twice, would be made twice.
        """
        with self._turn:
            made: Made = self._pages.pop(key) if key in self._pages else make()
            self._pages[key] = made
            while len(self._pages) > MAX_CACHED_PAGES:
                del self._pages[next(iter(self._pages))]
        return made

    @cached_property
    def identity(self) -> str:
        """One text that is another one for other versions."""
        names = sorted(published_tables(self.catalogue))
        return "-".join(f"{self.versions[n].number if n in self.versions else ''}" for n in names)


class Reader:
    """Serves a snapshot, and replaces it when the tables have changed."""

    def __init__(
        self, root: Path, catalogue: DescribedCatalogue, logs: Path | None = None, max_wait: float = MAX_WAIT
    ) -> None:
        """`catalogue` describes the tables of the lake; `logs`: folder for the traces of what could not be read."""
        self._catalogue = catalogue
        self._published = published_tables(catalogue)
        self._lake = Lake(root)
        self._logs = logs
        self._max_wait = max_wait
        self._ended = threading.Event()
        self._stamps = self._log_stamps()
        self._unfit_since: float | None = None
        self._snapshot = self._load(self._open())

    @property
    def snapshot(self) -> Snapshot:
        """What is served now: take it once for a page."""
        return self._snapshot

    def follow(self) -> None:
        """Look for new versions in the background until `close`."""
        threading.Thread(target=self._follow, name="published tables", daemon=True).start()

    def close(self) -> None:
        """Stop looking."""
        self._ended.set()

    def refresh(self) -> None:
        """Load the versions of now, if they are others and fit together."""
        stamps = self._log_stamps()
        if stamps == self._stamps and self._unfit_since is None:
            return
        try:
            opened = self._open()
            numbers = {name: delta.version() for name, delta in opened.items()}
            if numbers != {name: v.number for name, v in self._snapshot.versions.items()}:
                loaded = self._load(opened)
                # delta-rs numbers a table's history from the version that is loaded, also when its log has a newer one
                # by now: what a commit says of itself is that commit's only as long as none has come.
                if {name: delta.version() for name, delta in self._open().items()} != numbers:
                    return
                if not fits(loaded.versions):
                    self._unfit_since = self._unfit_since or time.monotonic()
                    if time.monotonic() - self._unfit_since < self._max_wait:
                        return
                self._snapshot = loaded
        # Whatever a table that is being rewritten, restored or cleaned up makes the libraries raise: the last good
        # versions go on being served, and the next refresh tries again.
        except Exception as error:
            if self._logs:
                log_traceback(error, self._logs)
            return
        self._unfit_since = None
        self._stamps = stamps

    def _follow(self) -> None:
        while not self._ended.wait(INTERVAL):
            self.refresh()

    def _log_stamps(self) -> Mapping[str, int]:
        """A number for each table's log that is another one after each commit."""
        stamps = {}
        for name, table in self._published.items():
            log = self._lake.path(table) / "_delta_log"
            stamps[name] = log.stat().st_mtime_ns if log.is_dir() else 0
        return stamps

    def _open(self) -> Mapping[str, DeltaTable]:
        opened = {name: self._lake.open(table) for name, table in self._published.items()}
        return {name: delta for name, delta in opened.items() if delta is not None}

    def _load(self, opened: Mapping[str, DeltaTable]) -> Snapshot:
        connection = duckdb.connect(config={"threads": 1, "temp_directory": ""})
        for name, table in self._published.items():
            files: Sequence[Path] = []
            written = table
            if name in opened:
                files = active_paths(self._lake.path(table), opened[name])
                written = table.with_columns({field.name for field in opened[name].schema().fields})
            order = ", ".join(sql_name(c) for c in table.key) or "ALL"
            columns = {c.name for c in table.columns}
            rows = "SELECT *"
            if "year" in columns:
                # A table without the column has whole years only.
                rows = YEARS if "is_partial" in columns else f"{YEARS}, false AS is_partial"
            # A lake that earlier code has written lacks the columns that were added since.
            added = "".join(
                f", CAST(NULL AS {sql_type(c.type)}) AS {sql_name(c.name)}"
                for c in table.columns
                if c not in written.columns
            )
            connection.execute(
                f"CREATE TABLE {sql_name(name)} AS {rows}{added} FROM {files_relation(written, files)} ORDER BY {order}"
            )
        # From here on there is nothing but these rows, whatever a query says.
        connection.execute("SET enable_external_access = false; SET lock_configuration = true")
        return Snapshot(self._catalogue, {name: _version(delta) for name, delta in opened.items()}, connection)


def fits(versions: Mapping[str, Version]) -> bool:
    """Whether tables that are masked together come from one version of their mask.

    Figures of two masks, side by side, could give a masked one back; and they would be of two deliveries.
    """
    read: dict[str, set[int]] = defaultdict(set)
    for version in versions.values():
        for folder, number in version.provenance.get("read", {}).items():
            if f"/{Layer.DISCLOSURE.value}/" in folder:
                read[folder].add(number)
    return all(len(numbers) == 1 for numbers in read.values())


def published_tables(catalogue: DescribedCatalogue) -> Mapping[str, DescribedTable]:
    """The tables of the published zone, by name."""
    return {t.name: t for t in catalogue.tables if t.zone is Zone.PUBLISHED}


def _version(delta: DeltaTable) -> Version:
    committed = datetime.fromtimestamp(delta.history(1)[0]["timestamp"] / 1000, UTC)
    return Version(delta.version(), committed, last_data_commit(delta))
