"""Audit: the rules of a table, counted over staged rows before they become visible.

Here: running rules. Not here: what the rules are (tables.rules), and what follows from a broken one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from chu_platform.lake.lake import Lake, files_relation
from chu_platform.tables.rules import Rule
from chu_platform.tables.table import Table

MEMORY_LIMIT = "3GB"


@dataclass(frozen=True)
class Verdict:
    """What an audit found: the number of rows that break a rule."""

    rule: Rule
    broken: int

    @property
    def passed(self) -> bool:
        """True when no row breaks the rule."""
        return self.broken == 0


def audit(lake: Lake, table: Table, staged: Path, versions: Mapping[Table, int]) -> list[Verdict]:
    """Count, for each rule of the table, the staged rows that break it.

    Tables referred to are read at the version in `versions`, or as they are now.
    """
    with duckdb.connect() as connection:
        connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
        connection.execute("SET preserve_insertion_order = false")
        files = [str(f) for f in sorted(staged.rglob("*.parquet"))]
        connection.execute(f"CREATE VIEW staged AS SELECT * FROM {files_relation(table, files)}")

        def relation(other: Table) -> str:
            return lake.relation(other, versions.get(other))

        return [Verdict(rule, int(_first(connection, rule.count("staged", relation)) or 0)) for rule in table.all_rules]


def _first(connection: duckdb.DuckDBPyConnection, query: str) -> int | None:
    row = connection.execute(query).fetchone()
    return None if row is None else row[0]
