"""Audit: the rules of a table, measured over staged rows before they become visible.

Here: running rules. Not here: what the rules are (tables.rules), and what follows from a broken one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from chu_platform.lake.lake import Lake, active_files, files_relation
from chu_platform.tables.duckdb_sql import sql_text
from chu_platform.tables.rules import Counts, Rule, Sides
from chu_platform.tables.slices import Slices
from chu_platform.tables.table import Table

MEMORY_LIMIT: Final = "3GB"
NOTHING_DELIVERED: Final = Counts()


@dataclass(frozen=True)
class Verdict:
    """What an audit found: the rule, and what was measured (most often the number of rows that break it)."""

    rule: Rule
    measured: float | None

    @property
    def passed(self) -> bool:
        """Whether the rule holds."""
        return self.rule.allows(self.measured)

    @property
    def blocks(self) -> bool:
        """Whether this keeps the rows from being published."""
        return self.rule.blocking and not self.passed


def audit(
    lake: Lake,
    table: Table,
    staged: Path,
    slices: Slices | None,
    versions: Mapping[Table, int],
    counts: Counts = NOTHING_DELIVERED,
) -> list[Verdict]:
    """Measure each rule of the table over the staged rows of `slices` (of the whole table when None).

    Tables referred to are read at the version in `versions`, or as they are now.
    """
    with duckdb.connect() as connection:
        connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
        connection.execute(f"SET temp_directory = {sql_text(str(staged.parent / 'spill'))}")
        connection.execute("SET preserve_insertion_order = false")
        files = files_relation(table, sorted(staged.rglob("*.parquet")))
        connection.execute(f"CREATE VIEW staged AS SELECT * FROM {files}")

        def current(other: Table) -> str:
            return lake.relation(other, versions.get(other))

        def same_slices(other: Table) -> str | None:
            if slices is None or slices.whole:
                return current(other)
            alike = other.slicing is slices.slicing
            return f"(SELECT * FROM {current(other)} WHERE {slices.predicate()})" if alike else None

        sides = Sides(
            "staged",
            _after(lake, table, slices),
            current,
            same_slices,
            _rows_before(lake, table, slices),
            counts,
        )
        return [Verdict(rule, _first(connection, rule.query(sides))) for rule in table.all_rules]


def _after(lake: Lake, table: Table, slices: Slices | None) -> str:
    """The whole table as it would be: the staged rows, and those of the slices that stay."""
    if slices is None or slices.whole or lake.open(table) is None:
        return "staged"
    kept = f"SELECT * FROM {lake.relation(table)} WHERE NOT coalesce({slices.predicate()}, false)"
    return f"(SELECT * FROM staged UNION ALL {kept})"


def _rows_before(lake: Lake, table: Table, slices: Slices | None) -> int | None:
    delta = lake.open(table)
    if delta is None:
        return None
    return sum(
        f["num_records"] or 0
        for f in active_files(delta)
        if slices is None or slices.holds((f.get("partition") or {}).get(slices.slicing.column))
    )


def _first(connection: duckdb.DuckDBPyConnection, query: str) -> float | None:
    row = connection.execute(query).fetchone()
    return None if row is None or row[0] is None else float(row[0])
