"""The figures of published cells, computed again from the delivered rows, and compared.

Here: the computation and the comparison. Not here: which rows make which cell (evidence), what is said of it.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final

import duckdb
import pyarrow as pa

from chu_platform.storage.lake import Lake
from chu_platform.tables.columns import DOUBLE, LONG
from chu_platform.tables.duckdb_sql import sql_name, sql_text
from chu_platform.tables.table import Table
from chu_platform.trace.delivered_rows import DELIVERED_ROWS, DeliveredRows, with_figures
from chu_platform.trace.recomputation_inputs import Inputs
from chu_platform.trace.scratch_folder import MEMORY_LIMIT, scratch
from chu_platform.trace.version_chain import Chain

# Shares of events are kept to twelve decimals, and sums of fractions depend on their order.
TOLERANCE: Final = 1e-8
# Cells compared at a time.
BATCH: Final = 10_000
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Difference:
    """A figure of a cell that is not what it should be; a published one that should be hidden has no `expected`."""

    cell: Mapping[str, Any]
    figure: str
    found: Any
    expected: Any


def figures_of(published: Table) -> Sequence[str]:
    """The figures of a published table: its numbers that are no key."""
    return [c.name for c in published.columns if c.type in (DOUBLE, LONG) and not c.key]


def open_figures(published: Table) -> set[str]:
    """The figures that are shown on masked rows too."""
    required = {c.name for c in published.columns if c.required}
    # The population of a region is known to everybody, and null where there is none.
    return required | ({"population"} & {c.name for c in published.columns})


class Recomputation:
    """The delivered rows of the chain of a published table, ready for its cells."""

    def __init__(self, lake: Lake, published: Table, chain: Chain, connection: duckdb.DuckDBPyConnection) -> None:
        self.published = published
        self.evidence: DeliveredRows = DELIVERED_ROWS[published.name]
        self.connection = connection
        self._numerator = "TABLE"
        self.inputs = Inputs(lake, connection, chain.at, self.evidence.family)

    def serves(self, published: Table, chain: Chain) -> bool:
        """Whether these are the delivered rows of another indicator and its chain too."""
        if DELIVERED_ROWS[published.name].family != self.evidence.family:
            return False
        return all(chain.has(t) and chain.at(t) == version for t, version in self.inputs.versions.items())

    def turn_to(self, published: Table) -> None:
        """Take the cells of another indicator of the same family."""
        self.published = published
        self.evidence = DELIVERED_ROWS[published.name]

    @property
    def keys(self) -> Sequence[str]:
        """The key columns of a cell."""
        return self.published.key

    def choose(self, cells: pa.Table, keep: bool) -> None:
        """Take these cells: relations `cell`, their keys, and `numerator`, the rows that count in them.

        With `keep`, these are held for further questions; of all cells together they may be too many for that.
        """
        kind = self._numerator
        self.connection.execute(f"DROP {kind} IF EXISTS numerator; DROP TABLE IF EXISTS cell")
        self._numerator = "TABLE" if keep else "VIEW"
        self.connection.register("chosen", cells.select(list(self.keys)))
        self.connection.execute("CREATE TABLE cell AS FROM chosen")
        self.connection.unregister("chosen")
        self.connection.execute(
            f"CREATE {self._numerator} numerator AS "
            f"FROM ({self.evidence.rows}) SEMI JOIN cell USING ({', '.join(self.keys)})"
        )

    def figures(self) -> pa.Table:
        """The figures of the chosen cells, from the rows."""
        counted = self.connection.sql(self.evidence.counts).to_arrow_table()
        return with_figures(self.evidence, counted, self.keys)


class Recomputations:
    """Recomputations one after the other; those of a family over the same versions share their delivered rows."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._open: Recomputation | None = None
        self._stack = ExitStack()

    def of(self, published: Table, chain: Chain) -> Recomputation:
        """The recomputation of an indicator; the one before is closed, unless it serves."""
        if self._open is None or not self._open.serves(published, chain):
            self.close()
            connection = self._stack.enter_context(duckdb.connect())
            folder = self._stack.enter_context(scratch(self._lake))
            connection.execute(f"SET temp_directory = {sql_text(str(folder / 'spill'))}")
            self._open = Recomputation(self._lake, published, chain, connection)
        self._open.turn_to(published)
        return self._open

    def close(self) -> None:
        """Let go of the delivered rows."""
        self._open = None
        self._stack.close()


def differences(
    published: Table, shown: pa.Table, exact: pa.Table, computed: pa.Table, masks: pa.Table
) -> Iterator[Difference]:
    """Where published cells are not their recomputation, or show what their mask withholds.

    `exact` and `computed` have the figures of the cells of `shown`; `masks` says by `cell` (its key, joined by |)
    whether it `is_masked`. Cells are paired outside Python, which could not hold a million of them.
    """
    key = published.key
    with duckdb.connect() as connection:
        connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
        for name, rows in (("shown", shown), ("exact", exact), ("computed", computed), ("masks", masks)):
            connection.register(name, rows)
        using = ", ".join(map(sql_name, key))
        named = ", ".join(f"shown.{sql_name(c)}::VARCHAR" for c in key)
        connection.execute(
            f"SELECT shown, exact, computed, masks.is_masked FROM shown LEFT JOIN exact USING ({using}) "
            f"LEFT JOIN computed USING ({using}) LEFT JOIN masks ON masks.cell = concat_ws('|', {named})"
        )
        while rows := connection.fetchmany(BATCH):
            for row, true, other, masked in rows:
                yield from _of_cell(published, {name: row[name] for name in key}, row, true, other, masked)


def _of_cell(
    published: Table, cell: Row, row: Row, true: Row | None, other: Row | None, masked: bool | None
) -> Iterator[Difference]:
    if not true or true[published.key[0]] is None or not other or other[published.key[0]] is None or masked is None:
        yield Difference(cell, "cell", "published", "in no exact indicator, mask or delivered row")
        return
    always = open_figures(published)
    for name in figures_of(published):
        if not same(true[name], other[name]):
            yield Difference(cell, name, true[name], other[name])
        expected = true[name] if name in always or not masked else None
        if not same(row[name], expected):
            yield Difference(cell, f"{name} as published", row[name], expected)
    if row["is_masked"] != masked:
        yield Difference(cell, "is_masked", row["is_masked"], masked)


def same(one: Any, other: Any) -> bool:
    """Whether two figures are equal, but for the rounding of fractions."""
    one, other = (None if isinstance(v, float) and math.isnan(v) else v for v in (one, other))
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
