"""The trace of a published cell: its version chain, its delivered rows and lines, and its recomputation."""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import duckdb
import pyarrow as pa

from chu_platform.access.gate import Gate, Request
from chu_platform.access.journal import Journal
from chu_platform.editions.decisions import FORMER
from chu_platform.errors import ChuError
from chu_platform.identity.current_user import current_user
from chu_platform.indicators.indicator import indicators, recomputations
from chu_platform.recomputation.recomputation import SourceRows
from chu_platform.settings import Settings
from chu_platform.storage.lake import Lake
from chu_platform.storage.lake_format import require_known_format
from chu_platform.storage.store import lake_root, may_read
from chu_platform.tables.duckdb_sql import sql_name, sql_text
from chu_platform.tables.table import Table, Zone
from chu_platform.trace.comparison import Difference, differences, figures_of, masked_rows
from chu_platform.trace.delivered_lines import Deliveries, Line, RecordedFile, is_delivered_as_files, lines_or_problem
from chu_platform.trace.edition_cells import EditionCells, edition_table_of
from chu_platform.trace.published_cells import Cell
from chu_platform.trace.recomputed_cells import CellRecomputation, RecomputationCache
from chu_platform.trace.version_chain import TableVersion, VersionChain, table_version, version_chain

# The inputs with the exact rows and with the masks: outside editions, and in editions.
EXACT: Final = ("exact", "candidate")
MASK: Final = ("mask", "decision")


@dataclass(frozen=True)
class TracedSource:
    """The rows of a source table that take part in a cell.

    `rows` gives the hashes of the rows by identifier (`SourceRows.match`); `texts` are the rows as text, if requested.
    `lines` are the lines of the recorded `files`, by file; `problem` is the reason if they cannot be read. `unsearched`
    are the bytes of large files whose lines were not searched, by name.
    `later_lines` are the lines of rows with the same identifiers in files that were read later.
    """

    source: SourceRows
    version: TableVersion
    rows: Mapping[str, Sequence[int]]
    files: Sequence[RecordedFile]
    lines: Mapping[str, Sequence[Line]]
    problem: str | None
    texts: Sequence[str]
    later_lines: Mapping[str, Sequence[Line]]
    unsearched: Mapping[str, int]

    @property
    def count(self) -> int:
        """Number of rows."""
        return sum(map(len, self.rows.values()))

    @property
    def is_identifying(self) -> bool:
        """Whether the identifiers of the rows identify persons; they are then shown on request only."""
        columns = set(re.findall(r"\w+", self.source.match))
        return any(c.identifying and c.name in columns for c in self.source.table.columns)


@dataclass(frozen=True)
class Trace:
    """The trace of a cell at a version.

    `exact` are the figures of the exact indicator, `computed` those recomputed from the delivered rows; None when the
    user may not read the zones of their tables. `sources` are empty when the account may not read delivered rows.
    `reason` is the reason of the mask. If the cell shows the figures of an
    earlier edition, the trace is that of the cell there, and `waits` says why.
    """

    cell: Cell
    chain: VersionChain
    reason: str | None
    exact: Mapping[str, Any] | None
    computed: Mapping[str, Any] | None
    differences: Sequence[Difference]
    sources: Sequence[TracedSource]
    waits: str | None = None

    @property
    def unreadable_zones(self) -> Sequence[Zone]:
        """The zones of the chain that the user may not read."""
        return sorted({v.table.zone for v in self.chain.versions if v.unreadable})

    @property
    def equal(self) -> bool | None:
        """Whether the figures equal their recomputation; None when there is no recomputation."""
        return None if self.computed is None else not self.differences


class Tracer:
    """Traces cells of one lake, with the delivered folder in its current state."""

    def __init__(self, settings: Settings) -> None:
        self.lake = Lake(lake_root(settings))
        require_known_format(self.lake.place)
        self._gate = Gate(self.lake, Journal(settings.secrets_folder))
        self._principal = current_user(settings)
        self._deliveries = Deliveries(settings)
        self._recomputations = RecomputationCache(self.lake)

    def close(self) -> None:
        """Drop the input tables of the recomputation."""
        self._recomputations.close()

    def trace(self, cell: Cell, rows: bool = False, lines: bool = False) -> Trace:
        """Trace a cell. With `rows`, the texts of the delivered rows are included: then call `note_rows`, too.

        Lines of large files are searched with `rows` or `lines` only.

        Raises ChuError when a version of the chain can no longer be read, and Denied when the account of this process
        may not see the exact figures of the cell.
        """
        lake, table = self.lake, cell.table
        chain = version_chain(lake, table, cell.version)
        edition_table = edition_table_of(table)
        inputs = (edition_table or table).reads
        exact_table, mask_table = inputs[EXACT[edition_table is not None]], inputs.get(MASK[edition_table is not None])
        if not all(may_read(lake.place_of(t)) for t in (exact_table, mask_table) if t):
            return Trace(cell, chain, None, None, None, [], [])
        edition = EditionCells.of(lake, edition_table, chain) if edition_table else None
        if edition and edition.former_version is not None:
            state, why = edition.state(cell.key)
            if state in FORMER:
                return self._former(cell, edition, edition.former_version, why, rows, lines)
        exact = self._exact_row(chain, exact_table, cell)
        masked, reason = _mask(lake, chain, mask_table, cell) if mask_table else (False, None)
        figures = figures_of(table)
        exact_figures = {name: exact[name] for name in figures}
        if any(v.unreadable for v in chain.versions):
            return Trace(cell, chain, reason if masked else None, exact_figures, None, [], [])
        recomputation = self._recomputations.of(table, chain, cell.row)
        recomputation.choose(cell.row, materialize=True)
        computed = recomputation.figures()
        exact_rows = pa.Table.from_pylist([dict(exact)])
        if edition:
            expected = edition.expected(cell.row, recomputation)
        else:
            expected = masked_rows(table, exact_rows, pa.table({"cell": [cell.name], "is_masked": [masked]}))
        unequal = list(differences(table, cell.row, exact_rows, computed, expected))
        shows_rows = all(self._gate.holds(self._principal, s.table) for s in recomputation.declaration.sources)
        sources = [
            _traced_source(lake, self._deliveries, chain, recomputation, source, rows, rows or lines)
            for source in recomputation.declaration.sources
            if shows_rows
        ]
        values = computed.to_pylist()[0]
        recomputed = {name: values[name] for name in figures}
        return Trace(cell, chain, reason if masked else None, exact_figures, recomputed, unequal, sources)

    def note_rows(self, trace: Trace, command: str) -> None:
        """Write to the access journal that the delivered rows of a trace will be shown.

        Raises Denied when the account may not read them, and JournalError when the journal cannot be written.
        """
        declared = recomputations()[trace.cell.table.name].sources
        shown = [s.source.table for s in trace.sources if s.count] or [s.table for s in declared]
        self._gate.admit(self._principal, list(dict.fromkeys(shown)), command, sum(s.count for s in trace.sources))

    def _exact_row(self, chain: VersionChain, table: Table, cell: Cell) -> Mapping[str, Any]:
        """The exact row of a cell, through the gate."""
        wanted = " AND ".join(f"CAST({sql_name(c)} AS VARCHAR) = ${c}" for c in cell.key)
        values = {c: str(v) for c, v in cell.key.items()}
        request = Request(wanted, values, chain.version_of(table), about="chu trace")
        found = self._gate.open_table(self._principal, _guarded(table, cell), request=request)
        return _only(found, table, chain.version_of(table))

    def _former(
        self, cell: Cell, edition: EditionCells, version: int, why: str | None, rows: bool, lines: bool
    ) -> Trace:
        """The trace of a cell that shows the figures of the edition before."""
        keys = list(cell.key)
        before = edition.former.filter(
            pa.array([all(row[c] == cell.key[c] for c in keys) for row in edition.former.select(keys).to_pylist()])
        )
        former = Cell(edition.table, version, cell.key, before, cell.name_of_version)
        traced = self.trace(former, rows, lines)
        return replace(traced, cell=replace(former, row=cell.row), waits=traced.waits or why)


def _guarded(table: Table, cell: Cell) -> Table:
    """The table of the exact row with the policy of the exact figures: what could be published is among these."""
    (indicator,) = (i for i in indicators() if i.name == cell.table.name)
    return table if indicator.released_form else replace(table, access=indicator.exact.access)


def _mask(lake: Lake, chain: VersionChain, table: Table, cell: Cell) -> tuple[bool, str | None]:
    row = _row(lake, table, chain.version_of(table), {"indicator": cell.table.name, "cell": cell.name})
    return row["is_masked"], row["reason"]


def _row(lake: Lake, table: Table, version: int, key: Mapping[str, Any]) -> Mapping[str, Any]:
    """The row of a key. Raises ChuError when there is not exactly one row: the tables of the chain are inconsistent."""
    wanted = " AND ".join(f"CAST({sql_name(c)} AS VARCHAR) = {sql_text(str(v))}" for c, v in key.items())
    with duckdb.connect() as connection:
        found = connection.sql(f"SELECT * FROM {lake.relation(table, version)} WHERE {wanted}").to_arrow_table()
    return _only(found, table, version)


def _only(found: pa.Table, table: Table, version: int) -> Mapping[str, Any]:
    if len(found) != 1:
        raise ChuError(f"{table.folder}@{version} has {len(found)} rows of this cell: it was changed after its commit")
    row: Mapping[str, Any] = found.to_pylist()[0]
    return row


def _traced_source(
    lake: Lake,
    deliveries: Deliveries,
    chain: VersionChain,
    recomputation: CellRecomputation,
    source: SourceRows,
    with_texts: bool,
    in_large_files: bool,
) -> TracedSource:
    """The rows of one source, and their lines if the source is delivered as files: in large ones only if wanted."""
    connection = recomputation.connection
    version = chain.table_version_of(source.table)
    connection.execute(f"CREATE OR REPLACE TABLE wanted AS SELECT DISTINCT value FROM ({source.values}) w(value)")
    text = ", r::VARCHAR" if with_texts else ""
    connection.execute(
        f"CREATE OR REPLACE TABLE taking_part AS FROM (SELECT {source.match} AS value, r FROM "
        f'"raw_{source.table.name}" r) SEMI JOIN wanted USING (value)'
    )
    found = connection.execute(f"SELECT value, hash(r){text} FROM taking_part ORDER BY value").fetchall()
    rows: dict[str, list[int]] = {}
    for value, row_hash, *_ in found:
        rows.setdefault(value, []).append(row_hash)
    files = _recorded_files(deliveries, version)
    lines: Mapping[str, Sequence[Line]] = {}
    problem = None
    unsearched: Mapping[str, int] = {}
    if rows and is_delivered_as_files(source.table):
        parts = _parts(connection, source.table)
        unsearched = {} if in_large_files else deliveries.large(files)
        searched = [f for f in files if f.name not in unsearched]
        lines, problem = lines_or_problem(deliveries, lake, connection, source.table, searched, source.match, parts)
    texts = [text for _, _, *rest in found for text in rest]
    later = _later_lines(lake, deliveries, connection, source, version, files, in_large_files)
    return TracedSource(source, version, rows, files, lines, problem, texts, later, unsearched)


def _parts(connection: duckdb.DuckDBPyConnection, table: Table) -> Mapping[str, Sequence[str]]:
    """The partitions of the rows that take part: the values of each partition column, if none of them is null."""
    found = {
        column: [value for (value,) in connection.execute(f"SELECT DISTINCT r.{column} FROM taking_part").fetchall()]
        for column in table.partition_by
    }
    return {column: values for column, values in found.items() if all(value is not None for value in values)}


def _recorded_files(deliveries: Deliveries, version: TableVersion) -> list[RecordedFile]:
    return list(dict.fromkeys(f for commit in version.data_commits for f in deliveries.recorded_files(commit)))


def _later_lines(
    lake: Lake,
    deliveries: Deliveries,
    connection: duckdb.DuckDBPyConnection,
    source: SourceRows,
    version: TableVersion,
    files: Sequence[RecordedFile],
    in_large_files: bool,
) -> Mapping[str, Sequence[Line]]:
    """The lines of the rows of the relation `wanted` in files that were read after this version.

    A figure that a new delivery did not change keeps its old provenance, whose files may not exist any more.
    """
    latest = lake.version(source.table)
    if latest == version.version or not is_delivered_as_files(source.table):
        return {}
    current = table_version(lake, source.table, latest)
    later = [f for f in _recorded_files(deliveries, current) if f not in files]
    if not in_large_files:
        large = deliveries.large(later)
        later = [f for f in later if f.name not in large]
    lines, _ = lines_or_problem(deliveries, lake, connection, source.table, later, source.match, {})
    return lines


@dataclass(frozen=True)
class SourceChange:
    """The identifiers of the rows of a source that were added, removed or changed between two traces."""

    earlier: TracedSource
    current: TracedSource
    added: Sequence[str]
    removed: Sequence[str]
    changed: Sequence[str]


def source_changes(earlier: Trace, current: Trace) -> Sequence[SourceChange]:
    """The sources whose rows differ between two traces of a cell."""
    changes = []
    for old, new in zip(earlier.sources, current.sources, strict=True):
        added = [v for v in new.rows if v not in old.rows]
        removed = [v for v in old.rows if v not in new.rows]
        changed = [v for v in new.rows if v in old.rows and sorted(new.rows[v]) != sorted(old.rows[v])]
        if added or removed or changed:
            changes.append(SourceChange(old, new, added, removed, changed))
    return changes


def changed_versions(earlier: Trace, current: Trace) -> Sequence[tuple[TableVersion, TableVersion]]:
    """The tables whose version differs between two chains, from the figure back to the deliveries."""
    tables = [t for t in dict.fromkeys(v.table for v in earlier.chain.versions) if current.chain.has(t)]
    pairs = ((earlier.chain.table_version_of(t), current.chain.table_version_of(t)) for t in tables)
    return [(old, new) for old, new in pairs if old.version != new.version]


def command_arguments(table: Table, key: Mapping[str, Any]) -> str:
    """The arguments of `chu trace` for a cell."""
    return " ".join([table.folder, *(shlex.quote(f"{column}={value}") for column, value in key.items())])
