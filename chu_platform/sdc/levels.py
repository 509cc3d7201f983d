"""The levels of a family that are released: those of which enough can be shown.

A level is the rows of one level of one indicator with one grain of periods. Of a level in which nearly every cell is
unsafe, nothing is released, not even which cells it has: a list of cells with at least one event each may tell as much
as their figures (as many diagnoses as consultations are one consultation each).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chu_platform.sdc.relations import Cells, Relations

# A list of masked cells is long if it has more cells than this for each event: it then tells much about each of them.
LONG_LIST = 0.2


@dataclass(frozen=True, eq=False)
class Levels:
    """The level of each cell, and which levels lie below which.

    Attributes:
        of_cell: The number of the level of each cell, shape (n,).
        hidden: Whether a cell is not released, but part of a released sum, shape (n,).
        single: Whether a level has one cell for each period (a total), so that it is never left out, shape (levels,).
        below: Pairs (level, level of its parts), shape (pairs, 2).
    """

    of_cell: Cells
    hidden: NDArray[np.bool_]
    single: NDArray[np.bool_]
    below: Cells

    @classmethod
    def of(
        cls, of_cell: Cells, hidden: NDArray[np.bool_], periods: NDArray[np.int64], relations: Sequence[Relations]
    ) -> Levels:
        """The levels of cells in numbered `periods`, shape (n,), with these relations."""
        number = int(of_cell.max()) + 1 if len(of_cell) else 0
        cells = np.bincount(of_cell, minlength=number)
        seen = np.unique(np.column_stack([of_cell, periods]), axis=0)
        single = cells == np.bincount(seen[:, 0], minlength=number)
        pairs = [np.zeros((0, 2), np.int64)]
        for one in relations:
            both = ~hidden[one.parents[one.rows]] & ~hidden[one.children]
            pairs.append(
                np.unique(np.column_stack([of_cell[one.parents[one.rows]], of_cell[one.children]])[both], axis=0)
            )
        return cls(of_cell, hidden, single, np.unique(np.concatenate(pairs), axis=0))

    def shares(self, weight: NDArray[np.float64], shown: NDArray[np.bool_]) -> NDArray[np.float64]:
        """The share of the weight of each level in the cells that are shown; 1 for a level without weight."""
        whole = np.bincount(self.of_cell, weight)
        part = np.bincount(self.of_cell, weight * shown)
        return np.divide(part, whole, out=np.ones(len(whole)), where=whole > 0)

    def cells_per_event(self, weight: NDArray[np.float64]) -> NDArray[np.float64]:
        """The number of cells of each level for one event of it."""
        cells = np.bincount(self.of_cell).astype(np.float64)
        return cells / np.maximum(np.bincount(self.of_cell, weight), 1.0)

    def to_leave_out(self, poor: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The poor levels below which all levels are poor, too; totals stay. Shape (levels,).

        A level with a released level below it stays: its cells are the sums of released ones.
        """
        found = poor & ~self.single
        while True:
            fewer = found.copy()
            fewer[self.below[~found[self.below[:, 1]], 0]] = False
            if (fewer == found).all():
                return found
            found = fewer

    def cells(self, left_out: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The cells of some levels, shape (n,)."""
        return left_out[self.of_cell] & ~self.hidden

    def relations_left(self, relations: Relations, gone: NDArray[np.bool_]) -> Relations:
        """The relations of which a reader knows something when the cells `gone` are not released.

        A reader knows nothing of a sum that is not released, or of which no part is.
        """
        if not len(relations):
            return relations
        listed = relations.sums((~self.hidden).astype(np.float64))
        left = relations.sums((~self.hidden & ~gone).astype(np.float64))
        keep = ~gone[relations.parents] & ((left > 0) | (listed == 0))
        return relations.where(keep)
