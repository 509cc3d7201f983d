"""`chu trace`: a published figure walked back to the delivered lines, and computed again from them.

Here: gathering all that is known of one cell at one version, and what differs between two. Not here: how it is printed
(report).
"""

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from chu_platform.errors import ChuError
from chu_platform.recomputation.delivered_rows import SourceRows
from chu_platform.settings import Settings
from chu_platform.storage.lake import Lake
from chu_platform.tables.duckdb_sql import sql_name, sql_text
from chu_platform.tables.table import Table, Zone
from chu_platform.trace.comparison import Difference, differences, figures_of
from chu_platform.trace.delivered_lines import Deliveries, Line, RecordedFile, is_delivered_as_files, lines_or_why_not
from chu_platform.trace.published_cells import Cell
from chu_platform.trace.recomputed_cells import Recomputation, Recomputations
from chu_platform.trace.version_chain import Chain, Step, chain_of, step_of


@dataclass(frozen=True)
class TracedSource:
    """The rows of a source table that take part in a cell.

    `rows` gives, by the value that names a row, the fingerprints of the rows of that name; `texts` their columns, if
    they were asked for. `lines` are those of the delivered `files`; `problem` says why there are none. `now` are the
    lines of rows of the same names in what was delivered since, by file, of a source that was read again.
    """

    source: SourceRows
    step: Step
    rows: Mapping[str, Sequence[int]]
    files: Sequence[RecordedFile]
    lines: Mapping[str, Sequence[Line]]
    problem: str | None
    texts: Sequence[str]
    now: Mapping[str, Sequence[Line]]

    @property
    def count(self) -> int:
        """Number of rows."""
        return sum(map(len, self.rows.values()))

    @property
    def names_identify(self) -> bool:
        """Whether the values that name the rows are identities, which nobody sees unasked."""
        words = set(re.findall(r"\w+", self.source.match))
        return any(c.identifying and c.name in words for c in self.source.table.columns)


@dataclass(frozen=True)
class Trace:
    """All that is known of a cell at a version.

    `exact` and `computed` are the figures of the exact indicator and those from the delivered rows; None for whoever
    may not read the zones they come from. `reason` is that of the mask.
    """

    cell: Cell
    chain: Chain
    reason: str | None
    exact: Mapping[str, Any] | None
    computed: Mapping[str, Any] | None
    differences: Sequence[Difference]
    sources: Sequence[TracedSource]

    @property
    def closed(self) -> Sequence[Zone]:
        """The zones that whoever asks may not read."""
        return sorted({s.table.zone for s in self.chain.steps if s.closed})

    @property
    def equal(self) -> bool | None:
        """Whether the figures are their recomputation; None when there is none."""
        return None if self.computed is None else not self.differences


class Tracer:
    """Traces cells of one lake, over the delivered folder as it is now."""

    def __init__(self, settings: Settings) -> None:
        self.lake = Lake(settings.lake_folder)
        self._deliveries = Deliveries(settings)
        self._recomputations = Recomputations(self.lake)

    def close(self) -> None:
        """Let go of the delivered rows."""
        self._recomputations.close()

    def trace(self, cell: Cell, rows: bool = False) -> Trace:
        """Trace a cell. With `rows`, the delivered rows themselves are gathered too: the caller must log that.

        Raises ChuError when a version of the chain does not read any more.
        """
        lake, table = self.lake, cell.table
        chain = chain_of(lake, table, cell.version)
        exact_table, mask_table = table.reads["exact"], table.reads["mask"]
        if not all(os.access(lake.path(t), os.R_OK | os.X_OK) for t in (exact_table, mask_table)):
            return Trace(cell, chain, None, None, None, [], [])
        exact = _exact_row(lake, chain, exact_table, cell)
        masked, reason = _mask(lake, chain, mask_table, cell)
        figures = figures_of(table)
        shown = {name: exact[name] for name in figures}
        if any(s.closed for s in chain.steps):
            return Trace(cell, chain, reason, shown, None, [], [])
        again = self._recomputations.of(table, chain)
        again.choose(cell.row, keep=True)
        computed = again.figures()
        masks = pa.table({"cell": [cell.name], "is_masked": [masked]})
        found = list(differences(table, cell.row, pa.Table.from_pylist([dict(exact)]), computed, masks))
        sources = [_source_rows(lake, self._deliveries, chain, again, s, rows) for s in again.delivered.sources]
        values = computed.to_pylist()[0]
        return Trace(cell, chain, reason, shown, {name: values[name] for name in figures}, found, sources)


def _exact_row(lake: Lake, chain: Chain, table: Table, cell: Cell) -> Mapping[str, Any]:
    return _row(lake, table, chain.at(table), cell.key)


def _mask(lake: Lake, chain: Chain, table: Table, cell: Cell) -> tuple[bool, str | None]:
    found = _row(lake, table, chain.at(table), {"indicator": cell.table.name, "cell": cell.name})
    return found["is_masked"], found["reason"]


def _row(lake: Lake, table: Table, version: int, key: Mapping[str, Any]) -> Mapping[str, Any]:
    """The one row of a key. Raises ChuError when there is none: the tables of a chain do not fit together."""
    wanted = " AND ".join(f"CAST({sql_name(c)} AS VARCHAR) = {sql_text(str(v))}" for c, v in key.items())
    with duckdb.connect() as connection:
        found = connection.sql(f"SELECT * FROM {lake.relation(table, version)} WHERE {wanted}").to_arrow_table()
    if len(found) != 1:
        raise ChuError(f"{table.folder}@{version} has {len(found)} rows of this cell: it is not what was published")
    row: Mapping[str, Any] = found.to_pylist()[0]
    return row


def _source_rows(
    lake: Lake, deliveries: Deliveries, chain: Chain, again: Recomputation, source: SourceRows, with_texts: bool
) -> TracedSource:
    """The rows of one source, and their lines if it is delivered as files."""
    connection = again.connection
    step = chain.step(source.table)
    connection.execute(f"CREATE OR REPLACE TABLE wanted AS SELECT DISTINCT value FROM ({source.values}) w(value)")
    shown = ", r::VARCHAR" if with_texts else ""
    found = connection.execute(
        f"SELECT value, hash(r){shown} FROM (SELECT {source.match} AS value, r FROM "
        f'"raw_{source.table.name}" r) SEMI JOIN wanted USING (value) ORDER BY value'
    ).fetchall()
    rows: dict[str, list[int]] = {}
    for value, print_, *_ in found:
        rows.setdefault(value, []).append(print_)
    files = _files(deliveries, step)
    lines: Mapping[str, Sequence[Line]] = {}
    problem = None
    if rows and is_delivered_as_files(source.table):
        lines, problem = lines_or_why_not(deliveries, lake, connection, source.table, files, source.match)
    texts = [text for _, _, *rest in found for text in rest]
    now = _delivered_since(lake, deliveries, connection, source, step, files)
    return TracedSource(source, step, rows, files, lines, problem, texts, now)


def _files(deliveries: Deliveries, step: Step) -> list[RecordedFile]:
    return list(dict.fromkeys(f for said in step.data_commits for f in deliveries.recorded(said)))


def _delivered_since(
    lake: Lake,
    deliveries: Deliveries,
    connection: duckdb.DuckDBPyConnection,
    source: SourceRows,
    step: Step,
    files: Sequence[RecordedFile],
) -> Mapping[str, Sequence[Line]]:
    """The lines of what is wanted in the files, other than those of then, that the source has read since: a figure that
    a new delivery did not change keeps the provenance of its old one, whose files may be gone.
    """
    last = lake.version(source.table)
    if last == step.version or not is_delivered_as_files(source.table):
        return {}
    since = [f for f in _files(deliveries, step_of(lake, source.table, last)) if f not in files]
    lines, _ = lines_or_why_not(deliveries, lake, connection, source.table, since, source.match)
    return lines


@dataclass(frozen=True)
class SourceChange:
    """What became of the rows of a source between two traces, by the values that name them."""

    then: TracedSource
    now: TracedSource
    added: Sequence[str]
    removed: Sequence[str]
    changed: Sequence[str]


def source_changes(then: Trace, now: Trace) -> Sequence[SourceChange]:
    """The sources whose rows of the cell are not the same ones in both traces."""
    found = []
    for old, new in zip(then.sources, now.sources, strict=True):
        added = [v for v in new.rows if v not in old.rows]
        removed = [v for v in old.rows if v not in new.rows]
        changed = [v for v in new.rows if v in old.rows and sorted(new.rows[v]) != sorted(old.rows[v])]
        if added or removed or changed:
            found.append(SourceChange(old, new, added, removed, changed))
    return found


def changed_steps(then: Trace, now: Trace) -> Sequence[tuple[Step, Step]]:
    """The tables of both chains that have another version, from the figure back to the deliveries."""
    tables = [t for t in dict.fromkeys(s.table for s in then.chain.steps) if now.chain.has(t)]
    pairs = ((then.chain.step(t), now.chain.step(t)) for t in tables)
    return [(old, new) for old, new in pairs if old.version != new.version]


def described(table: Table, key: Mapping[str, Any]) -> str:
    """The words of the command that name a cell."""
    return " ".join([table.folder, *(shlex.quote(f"{column}={value}") for column, value in key.items())])
