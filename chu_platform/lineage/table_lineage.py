"""Lineage of a table: the direct origins of each column, one step back.

The lineage of a query is derived from its SQL (`lineage.queries`). For rows computed in Python, the declaration gives
it (`from_columns`). For delivered rows, the reader gives the files and the position of each column.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final

from chu_platform.errors import ChuError
from chu_platform.ingest.delivered import TEXT_PREFIX
from chu_platform.lineage.queries import InputColumn, columns_in, lineage_of_query
from chu_platform.tables.column_origins import Field, Lineage
from chu_platform.tables.columns import STRING, Column, sql_type
from chu_platform.tables.influence import Influence, combined, merged
from chu_platform.tables.rows import EVERY_ROW, Computed, DeliveredRows, ExternalSource, Query
from chu_platform.tables.table import Layer, Table

FILE_NAME: Final = "nom du fichier"


TableField = Field[Table]
ColumnOrigin = TableField | ExternalSource


@cache
def lineage_of(table: Table) -> Lineage[Table]:
    """The lineage of a table. Raises ChuError when the origin of a column is not known."""
    return table.rows.accept(_LineageByKind(table))


class _LineageByKind:
    """The lineage of a table, by the kind of its rows."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def visit_query(self, rows: Query) -> Lineage[Table]:
        """See `RowsVisitor`."""
        return _of_query(self._table, rows)

    def visit_computed(self, rows: Computed) -> Lineage[Table]:
        """See `RowsVisitor`."""
        return _of_function(self._table, rows)

    def visit_delivered(self, rows: DeliveredRows) -> Lineage[Table]:
        """See `RowsVisitor`."""
        table = self._table
        if table.layer is Layer.REJECTS:
            return _of_rejects(table, rows)
        return Lineage({c.name: dict(_delivered(table, rows, c)) for c in table.columns}, {})


def _of_query(table: Table, rows: Query) -> Lineage[Table]:
    inputs = {name: {c.name: sql_type(c.type) for c in read.columns} for name, read in table.reads.items()}
    try:
        found = lineage_of_query(rows.sql, inputs)
    except ChuError as error:
        raise ChuError(f"{table.layer}/{table.name}: {error}") from None
    result = {name: _origins(table, uses) for name, uses in found.columns.items()}
    for name, made_from in rows.from_columns.items():
        if unknown := [used for used in made_from if used not in found.columns]:
            raise ChuError(
                f"{table.layer}/{table.name}: from_columns of {name} names {unknown[0]}, not a column of the query"
            )
        of_each = ({o: combined(k, Influence.TRANSFORMATION) for o, k in result[used].items()} for used in made_from)
        result[name] = merged(*of_each)
    return Lineage(_complete(table, result), {_field(table, cell): kinds for cell, kinds in found.rows.items()})


def _origins(table: Table, uses: Mapping[InputColumn, Influence]) -> dict[ColumnOrigin, Influence]:
    """Input columns as columns of tables. A condition on a disclosure table is a mask, unless rows are counted."""
    found: dict[ColumnOrigin, Influence] = {}
    for cell, kind in uses.items():
        field = _field(table, cell)
        is_mask = (
            kind is Influence.CONDITION and field.table.layer is Layer.DISCLOSURE and table.layer is Layer.PUBLISHED
        )
        # A table may be an input under two names.
        found[field] = (
            Influence.MASK if is_mask and Influence.AGGREGATION not in uses.values() else found.get(field, kind)
        )
    return found


def _field(table: Table, cell: InputColumn) -> TableField:
    name, column = cell
    return Field(table.reads[name], column)


def _of_function(table: Table, rows: Computed) -> Lineage[Table]:
    found = {
        name: {(origin := _declared(table, one)): _influence(table, origin, len(made_from)) for one in made_from}
        for name, made_from in rows.from_columns.items()
    }
    deciding_rows = found.pop(EVERY_ROW, {})
    columns = _complete(table, found)
    return Lineage(columns, dict.fromkeys(deciding_rows, frozenset([Influence.FILTER])))


def _influence(table: Table, origin: ColumnOrigin, origins: int) -> Influence:
    """Of a declared origin, one of several: a decision of the editions masks the figures of a table of the editions."""
    decides = isinstance(origin, Field) and origin.table.layer is table.layer is Layer.EDITIONS
    return Influence.MASK if decides and origins > 1 else Influence.TRANSFORMATION


def _declared(table: Table, origin: str | ExternalSource) -> ColumnOrigin:
    if isinstance(origin, ExternalSource):
        return origin
    name, _, column = origin.partition(".")
    read = table.reads.get(name)
    if read is None or column not in {c.name for c in read.columns}:
        raise ChuError(f"{table.layer}/{table.name}: from_columns names {origin}, which the table does not read")
    return Field(read, column)


def _complete(
    table: Table, found: Mapping[str, Mapping[ColumnOrigin, Influence]]
) -> Mapping[str, Mapping[ColumnOrigin, Influence]]:
    missing = [c.name for c in table.columns if c.name not in found]
    if missing:
        raise ChuError(
            f"{table.layer}/{table.name}: the origins of {', '.join(missing)} are not declared in from_columns"
        )
    return {c.name: found[c.name] for c in table.columns}


def _delivered(table: Table, rows: DeliveredRows, column: Column) -> Iterator[tuple[ColumnOrigin, Influence]]:
    """The position of a column in the delivery, or the columns from which it is derived."""
    expression = rows.expression_of(column.name)
    if expression is None:
        same = column.type == STRING and not rows.is_rewritten(column.name)
        place = ExternalSource(rows.delivery, rows.location_of(column.name))
        yield place, Influence.IDENTITY if same else Influence.TRANSFORMATION
        return
    names = {c.name.lower(): c.name for c in table.columns}
    for name in columns_in(expression, "duckdb"):
        used = name.removeprefix(TEXT_PREFIX)
        if used.lower() in names:
            yield Field(table, names[used.lower()]), Influence.TRANSFORMATION
        else:
            # Part of the file name: the reader refuses a column that is neither.
            yield ExternalSource(rows.delivery, f"{FILE_NAME}, partie « {used} »"), Influence.TRANSFORMATION


def _of_rejects(table: Table, rows: DeliveredRows) -> Lineage[Table]:
    positions = {
        "file": FILE_NAME,
        "line": "numéro de ligne",
        "delivery": "empreinte du fichier",
        "first_seen": "moment de la première lecture",
        "mended_by": "empreinte du fichier qui corrige",
    }
    columns: dict[str, dict[ColumnOrigin, Influence]] = {
        c.name: {ExternalSource(rows.delivery, positions.get(c.name, "ligne entière")): Influence.TRANSFORMATION}
        for c in table.columns
    }
    return Lineage(columns, {})
