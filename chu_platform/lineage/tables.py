"""The lineage of a table: what each of its columns is made from, one step back.

Queries are followed (queries); of what Python makes, the declaration says it (`from_columns`); of what is delivered,
the reader knows the files and the place in them.

Here: declarations in, one step of lineage out. Not here: the way back to the sources (sources).
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from chu_platform.errors import ChuError
from chu_platform.lineage.influence import Influence, merged, through
from chu_platform.lineage.queries import Cell, columns_in, lineage_of_query
from chu_platform.tables.columns import STRING, Column, sql_type
from chu_platform.tables.rows import EVERY_ROW, Computed, DeliveredRows, ExternalSource, Query
from chu_platform.tables.table import Layer, Table

FILE_NAME: Final = "nom du fichier"


@dataclass(frozen=True)
class Field:
    """A column of a table of the lake."""

    table: Table
    column: str


ColumnOrigin = Field | ExternalSource


@dataclass(frozen=True)
class Lineage:
    """`columns`: for each column of the table, in their order, its origins; nothing for a constant of the declaration.

    `rows`: what decides which rows there are, whatever the column.
    """

    columns: Mapping[str, Mapping[ColumnOrigin, Influence]]
    rows: Mapping[ColumnOrigin, frozenset[Influence]]

    @property
    def origins(self) -> Collection[ColumnOrigin]:
        """Everything that its columns and rows come from, each once, in order."""
        return dict.fromkeys([*(o for found in self.columns.values() for o in found), *self.rows])


@cache
def lineage_of(table: Table) -> Lineage:
    """The lineage of a table. Raises ChuError naming a column of which nothing is known."""
    return table.rows.accept(_LineageByKind(table))


class _LineageByKind:
    """The lineage of a table, by the kind of its rows."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def visit_query(self, rows: Query) -> Lineage:
        """See `RowsVisitor`."""
        return _of_query(self._table, rows)

    def visit_computed(self, rows: Computed) -> Lineage:
        """See `RowsVisitor`."""
        return _of_function(self._table, rows)

    def visit_delivered(self, rows: DeliveredRows) -> Lineage:
        """See `RowsVisitor`."""
        table = self._table
        if table.layer is Layer.REJECTS:
            return _of_rejects(table, rows)
        return Lineage({c.name: dict(_delivered(table, rows, c)) for c in table.columns}, {})


def _of_query(table: Table, rows: Query) -> Lineage:
    inputs = {name: {c.name: sql_type(c.type) for c in read.columns} for name, read in table.reads.items()}
    try:
        found = lineage_of_query(rows.sql, inputs)
    except ChuError as error:
        raise ChuError(f"{table.layer}/{table.name}: {error}") from None
    result = {name: _origins(table, uses) for name, uses in found.columns.items()}
    for name, made_from in rows.from_columns.items():
        if unknown := [used for used in made_from if used not in found.columns]:
            raise ChuError(f"{table.layer}/{table.name}: its query has no column {unknown[0]}, which makes {name}")
        of_each = ({o: through(k, Influence.TRANSFORMATION) for o, k in result[used].items()} for used in made_from)
        result[name] = merged(*of_each)
    return Lineage(_complete(table, result), {_field(table, cell): kinds for cell, kinds in found.rows.items()})


def _origins(table: Table, uses: Mapping[Cell, Influence]) -> dict[ColumnOrigin, Influence]:
    """Columns of inputs as columns of tables. What disclosure decides about a figure that is no count is a mask."""
    found: dict[ColumnOrigin, Influence] = {}
    for cell, kind in uses.items():
        field = _field(table, cell)
        masks = kind is Influence.CONDITION and field.table.layer is Layer.DISCLOSURE and table.layer is Layer.PUBLISHED
        # An input may be read under two names.
        found[field] = (
            Influence.MASK if masks and Influence.AGGREGATION not in uses.values() else found.get(field, kind)
        )
    return found


def _field(table: Table, cell: Cell) -> Field:
    name, column = cell
    return Field(table.reads[name], column)


def _of_function(table: Table, rows: Computed) -> Lineage:
    found = {
        name: {_declared(table, one): Influence.TRANSFORMATION for one in made_from}
        for name, made_from in rows.from_columns.items()
    }
    decides = found.pop(EVERY_ROW, {})
    columns = _complete(table, found)
    return Lineage(columns, dict.fromkeys(decides, frozenset([Influence.FILTER])))


def _declared(table: Table, origin: str | ExternalSource) -> ColumnOrigin:
    if isinstance(origin, ExternalSource):
        return origin
    name, _, column = origin.partition(".")
    read = table.reads.get(name)
    if read is None or column not in {c.name for c in read.columns}:
        raise ChuError(f"{table.layer}/{table.name} reads no {origin}, which its from_columns names")
    return Field(read, column)


def _complete(
    table: Table, found: Mapping[str, Mapping[ColumnOrigin, Influence]]
) -> Mapping[str, Mapping[ColumnOrigin, Influence]]:
    missing = [c.name for c in table.columns if c.name not in found]
    if missing:
        raise ChuError(
            f"{table.layer}/{table.name}: nothing says what {', '.join(missing)} is made from: name it in from_columns"
        )
    return {c.name: found[c.name] for c in table.columns}


def _delivered(table: Table, rows: DeliveredRows, column: Column) -> Iterator[tuple[ColumnOrigin, Influence]]:
    """Where the delivery holds a column, or which columns it is derived from."""
    expression = rows.expression_of(column.name)
    if expression is None:
        same = column.type == STRING and not rows.is_rewritten(column.name)
        place = ExternalSource(rows.delivery, rows.location_of(column.name))
        yield place, Influence.IDENTITY if same else Influence.TRANSFORMATION
        return
    names = {c.name.lower(): c.name for c in table.columns}
    for used in columns_in(expression, "duckdb"):
        if used.lower() in names:
            yield Field(table, names[used.lower()]), Influence.TRANSFORMATION
        else:
            # A part of the file's name: the reader refuses a column that is neither.
            yield ExternalSource(rows.delivery, f"{FILE_NAME}, partie « {used} »"), Influence.TRANSFORMATION


def _of_rejects(table: Table, rows: DeliveredRows) -> Lineage:
    wheres = {
        "file": FILE_NAME,
        "line": "numéro de ligne",
        "delivery": "empreinte du fichier",
        "first_seen": "moment de la première lecture",
        "mended_by": "empreinte du fichier qui corrige",
    }
    columns: dict[str, dict[ColumnOrigin, Influence]] = {
        c.name: {ExternalSource(rows.delivery, wheres.get(c.name, "ligne entière")): Influence.TRANSFORMATION}
        for c in table.columns
    }
    return Lineage(columns, {})
