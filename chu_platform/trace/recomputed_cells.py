"""The figures of published cells, recomputed from the delivered rows of a version chain."""

from collections.abc import Collection
from contextlib import ExitStack

import duckdb
import pyarrow as pa

from chu_platform.indicators.indicator import recomputations
from chu_platform.recomputation.input_tables import create_input_tables
from chu_platform.storage.duckdb_session import MEMORY_LIMIT
from chu_platform.storage.lake import Lake
from chu_platform.storage.scratch_folder import scratch
from chu_platform.tables.duckdb_sql import sql_text
from chu_platform.tables.table import Table
from chu_platform.trace.version_chain import VersionChain


class CellRecomputation:
    """The recomputation of an indicator, from input tables that are made of the sources of a version chain.

    If only some `cells` are to be recomputed, the input tables need not have the rows of other years.
    """

    def __init__(
        self,
        lake: Lake,
        published: Table,
        chain: VersionChain,
        connection: duckdb.DuckDBPyConnection,
        cells: pa.Table | None,
    ) -> None:
        self.published = published
        self.declaration = recomputations()[published.name]
        self.connection = connection
        # Whether `numerator` is a table or a view: DROP must name the kind.
        self._relation_kind = "TABLE"
        self._years = _years(published, cells)
        # Several indicators share an input set. Its sources that are not in this chain do not affect this indicator.
        self._versions = create_input_tables(
            lake,
            connection,
            lambda t: chain.version_of(t) if chain.has(t) else lake.version(t),
            self.declaration.input_set,
            self._years,
        )

    def can_serve(self, published: Table, chain: VersionChain, cells: pa.Table | None) -> bool:
        """Whether another indicator with this chain, or these cells of it, has the same input tables."""
        if recomputations()[published.name].input_set is not self.declaration.input_set:
            return False
        if _years(published, cells) != self._years:
            return False
        return all(chain.has(t) and chain.version_of(t) == version for t, version in self._versions.items())

    def switch_to(self, published: Table) -> None:
        """Recompute another indicator with the same input set."""
        self.published = published
        self.declaration = recomputations()[published.name]

    def choose(self, cells: pa.Table, materialize: bool) -> None:
        """Create the relations `cell`, the keys of these cells, and `numerator`, the rows that count in them.

        With `materialize`, the numerator is a table, for several queries. Otherwise it is a view, because the numerator
        of all cells may not fit in memory.
        """
        keys = list(self.published.key)
        self.connection.execute(f"DROP {self._relation_kind} IF EXISTS numerator; DROP TABLE IF EXISTS cell")
        self._relation_kind = "TABLE" if materialize else "VIEW"
        self.connection.register("chosen", cells.select(keys))
        self.connection.execute("CREATE TABLE cell AS FROM chosen")
        self.connection.unregister("chosen")
        self.connection.execute(
            f"CREATE {self._relation_kind} numerator AS "
            f"FROM ({self.declaration.rows}) SEMI JOIN cell USING ({', '.join(keys)})"
        )

    def figures(self, base: pa.Table | None = None) -> pa.Table:
        """The figures of the chosen cells. `base` has the keys of cells and the base to use instead, null for none."""
        counted = self.connection.sql(self.declaration.counts).to_arrow_table()
        if base is not None:
            self.connection.register("counted", counted)
            self.connection.register("kept_base", base)
            names = [c for c in base.column_names if c not in self.published.key]
            kept = ", ".join(f"coalesce(b.{c}, c.{c}) AS {c}" for c in names)
            using = ", ".join(self.published.key)
            counted = self.connection.sql(
                f"SELECT c.* REPLACE ({kept}) FROM counted c LEFT JOIN kept_base b USING ({using})"
            ).to_arrow_table()
        return self.declaration.figures(counted, self.published.key)


def _years(published: Table, cells: pa.Table | None) -> Collection[int] | None:
    """The years whose rows these cells of an indicator need; None: all."""
    return None if cells is None else recomputations()[published.name].years_of(cells)


class RecomputationCache:
    """Keeps the last recomputation open, so that the next indicator can use its input tables.

    Indicators with the same input set and the same source versions share them.
    """

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._open: CellRecomputation | None = None
        self._stack = ExitStack()

    def of(self, published: Table, chain: VersionChain, cells: pa.Table | None = None) -> CellRecomputation:
        """The recomputation of an indicator, or of some cells of it.

        The previous one is closed, unless its input tables can be used again.
        """
        if self._open is None or not self._open.can_serve(published, chain, cells):
            self.close()
            connection = self._stack.enter_context(duckdb.connect())
            spill = self._stack.enter_context(scratch(self._lake)) / "spill"
            connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'; SET temp_directory = {sql_text(str(spill))}")
            self._open = CellRecomputation(self._lake, published, chain, connection, cells)
        self._open.switch_to(published)
        return self._open

    def close(self) -> None:
        """Drop the input tables."""
        self._open = None
        self._stack.close()
