"""The rules a mask obeys sum by sum: how many cells are masked, and how much remains when all that is
published is subtracted.

Here: the rules and how to test them for a whole mask. Not here: what several sums give away together
(`attack`), nor how a mask is chosen (`choice`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chu_platform.sdc.relations import Relations

SMALL_CELL = 10
"""DeliveryCounts from 1 to this one are never published, nor may they follow from what is."""

SLACK = 0
"""What remains of a published sum, less the lower bounds of its masked cells, is more than this: 0 only
forbids that all are at their bound."""

# DeliveryCounts are exact in float64; fractional values are sums of 1/n, whose rounding errors stay far below this.
TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False)
class Quantities:
    """What must remain of every published sum: `amounts` of the cells (n, q), and the `least` (q,) that the
    remainder must exceed.
    """

    amounts: NDArray[np.float64]
    least: NDArray[np.float64]

    @classmethod
    def of(cls, measures: NDArray[np.float64], lower: NDArray[np.float64]) -> Quantities:
        """Each measure (n, m) itself, and what it has above the attacker's `lower` bounds (n, m), where
        there are any.
        """
        above = (measures - lower)[:, lower.any(axis=0)]
        least = np.repeat([SMALL_CELL, SLACK], [measures.shape[1], above.shape[1]])
        return cls(np.concatenate([measures, above], axis=1), least + TOLERANCE)


@dataclass(frozen=True, eq=False)
class Assessment:
    """A mask judged by the rules.

    The exposure of a masked cell is the least an attacker can reduce it to by subtracting published cells
    below it: its own amount, or the sum of the exposures of its masked children in one of its relations,
    whichever is the smallest. The remainder of a relation is the sum of the exposures of its children.
    Shapes: `count` (R,) masked cells, parent included; `exposure` (n, q), 0 where published; `remainder`
    (R, q); `broken` (R,).
    """

    count: NDArray[np.int64]
    exposure: NDArray[np.float64]
    remainder: NDArray[np.float64]
    broken: NDArray[np.bool_]


def assess(quantities: Quantities, mask: NDArray[np.bool_], relations: Relations) -> Assessment:
    """Judge each relation: broken when it has exactly one masked cell, or a published parent of which too
    little remains.
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
    too_little = ~hidden_parent & (count > 1) & (remainder <= quantities.least).any(axis=1)
    return Assessment(count, exposure, remainder, (count == 1) | too_little)
