"""Lineage of columns as data: one step back, and all the way back to what lies outside the lake.

Tables stand here for themselves, as declarations or as their names: `Name` is whichever is used.
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
    """`columns`: for each column of the table, in their order, its origins; nothing for a constant of the declaration.

    `rows`: what decides which rows there are, whatever the column.
    """

    columns: Mapping[str, Mapping[Field[Name] | ExternalSource, Influence]]
    rows: Mapping[Field[Name] | ExternalSource, frozenset[Influence]]

    @property
    def origins(self) -> Collection[Field[Name] | ExternalSource]:
        """Everything that its columns and rows come from, each once, in order."""
        return dict.fromkeys([*(o for found in self.columns.values() for o in found), *self.rows])


@dataclass(frozen=True)
class End(Generic[Name]):
    """Where a lineage ends: the last column of the lake, and the external source that it is read from."""

    field: Field[Name]
    source: ExternalSource


class WayBack(Generic[Name]):
    """The ends of lineages, found by following one step after the other."""

    def __init__(self, lineage_of: Callable[[Name], Lineage[Name]]) -> None:
        self._lineage_of = lineage_of
        self._values: dict[Field[Name], frozenset[End[Name]]] = {}
        self._influences: dict[Field[Name], frozenset[End[Name]]] = {}

    def values_of(self, field: Field[Name]) -> frozenset[End[Name]]:
        """Where the values of a column come from; nothing for a constant of the declarations."""
        if field not in self._values:
            origins = self._lineage_of(field.table).columns[field.column]
            found = (self._value(field, origin) for origin, kind in origins.items() if kind.direct)
            self._values[field] = frozenset[End[Name]]().union(*found)
        return self._values[field]

    def influences_of(self, field: Field[Name]) -> frozenset[End[Name]]:
        """What else decides: conditions and masks on the way, and whatever decides which rows there are."""
        if field not in self._influences:
            lineage = self._lineage_of(field.table)
            found = [self._decides(origin) for origin in lineage.columns[field.column]]
            conditions = [origin for origin, kind in lineage.columns[field.column].items() if not kind.direct]
            for origin in [*conditions, *lineage.rows]:
                found += [self._value(field, origin), self._decides(origin)]
            self._influences[field] = frozenset[End[Name]]().union(*found) - self.values_of(field)
        return self._influences[field]

    def _value(self, field: Field[Name], origin: Field[Name] | ExternalSource) -> frozenset[End[Name]]:
        return frozenset([End(field, origin)]) if isinstance(origin, ExternalSource) else self.values_of(origin)

    def _decides(self, origin: Field[Name] | ExternalSource) -> frozenset[End[Name]]:
        return frozenset() if isinstance(origin, ExternalSource) else self.influences_of(origin)
