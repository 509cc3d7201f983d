"""Rules: what must be true of a table's rows before they become visible.

A rule is data: a kind, a column, and a query that counts the rows breaking it. The queries are DuckDB SQL over the
staged rows `{this}` and, for foreign keys, over the current version of the table referred to.

Here: the kinds of rules and their queries. Not here: running them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chu_platform.tables.table import Table

# Gives the DuckDB relation of the current version of a table.
Relation = Callable[["Table"], str]


@dataclass(frozen=True)
class Rule:
    """One rule. `name` is unique within its table; `count` is the query of the rows that break it."""

    name: str
    description: str
    count: Callable[[str, Relation], str]
    refers_to: "Table | None" = None


def not_null(column: str) -> Rule:
    """No row has a null in `column`."""
    return Rule(
        f"not_null_{column}",
        f"{column} is never null",
        lambda this, _: f'SELECT count(*) FILTER ("{column}" IS NULL) FROM {this}',
    )


def unique(*columns: str) -> Rule:
    """No two rows agree on all of `columns`."""
    names = ", ".join(f'"{c}"' for c in columns)
    return Rule(
        f"unique_{columns[0]}",
        f"({', '.join(columns)}) is unique",
        lambda this, _: (
            f"SELECT coalesce(sum(n - 1), 0)::BIGINT FROM (SELECT count(*) n FROM {this} GROUP BY {names} HAVING n > 1)"
        ),
    )


def foreign_key(column: str, table: "Table", referred: str | None = None) -> Rule:
    """Every value of `column` that is not null exists in `table`, as its key (or its column `referred`)."""
    target = referred or column
    return Rule(
        f"foreign_key_{column}",
        f"every {column} exists in {table.name}.{target}",
        lambda this, relation: (
            f'SELECT coalesce(sum(n), 0)::BIGINT FROM (SELECT "{column}" v, count(*) n FROM {this} GROUP BY 1) '
            f'WHERE v IS NOT NULL AND v NOT IN (SELECT "{target}" FROM {relation(table)} WHERE "{target}" IS NOT NULL)'
        ),
        refers_to=table,
    )


def one_of(column: str, values: Sequence[str]) -> Rule:
    """Every value of `column` that is not null is one of `values`."""
    listed = ", ".join("'" + v.replace("'", "''") + "'" for v in values)
    return Rule(
        f"domain_{column}",
        f"{column} is one of {', '.join(values)}",
        lambda this, _: f'SELECT count(*) FILTER ("{column}" NOT IN ({listed})) FROM {this}',
    )


def holds(name: str, condition: str, description: str) -> Rule:
    """`condition` is not false on any row (null counts as true, as in a SQL CHECK)."""
    return Rule(name, description, lambda this, _: f"SELECT count(*) FILTER (NOT ({condition})) FROM {this}")


def none_in(name: str, query: str, description: str, refers_to: "Table | None" = None) -> Rule:
    """`query`, a count of broken rows over `{this}` (and `{other}`, the table referred to), gives 0."""
    return Rule(
        name,
        description,
        lambda this, relation: query.format(this=this, other=relation(refers_to) if refers_to else ""),
        refers_to=refers_to,
    )
