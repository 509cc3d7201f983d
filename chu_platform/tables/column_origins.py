"""Column lineage as data: direct origins of a column, and the external sources at the start of its lineage.

`Name` is the type that identifies a table: a declaration (`Table`) or the name of a table.
"""

from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from chu_platform.tables.influence import Influence
from chu_platform.tables.rows import ExternalSource

Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True)
class Field(Generic[Name]):
    """A column of a table of the lake."""

    table: Name
    column: str


@dataclass(frozen=True)
class Lineage(Generic[Name]):
    """Direct lineage of a table.

    `columns`: the origins of each column, in the order of the columns; empty for a constant of the declaration.
    `rows`: the origins that determine which rows exist, and so influence every column.
    """

    columns: Mapping[str, Mapping[Field[Name] | ExternalSource, Influence]]
    rows: Mapping[Field[Name] | ExternalSource, frozenset[Influence]]

    @property
    def origins(self) -> Collection[Field[Name] | ExternalSource]:
        """All distinct origins of its columns and rows, in order."""
        return dict.fromkeys([*(o for origins in self.columns.values() for o in origins), *self.rows])


@dataclass(frozen=True)
class End(Generic[Name]):
    """Start of a lineage: an external source, and the column of the lake that is read from it."""

    field: Field[Name]
    source: ExternalSource


class WayBack(Generic[Name]):
    """The external sources of columns, found by following the direct lineage of each table. Results are cached."""

    def __init__(self, lineage_of: Callable[[Name], Lineage[Name]]) -> None:
        self._lineage_of = lineage_of
        self._values: dict[Field[Name], frozenset[End[Name]]] = {}
        self._influences: dict[Field[Name], frozenset[End[Name]]] = {}

    def values_of(self, field: Field[Name]) -> frozenset[End[Name]]:
        """External sources of the values of a column; empty for a constant of the declarations."""
        if field not in self._values:
            origins = self._lineage_of(field.table).columns[field.column]
            found = (self._value(field, origin) for origin, kind in origins.items() if kind.direct)
            self._values[field] = frozenset[End[Name]]().union(*found)
        return self._values[field]

    def influences_of(self, field: Field[Name]) -> frozenset[End[Name]]:
        """Other external sources that influence a column: through conditions, masks, and the selection of rows."""
        if field not in self._influences:
            lineage = self._lineage_of(field.table)
            found = [self._influence(origin) for origin in lineage.columns[field.column]]
            conditions = [origin for origin, kind in lineage.columns[field.column].items() if not kind.direct]
            for origin in [*conditions, *lineage.rows]:
                found += [self._value(field, origin), self._influence(origin)]
            self._influences[field] = frozenset[End[Name]]().union(*found) - self.values_of(field)
        return self._influences[field]

    def _value(self, field: Field[Name], origin: Field[Name] | ExternalSource) -> frozenset[End[Name]]:
        return frozenset([End(field, origin)]) if isinstance(origin, ExternalSource) else self.values_of(origin)

    def _influence(self, origin: Field[Name] | ExternalSource) -> frozenset[End[Name]]:
        return frozenset() if isinstance(origin, ExternalSource) else self.influences_of(origin)
