"""The suppression rules that each relation must meet: on its number of masked cells, and on its remainder.

The remainder is the published sum minus all published cells below it. The module `attack` tests what several relations
disclose together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chu_platform.sdc.relations import Relations

# Counts from 1 to this value are never published, and cannot be computed from published figures.
SMALL_CELL = 10

# The room of a published sum is its remainder minus the lower bounds of its masked cells. With at least this room, each
# masked cell may be 11 or more, and has an interval of at least 10, as far as this sum says.
ROOM = SMALL_CELL + 1

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
        """Each measure (n, m) minus the lower bounds (n, m) that the attacker knows."""
        return cls(measures - lower, np.full(measures.shape[1], ROOM - TOLERANCE))


@dataclass(frozen=True, eq=False)
class Assessment:
    """The result of the suppression rules for a mask.

    The exposure of a masked cell is the amount that remains after an attacker subtracts all published cells below it.
    It is defined from the finest cells up. A published cell has the exposure 0. A masked cell without children has its
    own amount. A masked cell with children has the minimum of its own amount and, for each relation of which it is the
    parent, the sum of the exposures of the children. The remainder of a relation is the sum of the exposures of its
    children.

    Shapes: `count` (R,), the number of masked cells of each relation, parent included; `exposure` (n, q);
    `remainder` (R, q); `failed` (R,), whether the relation fails a suppression rule.
    """

    count: NDArray[np.int64]
    exposure: NDArray[np.float64]
    remainder: NDArray[np.float64]
    failed: NDArray[np.bool_]


def assess(quantities: Quantities, mask: NDArray[np.bool_], relations: Relations) -> Assessment:
    """Test each relation.

    It fails if exactly one of its cells is masked, or if its parent is published and its remainder is too small.
    """
    masked_parent = mask[relations.parents]
    count = masked_parent.astype(np.int64) + relations.sums(mask.astype(np.float64)).astype(np.int64)
    exposure = np.where(mask[:, None], quantities.amounts, 0.0)
    inner = np.flatnonzero(masked_parent)
    # Each pass lowers exposures with those of the level below; it ends when no exposure changes.
    while True:
        remainder = relations.sums(exposure)
        reduced = exposure.copy()
        np.minimum.at(reduced, relations.parents[inner], remainder[inner])
        if np.array_equal(reduced, exposure):
            break
        exposure = reduced
    too_little = ~masked_parent & (count > 1) & (remainder <= quantities.thresholds).any(axis=1)
    return Assessment(count, exposure, remainder, (count == 1) | too_little)
