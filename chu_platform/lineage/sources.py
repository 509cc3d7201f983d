"""Whole lineage of a column: back to the delivered columns."""

from dataclasses import dataclass
from functools import cache

from chu_platform.lineage.tables import ColumnOrigin, Field, lineage_of
from chu_platform.tables.rows import ExternalSource


@dataclass(frozen=True)
class LineageEnd:
    """End of a lineage: the last column in the lake, and the external source from which it is read."""

    field: Field
    source: ExternalSource


Ends = frozenset[LineageEnd]


@cache
def values_of(field: Field) -> Ends:
    """The ends from which the values of a column come. Empty for a constant."""
    origins = lineage_of(field.table).columns[field.column]
    ends = (_value(field, origin) for origin, kind in origins.items() if kind.direct)
    return frozenset[LineageEnd]().union(*ends)


@cache
def influences_of(field: Field) -> Ends:
    """The other ends that influence a column: conditions, masks, and columns that decide which rows exist."""
    lineage = lineage_of(field.table)
    ends = [_influences(origin) for origin in lineage.columns[field.column]]
    indirect = [origin for origin, kind in lineage.columns[field.column].items() if not kind.direct]
    for origin in [*indirect, *lineage.rows]:
        ends += [_value(field, origin), _influences(origin)]
    return frozenset[LineageEnd]().union(*ends) - values_of(field)


def _value(field: Field, origin: ColumnOrigin) -> Ends:
    return frozenset([LineageEnd(field, origin)]) if isinstance(origin, ExternalSource) else values_of(origin)


def _influences(origin: ColumnOrigin) -> Ends:
    return frozenset() if isinstance(origin, ExternalSource) else influences_of(origin)
