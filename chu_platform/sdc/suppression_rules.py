"""The suppression rules of each single sum: the number of masked cells, and the remainder.

The remainder is the published sum minus all published cells below it. What several sums disclose together is tested
in `attack`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chu_platform.sdc.relations import Relations

SMALL_CELL = 10
"""Counts from 1 to this value are never published, and cannot be computed from published figures."""

SLACK = 0
"""The remainder of a published sum, minus the lower bounds of its masked cells, is more than this value. With 0, the
only case excluded is that all masked cells are at their lower bound."""

# Counts are exact in float64. Fractional values are sums of 1/n, with rounding errors far below this value.
TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False)
class Quantities:
    """The quantities whose remainder is tested: `amounts` of the cells (n, q), and their `thresholds` (q,).

    The remainder of every published sum must be more than the threshold.
    """

    amounts: NDArray[np.float64]
    thresholds: NDArray[np.float64]

    @classmethod
    def of(cls, measures: NDArray[np.float64], lower: NDArray[np.float64]) -> Quantities:
        """Each measure (n, m) itself, and the measure minus the lower bounds (n, m) that the attacker knows, if any."""
        above = (measures - lower)[:, lower.any(axis=0)]
        thresholds = np.repeat([SMALL_CELL, SLACK], [measures.shape[1], above.shape[1]])
        return cls(np.concatenate([measures, above], axis=1), thresholds + TOLERANCE)


@dataclass(frozen=True, eq=False)
class Assessment:
    """The result of the suppression rules for a mask.

    The exposure of a masked cell is what is left of it after an attacker has subtracted all published cells below it:
    the minimum of its own amount and, for each of its relations, the sum of the exposures of its masked children. The
    remainder of a relation is the sum of the exposures of its children. Shapes: `count` (R,), the number of masked
    cells, parent included; `exposure` (n, q), 0 where published; `remainder` (R, q); `broken` (R,).
    """

    count: NDArray[np.int64]
    exposure: NDArray[np.float64]
    remainder: NDArray[np.float64]
    broken: NDArray[np.bool_]


def assess(quantities: Quantities, mask: NDArray[np.bool_], relations: Relations) -> Assessment:
    """Test each relation: it is broken if it has exactly one masked cell, or a published parent with a too small
    remainder.
    """
    hidden_parent = mask[relations.parents]
    count = hidden_parent.astype(np.int64) + relations.sums(mask.astype(np.float64)).astype(np.int64)
    exposure = np.where(mask[:, None], quantities.amounts, 0.0)
    inner = np.flatnonzero(hidden_parent)
    while True:
        remainder = relations.sums(exposure)
        reduced = exposure.copy()
        np.minimum.at(reduced, relations.parents[inner], remainder[inner])
        if np.array_equal(reduced, exposure):
            break
        exposure = reduced
    too_little = ~hidden_parent & (count > 1) & (remainder <= quantities.thresholds).any(axis=1)
    return Assessment(count, exposure, remainder, (count == 1) | too_little)
