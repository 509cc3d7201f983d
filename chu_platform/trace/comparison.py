"""Comparison of published figures with the exact indicator, the mask and the recomputation."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import duckdb
import pyarrow as pa

from chu_platform.storage.duckdb_session import MEMORY_LIMIT
from chu_platform.tables.columns import DOUBLE, LONG
from chu_platform.tables.duckdb_sql import sql_name
from chu_platform.tables.table import Table

# Shares of events are stored with twelve decimals, and sums of floating-point numbers depend on their order.
TOLERANCE: Final = 1e-8
# Number of cells fetched at once.
BATCH: Final = 10_000
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Difference:
    """A wrong figure of a cell. If the figure should be masked, `expected` is None."""

    cell: Mapping[str, Any]
    figure: str
    found: Any
    expected: Any


def figures_of(published: Table) -> Sequence[str]:
    """The figures of a published table: its numbers outside the key."""
    return [c.name for c in published.columns if c.type in (DOUBLE, LONG) and not c.key]


def masked_rows(published: Table, exact: pa.Table, masks: pa.Table) -> pa.Table:
    """What a published table outside editions must show: the exact rows, without the figures that are masked.

    `masks` has the columns `cell` (the key, joined by `|`) and `is_masked`.
    """
    figures = [f"CASE WHEN NOT m.is_masked THEN e.{sql_name(c)} END AS {sql_name(c)}" for c in figures_of(published)]
    key = [f"e.{sql_name(c)}" for c in published.key]
    cell = ", ".join(f"{c}::VARCHAR" for c in key)
    with duckdb.connect() as connection:
        connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
        connection.register("exact", exact)
        connection.register("masks", masks)
        found: pa.Table = connection.sql(
            f"SELECT {', '.join([*key, *figures])}, m.is_masked "
            f"FROM exact e JOIN masks m ON m.cell = concat_ws('|', {cell})"
        ).to_arrow_table()
    return found


def differences(
    published: Table, shown: pa.Table, exact: pa.Table, computed: pa.Table, expected: pa.Table
) -> Iterator[Difference]:
    """The figures that differ between exact rows and recomputation, or between what is published and what must be.

    `shown` are the published cells; `exact` and `computed` have the figures of the same cells; `expected` has those to
    publish, and `is_masked`. DuckDB joins the cells, because the objects of a million cells do not fit in Python's
    memory.
    """
    key = published.key
    with duckdb.connect() as connection:
        connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
        # Names that no column has: a column may be called "expected".
        tables = {"shown_row": shown, "exact_row": exact, "computed_row": computed, "expected_row": expected}
        for name, rows in tables.items():
            connection.register(name, rows)
        using = ", ".join(map(sql_name, key))
        connection.execute(
            f"SELECT {', '.join(tables)} FROM shown_row LEFT JOIN exact_row USING ({using}) "
            f"LEFT JOIN computed_row USING ({using}) LEFT JOIN expected_row USING ({using})"
        )
        while rows := connection.fetchmany(BATCH):
            for row, exact_row, computed_row, expected_row in rows:
                cell = {name: row[name] for name in key}
                yield from _differences_of_cell(published, cell, row, exact_row, computed_row, expected_row)


def _differences_of_cell(
    published: Table, cell: Row, row: Row, exact: Row | None, computed: Row | None, expected: Row | None
) -> Iterator[Difference]:
    first = published.key[0]
    if (
        not exact
        or exact[first] is None
        or not computed
        or computed[first] is None
        or not expected
        or expected["is_masked"] is None
    ):
        yield Difference(cell, "cell", "published", "in no exact indicator, mask or delivered row")
        return
    for name in figures_of(published):
        if not same(exact[name], computed[name]):
            yield Difference(cell, name, exact[name], computed[name])
        if not same(row[name], expected[name]):
            yield Difference(cell, f"{name} as published", row[name], expected[name])
    if row["is_masked"] != expected["is_masked"]:
        yield Difference(cell, "is_masked", row["is_masked"], expected["is_masked"])


def same(one: Any, other: Any) -> bool:
    """Whether two figures are equal within TOLERANCE."""
    one, other = (None if isinstance(v, float) and math.isnan(v) else v for v in (one, other))
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
