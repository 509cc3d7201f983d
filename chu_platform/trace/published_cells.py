"""A cell of a published indicator, found by values of its key columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import duckdb
import pyarrow as pa

from chu_platform.errors import ChuError
from chu_platform.indicators.indicator import recomputations
from chu_platform.storage.lake import Lake
from chu_platform.tables.duckdb_sql import sql_name, sql_text
from chu_platform.tables.spark_sql import ALL
from chu_platform.tables.table import Layer, Table
from chu_platform.trace.version_chain import find_table, require_version

MAX_LISTED: Final = 20


@dataclass(frozen=True)
class Cell:
    """A row of a published indicator at a version; `key` are its key columns."""

    table: Table
    version: int
    key: Mapping[str, Any]
    row: pa.Table

    @property
    def name(self) -> str:
        """The cell as it is named in its mask: its key, joined by |."""
        return "|".join(str(v) for v in self.key.values())

    @property
    def values(self) -> Mapping[str, Any]:
        """The values of the row by column."""
        values: dict[str, Any] = self.row.to_pylist()[0]
        return values


def find_cell(lake: Lake, name: str, conditions: Sequence[str], version: int | None) -> Cell:
    """The cell of the table `name` that meets the conditions (`column=value`), at a version or the current one.

    Key columns without a condition are `all`, where there is such a row. Raises ChuError for a table, column or value
    that does not exist, and when several cells meet the conditions.
    """
    table = find_table(name)
    if table.layer is not Layer.PUBLISHED or table.name not in recomputations():
        known = ", ".join(sorted(f"published/kpis/{n}" for n in recomputations()))
        raise ChuError(f"{table.folder} is not a published indicator; those are {known}")
    asked = _asked(table, conditions)
    at = require_version(lake, table, version)
    with duckdb.connect() as connection:
        rows = lake.relation(table, at)
        for column, value in asked.items():
            _require_value(connection, rows, table, column, value)
        wanted = " AND ".join(f"{_text(c)} = {sql_text(v)}" for c, v in asked.items()) or "true"
        found = connection.sql(f"SELECT * FROM {rows} WHERE {wanted}").to_arrow_table()
    if len(found) > 1:
        found = _total(table, asked, found)
    if not len(found):
        raise ChuError(f"{table.folder} has no row with {' '.join(f'{c}={v}' for c, v in asked.items())}")
    row = found.to_pylist()[0]
    return Cell(table, at, {c: row[c] for c in table.key}, found)


def _asked(table: Table, conditions: Sequence[str]) -> Mapping[str, str]:
    asked: dict[str, str] = {}
    for condition in conditions:
        column, equals, value = condition.partition("=")
        if not equals:
            raise ChuError(f"{condition!r} is not column=value; the key of {table.name} is {', '.join(table.key)}")
        if column not in table.key:
            raise ChuError(f"{table.name} has no key column {column!r}; its key is {', '.join(table.key)}")
        if column in asked:
            raise ChuError(f"{column} is given twice")
        asked[column] = value
    return asked


def _text(column: str) -> str:
    return f"CAST({sql_name(column)} AS VARCHAR)"


def _require_value(connection: duckdb.DuckDBPyConnection, rows: str, table: Table, column: str, value: str) -> None:
    known = [v for (v,) in connection.execute(f"SELECT DISTINCT {_text(column)} v FROM {rows} ORDER BY v").fetchall()]
    if value not in known:
        listed = ", ".join(known[:MAX_LISTED]) + (" ..." if len(known) > MAX_LISTED else "")
        raise ChuError(f"{table.name} has no {column}={value}; there are {listed}")


def _total(table: Table, asked: Mapping[str, str], found: pa.Table) -> pa.Table:
    """The row that is a total in every key column without a condition. Raises ChuError unless there is one."""
    missing = [c for c in table.key if c not in asked]
    # A column with a total need not be given, if all the others are.
    needed = [c for c in missing if ALL not in found[c].to_pylist()] or missing
    totals = [i for i, row in enumerate(found.to_pylist()) if all(row[c] == ALL for c in missing)]
    if len(totals) == 1:
        return found.slice(totals[0], 1)
    choices = "; ".join(f"{c}={'|'.join(sorted({str(v) for v in found[c].to_pylist()})[:8])}" for c in needed)
    raise ChuError(f"{len(found)} cells match: also give {', '.join(needed)} ({choices})")
