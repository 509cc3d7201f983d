"""The median of measured times, and an interval that holds the true median."""

from collections.abc import Sequence
from math import comb
from statistics import median
from typing import Final, NamedTuple

CONFIDENCE: Final = 0.95


class MedianInterval(NamedTuple):
    """A median with its limits, in the unit of the values; limits are None for fewer than six values."""

    median: float
    low: float | None
    high: float | None


def median_interval(values: Sequence[float]) -> MedianInterval:
    """The median of independent values, and the narrowest pair of ordered values that holds the true one in 95 %.

    The number of values below the true median is binomial with 1/2, whatever the distribution of the values is. So the
    k-th smallest and the k-th largest of n values hold it with the probability 1 - 2 * P(fewer than k of n): 98.4 % for
    the smallest and the largest of seven. Raises ValueError without a value.
    """
    if not values:
        raise ValueError("no value was measured")
    ordered, n = sorted(values), len(values)
    outside, rank = 0.0, 0
    while rank < n // 2 and outside + 2 * comb(n, rank) / 2**n <= 1 - CONFIDENCE:
        outside += 2 * comb(n, rank) / 2**n
        rank += 1
    limits = (ordered[rank - 1], ordered[n - rank]) if rank else (None, None)
    return MedianInterval(median(ordered), *limits)
