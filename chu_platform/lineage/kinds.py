"""How one column influences another.

Here: the kinds, and what becomes of two in a row. Not here: finding them (queries, tables).
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

Origin = TypeVar("Origin")


class Kind(StrEnum):
    """A way in which values come to be.

    The first three are direct: the value itself is passed on. A condition decides which value is taken, a mask whether
    one is shown; a join, a filter and a grouping decide which rows there are, whatever the column.
    """

    IDENTITY = "identity"
    TRANSFORMATION = "transformation"
    AGGREGATION = "aggregation"
    CONDITION = "condition"
    MASK = "mask"
    JOIN = "join"
    FILTER = "filter"
    GROUPING = "grouping"

    @property
    def direct(self) -> bool:
        """Whether the value itself is passed on."""
        return self in (Kind.IDENTITY, Kind.TRANSFORMATION, Kind.AGGREGATION)


# Of two ways from one column to another, the later of these is told.
_RANK = (Kind.CONDITION, Kind.IDENTITY, Kind.TRANSFORMATION, Kind.AGGREGATION)


def through(inner: Kind, outer: Kind) -> Kind:
    """The kind of two steps in a row: a condition on the way makes a condition of both."""
    if Kind.CONDITION in (inner, outer):
        return Kind.CONDITION
    return max(inner, outer, key=_RANK.index)


def merged(*many: Mapping[Origin, Kind]) -> dict[Origin, Kind]:
    """All of them; of several ways from the same origin the strongest."""
    found: dict[Origin, Kind] = {}
    for one in many:
        for origin, kind in one.items():
            found[origin] = max(found.get(origin, kind), kind, key=_RANK.index)
    return found
