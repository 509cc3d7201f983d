"""How one column influences another.

Here: the kinds, and what becomes of two in a row. Not here: finding them (queries, tables).
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

ColumnOrigin = TypeVar("ColumnOrigin")


class Influence(StrEnum):
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
        return self in (Influence.IDENTITY, Influence.TRANSFORMATION, Influence.AGGREGATION)


# Of two ways from one column to another, the later of these is told.
_RANK = (Influence.CONDITION, Influence.IDENTITY, Influence.TRANSFORMATION, Influence.AGGREGATION)


def through(inner: Influence, outer: Influence) -> Influence:
    """The kind of two steps in a row: a condition on the way makes a condition of both."""
    if Influence.CONDITION in (inner, outer):
        return Influence.CONDITION
    return max(inner, outer, key=_RANK.index)


def merged(*many: Mapping[ColumnOrigin, Influence]) -> dict[ColumnOrigin, Influence]:
    """All of them; of several ways from the same origin the strongest."""
    found: dict[ColumnOrigin, Influence] = {}
    for one in many:
        for origin, kind in one.items():
            found[origin] = max(found.get(origin, kind), kind, key=_RANK.index)
    return found
