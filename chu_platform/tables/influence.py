"""Kinds of influence of one column on another."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

ColumnOrigin = TypeVar("ColumnOrigin")


class Influence(StrEnum):
    """Kind of influence of an origin on a column.

    The first three are direct: the value itself is passed on. A condition selects a value; a mask decides whether the
    value is shown; a join, a filter or a grouping decides which rows exist, for all columns.
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


# If an origin influences a column in several ways, the kind that comes last here is kept.
_RANK = (Influence.CONDITION, Influence.IDENTITY, Influence.TRANSFORMATION, Influence.AGGREGATION)


def combined(inner: Influence, outer: Influence) -> Influence:
    """The kind of two consecutive steps. A condition in one step makes the combination a condition."""
    if Influence.CONDITION in (inner, outer):
        return Influence.CONDITION
    return max(inner, outer, key=_RANK.index)


def merged(*influences: Mapping[ColumnOrigin, Influence]) -> dict[ColumnOrigin, Influence]:
    """Union of influences. For an origin that occurs several times, the strongest kind is kept."""
    strongest: dict[ColumnOrigin, Influence] = {}
    for influence in influences:
        for origin, kind in influence.items():
            strongest[origin] = max(strongest.get(origin, kind), kind, key=_RANK.index)
    return strongest
