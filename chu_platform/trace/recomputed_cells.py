"""The figures of published cells, computed again from the delivered rows of a version chain."""

from contextlib import ExitStack

import duckdb
import pyarrow as pa

from chu_platform.indicators.indicator import recomputations
from chu_platform.recomputation.input_tables import create_input_tables
from chu_platform.storage.lake import Lake
from chu_platform.tables.duckdb_sql import sql_text
from chu_platform.tables.table import Table
from chu_platform.trace.scratch_folder import MEMORY_LIMIT, scratch
from chu_platform.trace.version_chain import VersionChain


class CellRecomputation:
    """The input tables of the family of an indicator, made from the source tables of a version chain."""

    def __init__(
        self, lake: Lake, published: Table, chain: VersionChain, connection: duckdb.DuckDBPyConnection
    ) -> None:
        self.published = published
        self.delivered = recomputations()[published.name]
        self.connection = connection
        self._numerator = "TABLE"
        # The input tables serve a whole family: a source that this indicator is not made of cannot change its figures.
        self._versions = create_input_tables(
            lake, connection, lambda t: chain.at(t) if chain.has(t) else lake.version(t), self.delivered.family
        )

    def serves(self, published: Table, chain: VersionChain) -> bool:
        """Whether the input tables are also those of another indicator and its chain."""
        if recomputations()[published.name].family is not self.delivered.family:
            return False
        return all(chain.has(t) and chain.at(t) == version for t, version in self._versions.items())

    def turn_to(self, published: Table) -> None:
        """Take the cells of another indicator of the same family."""
        self.published = published
        self.delivered = recomputations()[published.name]

    def choose(self, cells: pa.Table, keep: bool) -> None:
        """Create the relations `cell`, the keys of these cells, and `numerator`, the rows that count in them.

        With `keep`, the numerator is a table, for several queries; else a view, since that of all cells may not fit in
        memory.
        """
        keys = list(self.published.key)
        self.connection.execute(f"DROP {self._numerator} IF EXISTS numerator; DROP TABLE IF EXISTS cell")
        self._numerator = "TABLE" if keep else "VIEW"
        self.connection.register("chosen", cells.select(keys))
        self.connection.execute("CREATE TABLE cell AS FROM chosen")
        self.connection.unregister("chosen")
        self.connection.execute(
            f"CREATE {self._numerator} numerator AS "
            f"FROM ({self.delivered.rows}) SEMI JOIN cell USING ({', '.join(keys)})"
        )

    def figures(self) -> pa.Table:
        """The figures of the chosen cells."""
        counted = self.connection.sql(self.delivered.counts).to_arrow_table()
        return self.delivered.figures(counted, self.published.key)


class CellRecomputations:
    """One recomputation at a time; indicators of a family with the same source versions share its input tables."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._open: CellRecomputation | None = None
        self._stack = ExitStack()

    def of(self, published: Table, chain: VersionChain) -> CellRecomputation:
        """The recomputation of an indicator; the one before is closed, unless it serves this one too."""
        if self._open is None or not self._open.serves(published, chain):
            self.close()
            connection = self._stack.enter_context(duckdb.connect())
            spill = self._stack.enter_context(scratch(self._lake)) / "spill"
            connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'; SET temp_directory = {sql_text(str(spill))}")
            self._open = CellRecomputation(self._lake, published, chain, connection)
        self._open.turn_to(published)
        return self._open

    def close(self) -> None:
        """Drop the input tables."""
        self._open = None
        self._stack.close()
