"""A cell of a published indicator, found by the values of its key columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import duckdb
import pyarrow as pa

from chu_platform.editions.readable import edition, kept_version, readable_version
from chu_platform.errors import ChuError
from chu_platform.indicators.indicator import recomputations
from chu_platform.storage.edition_manifest import published_edition
from chu_platform.storage.lake import Lake
from chu_platform.tables.duckdb_sql import sql_name, sql_text
from chu_platform.tables.spark_sql import ALL
from chu_platform.tables.table import Layer, Table
from chu_platform.trace.version_chain import find_table, require_version

MAX_LISTED: Final = 20


@dataclass(frozen=True)
class Cell:
    """A row of a published indicator at a version. `key` holds the values of its key columns, `row` the row itself.

    A row of a superseded edition is in the table of the editions. `name_of_version` is the version or the edition, for
    display.
    """

    table: Table
    version: int
    key: Mapping[str, Any]
    row: pa.Table
    name_of_version: str

    @property
    def name(self) -> str:
        """The cell as its mask identifies it: its key, joined by `|`."""
        return "|".join(str(v) for v in self.key.values())

    @property
    def values(self) -> Mapping[str, Any]:
        """The values of the row by column."""
        values: dict[str, Any] = self.row.to_pylist()[0]
        return values


def find_cell(lake: Lake, name: str, conditions: Sequence[str], as_of: int | None) -> Cell:
    """The cell of the table `name` that meets the conditions (`column=value`), as readers see it.

    With `as_of`, the cell in the edition of this number or, of a table outside editions, at this version. Key columns
    without a condition are `all`, if there is such a row. Raises ChuError for a table, column or value that does not
    exist, and when several cells meet the conditions.
    """
    table = find_table(name)
    if table.layer is not Layer.PUBLISHED or table.name not in recomputations():
        known = ", ".join(sorted(f"published/kpis/{n}" for n in recomputations()))
        raise ChuError(f"{table.folder} is not a published indicator; the published indicators are {known}")
    requested = _requested(table, conditions)
    table, at, name_of_version = _version(lake, table, as_of)
    with duckdb.connect() as connection:
        rows = lake.relation(table, at)
        for column, value in requested.items():
            _require_value(connection, rows, table, column, value)
        wanted = " AND ".join(f"{_text(c)} = {sql_text(v)}" for c, v in requested.items()) or "true"
        found = connection.sql(f"SELECT * FROM {rows} WHERE {wanted}").to_arrow_table()
    if len(found) > 1:
        found = _total(table, requested, found)
    if not len(found):
        raise ChuError(f"{table.folder} has no row with {' '.join(f'{c}={v}' for c, v in requested.items())}")
    row = found.to_pylist()[0]
    return Cell(table, at, {c: row[c] for c in table.key}, found, name_of_version)


def _version(lake: Lake, table: Table, as_of: int | None) -> tuple[Table, int, str]:
    """The table and the version to read, and what they are called."""
    if table.edition is None:
        at = require_version(lake, table, as_of)
        return table, at, f"version {at}"
    shown = published_edition(lake.place)
    if as_of is None or (shown and shown.number == as_of):
        at = readable_version(lake, table)
        return table, at, f"edition {shown.number} of {shown.date}" if shown else ""
    past = edition(lake, as_of)
    return table.edition, kept_version(past, table.edition), f"edition {past.number} of {past.date}"


def _requested(table: Table, conditions: Sequence[str]) -> Mapping[str, str]:
    requested: dict[str, str] = {}
    for condition in conditions:
        column, equals, value = condition.partition("=")
        if not equals:
            raise ChuError(f"{condition!r} is not column=value; the key of {table.name} is {', '.join(table.key)}")
        if column not in table.key:
            raise ChuError(f"{table.name} has no key column {column!r}; its key is {', '.join(table.key)}")
        if column in requested:
            raise ChuError(f"{column} is given twice")
        requested[column] = value
    return requested


def _text(column: str) -> str:
    return f"CAST({sql_name(column)} AS VARCHAR)"


def _require_value(connection: duckdb.DuckDBPyConnection, rows: str, table: Table, column: str, value: str) -> None:
    known = [v for (v,) in connection.execute(f"SELECT DISTINCT {_text(column)} v FROM {rows} ORDER BY v").fetchall()]
    if value not in known:
        listed = ", ".join(known[:MAX_LISTED]) + (" ..." if len(known) > MAX_LISTED else "")
        raise ChuError(f"{table.name} has no {column}={value}; its values are {listed}")


def _total(table: Table, requested: Mapping[str, str], found: pa.Table) -> pa.Table:
    """The row with `all` in every key column without a condition. Raises ChuError if there is no such row."""
    missing = [c for c in table.key if c not in requested]
    # A column that has the value `all` is optional.
    needed = [c for c in missing if ALL not in found[c].to_pylist()] or missing
    totals = [i for i, row in enumerate(found.to_pylist()) if all(row[c] == ALL for c in missing)]
    if len(totals) == 1:
        return found.slice(totals[0], 1)
    choices = "; ".join(f"{c}={'|'.join(sorted({str(v) for v in found[c].to_pylist()})[:8])}" for c in needed)
    raise ChuError(f"{len(found)} cells match: also give {', '.join(needed)} ({choices})")
