"""The whole way back: from a column to the columns of deliveries that it ends in.

Here: following one step after the other. Not here: a single step (tables).
"""

from dataclasses import dataclass
from functools import cache

from chu_platform.lineage.tables import ColumnOrigin, Field, lineage_of
from chu_platform.tables.rows import ExternalSource


@dataclass(frozen=True)
class End:
    """Where a lineage ends: the last column of the lake, and what lies outside that it is read from."""

    field: Field
    outside: ExternalSource


Ends = frozenset[End]


@cache
def values_of(field: Field) -> Ends:
    """Where the values of a column come from; nothing for a constant of the declarations."""
    origins = lineage_of(field.table).columns[field.column]
    found = (_value(field, origin) for origin, kind in origins.items() if kind.direct)
    return frozenset[End]().union(*found)


@cache
def influences_of(field: Field) -> Ends:
    """What else decides: conditions and masks on the way, and whatever decides which rows there are."""
    lineage = lineage_of(field.table)
    found = [_influences(origin) for origin in lineage.columns[field.column]]
    decides = [origin for origin, kind in lineage.columns[field.column].items() if not kind.direct]
    for origin in [*decides, *lineage.rows]:
        found += [_value(field, origin), _influences(origin)]
    return frozenset[End]().union(*found) - values_of(field)


def _value(field: Field, origin: ColumnOrigin) -> Ends:
    return frozenset([End(field, origin)]) if isinstance(origin, ExternalSource) else values_of(origin)


def _influences(origin: ColumnOrigin) -> Ends:
    return frozenset() if isinstance(origin, ExternalSource) else influences_of(origin)
