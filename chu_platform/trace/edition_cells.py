"""What the cells of an edition must show, by its rule: from recomputed figures and the edition before."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import duckdb
import pyarrow as pa

from chu_platform.editions.decisions import EQUAL, FORMER, MOST, PRESENT, SHARE, State
from chu_platform.editions.edition_rows import Figures
from chu_platform.indicators.indicator import indicators
from chu_platform.storage.lake import Lake
from chu_platform.tables.duckdb_sql import sql_text
from chu_platform.tables.table import Layer, Table
from chu_platform.trace.comparison import Difference
from chu_platform.trace.recomputed_cells import CellRecomputation
from chu_platform.trace.version_chain import VersionChain

# SQL lists of the states.
SHOW_PRESENT: Final = ", ".join(f"'{s}'" for s in PRESENT)
SHOW_FORMER: Final = ", ".join(f"'{s}'" for s in FORMER)


def edition_table_of(table: Table) -> Table | None:
    """The table of the editions that a table is, or that it repeats; None for a table outside editions."""
    return table if table.layer is Layer.EDITIONS else table.edition


@dataclass(frozen=True)
class EditionCells:
    """The cells of an indicator in one edition: its tables at their versions.

    `former` are the rows of the edition before, without rows in the first one.
    """

    lake: Lake
    table: Table
    chain: VersionChain
    former: pa.Table
    former_version: int | None

    @classmethod
    def of(cls, lake: Lake, table: Table, chain: VersionChain) -> "EditionCells":
        """The cells of the edition in a version chain that begins at it or at the published table that repeats it."""
        commits = chain.table_version_of(table).data_commits
        version = commits[0].get("read", {}).get(table.folder) if commits else None
        former = table.schema.empty_table() if version is None else lake.current_rows(table, version)
        return cls(lake, table, chain, former, version)

    @property
    def figures(self) -> Figures:
        """How the edition fills its columns."""
        return next(i.figures for i in indicators() if i.in_editions and i.edition is self.table)

    @property
    def decisions(self) -> str:
        """DuckDB relation of the decisions on its cells: cell, state, reason, is_masked."""
        decision = self.table.reads["decision"]
        rows = self.lake.relation(decision, self.chain.version_of(decision))
        name = sql_text(self.figures.indicator)
        return f"(SELECT cell, state, reason, is_masked FROM {rows} WHERE indicator = {name} AND state <> 'absent')"

    def candidates(self, shown: pa.Table) -> pa.Table:
        """The exact rows, not masked, of the cells in `shown`."""
        candidate = self.table.reads["candidate"]
        keys = ", ".join(self.figures.key)
        with duckdb.connect() as connection:
            connection.register("shown", shown)
            rows = self.lake.relation(candidate, self.chain.version_of(candidate))
            found: pa.Table = connection.sql(f"FROM {rows} SEMI JOIN shown USING ({keys})").to_arrow_table()
        return found

    def expected(self, shown: pa.Table, recomputation: CellRecomputation) -> pa.Table:
        """What the cells in `shown` must show: keys, figures and `is_masked`. The recomputation has chosen them."""
        figures = self.figures
        key = ", ".join(figures.key)
        cell = ", ".join(f"s.{c}::VARCHAR" for c in figures.key)
        with duckdb.connect() as connection:
            connection.register("shown", shown)
            connection.register("former", self.former)
            base = None
            if figures.base:
                group = ", ".join(figures.base_key)
                kept = ", ".join(f"max({c}) AS {c}" for c in figures.base)
                listed = ", ".join(f"b.{c}" for c in figures.base)
                base = connection.sql(
                    f"SELECT {', '.join(f's.{c}' for c in figures.key)}, {listed} FROM shown s "
                    f"LEFT JOIN (SELECT {group}, {kept} FROM former GROUP BY {group}) b USING ({group})"
                ).to_arrow_table()
            connection.register("present", recomputation.figures(base))
            columns = [
                f"CASE WHEN d.state IN ({SHOW_FORMER}) THEN f.{c} "
                f"WHEN d.state IN ({SHOW_PRESENT}) THEN {value} END AS {c}"
                for c, value in self._present()
            ]
            found: pa.Table = connection.sql(
                figures.publishable(
                    f"SELECT {', '.join(f's.{c}' for c in figures.key)}, {', '.join(columns)}, d.is_masked "
                    f"FROM shown s LEFT JOIN {self.decisions} d ON d.cell = concat_ws('|', {cell}) "
                    f"LEFT JOIN former f USING ({key}) LEFT JOIN present p USING ({key})"
                )
            ).to_arrow_table()
        return found

    def _present(self) -> Iterator[tuple[str, str]]:
        """Each figure, with the SQL of what a cell with present counts shows."""
        figures = self.figures
        for name in (*figures.counts, *figures.base, *figures.others):
            if name in figures.others and name not in figures.computed:
                yield name, f"CASE WHEN d.state = '{State.SAME}' THEN coalesce(f.{name}, p.{name}) ELSE p.{name} END"
            else:
                yield name, f"p.{name}"

    def broken_rules(self, shown: pa.Table) -> Iterator[Difference]:
        """The cells in `shown` that break the rule: a small change is shown, or none of less than 1 % waits."""
        figures = self.figures
        if not figures.counts:
            # Exact counts are in the decisions alone, whose checks compare them.
            return
        cell = ", ".join(f"f.{c}::VARCHAR" for c in figures.key)
        pairs = [f"abs(k.{c} - f.{c})" for c in figures.counts]
        is_small = " OR ".join(f"coalesce({d} > {EQUAL} AND {d} <= {MOST}, false)" for d in pairs)
        is_little = " AND ".join(
            f"coalesce({d} <= {EQUAL} OR {d} < {SHARE} * f.{c}, true)"
            for d, c in zip(pairs, figures.counts, strict=True)
        )
        with duckdb.connect() as connection:
            connection.register("candidate", self.candidates(shown))
            connection.register("former", self.former)
            rows = connection.execute(
                f"SELECT f, d.state, {is_small}, {is_little} "
                f"FROM former f JOIN candidate k USING ({', '.join(figures.key)}) "
                f"JOIN {self.decisions} d ON d.cell = concat_ws('|', {cell}) WHERE NOT f.is_masked"
            )
            while batch := rows.fetchmany(10_000):
                for row, state, small, little in batch:
                    key = {c: row[c] for c in figures.key}
                    if state == State.PENDING and not (small and little):
                        yield Difference(key, "revision_pending", True, False)
                    if state in PRESENT and small:
                        yield Difference(key, "a change of 1 to 10", "published", "not published")

    def state(self, key: Mapping[str, Any]) -> tuple[str, str | None]:
        """The state of a cell, and its reason."""
        name = sql_text("|".join(str(v) for v in key.values()))
        with duckdb.connect() as connection:
            found: Sequence[Any] = connection.execute(
                f"SELECT state, reason FROM {self.decisions} WHERE cell = {name}"
            ).fetchall()[0]
        return found[0], found[1]
