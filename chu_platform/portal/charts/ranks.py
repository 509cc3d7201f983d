"""Which ranks intervals allow."""

from collections.abc import Sequence

Interval = tuple[float, float]


def interval(low: float | None, high: float | None) -> Interval | None:
    """The interval of two limits; None unless both are known."""
    return None if low is None or high is None else (low, high)


def rank_ranges(intervals: Sequence[Interval | None]) -> list[tuple[int, int] | None]:
    """The best and the worst rank each may have, 1 being the highest figure; None where there is no interval.

    Only an interval wholly above another one outranks it. (Two intervals of 95 % that do not meet differ more surely
    than 95 %: the ranges are on the safe side.)
    """
    known = [i for i in intervals if i is not None]
    ranges: list[tuple[int, int] | None] = []
    for own in intervals:
        if own is None:
            ranges.append(None)
            continue
        above = sum(other[0] > own[1] for other in known)
        below = sum(other[1] < own[0] for other in known)
        ranges.append((1 + above, len(known) - below))
    return ranges
