"""Distinct persons: a cell holds the persons of its parts, each once, and one person may be in several parts.

What visible numbers of persons tell by inclusion and exclusion: a whole minus a part is the number of those who are in
other parts only; the sum of all parts minus the whole says how often persons are in more than one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from chu_platform.sdc.relations import Cells, Relations
from chu_platform.sdc.suppression_rules import SMALL_CELL, TOLERANCE

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True, eq=False)
class Unions:
    """The numbers of persons of cells, shape (n,), and the sums that say which cells are parts of which."""

    persons: NDArray[np.float64]
    relations: Relations

    def disclosing(self, mask: NDArray[np.bool_]) -> Cells:
        """Visible cells to mask, so that no visible cells tell of 1 to 10 persons by inclusion and exclusion.

        Of a whole and a part the part is masked, of a whole and all its parts the smallest part.
        """
        return np.unique(np.concatenate([self._parts(mask), self._overlaps(mask)]))

    def room(self, mask: NDArray[np.bool_]) -> NDArray[np.float64]:
        """How many persons more each cell may have: it has no more than each visible whole; shape (n,)."""
        wholes, parts = self._pairs
        shown = ~mask[wholes]
        found = np.full(len(self.persons), np.inf)
        np.minimum.at(found, parts[shown], (self.persons[wholes] - self.persons[parts])[shown])
        at_least_none: NDArray[np.float64] = np.maximum(found, 0.0)
        return at_least_none

    def _parts(self, mask: NDArray[np.bool_]) -> Cells:
        """The visible parts that leave 1 to 10 persons of a visible whole."""
        wholes, parts = self._pairs
        gap = self.persons[wholes] - self.persons[parts]
        tells = ~mask[wholes] & ~mask[parts] & (self.persons[parts] > 0) & _is_small(gap)
        return parts[tells]

    def _overlaps(self, mask: NDArray[np.bool_]) -> Cells:
        """The smallest part of each visible whole whose visible parts have 1 to 10 persons more than it has."""
        one = self.relations
        shown = ~mask
        complete = shown[one.parents] & (one.sums(mask.astype(np.float64)) == 0) & (np.diff(one.starts) > 1)
        tells = np.flatnonzero(complete & _is_small(one.sums(self.persons) - self.persons[one.parents]))
        found = []
        for r in tells.tolist():
            children = one.children[one.starts[r] : one.starts[r + 1]]
            counted = children[self.persons[children] > 0]
            found.append(counted[np.argmin(self.persons[counted])])
        return np.array(found, np.int64)

    @cached_property
    def _pairs(self) -> tuple[Cells, Cells]:
        """All pairs of a whole and a part of it, of a part of a part, and so on."""
        from scipy.sparse import csr_array  # not needed to load the declarations

        n = len(self.persons)
        one = self.relations
        step: csr_array = csr_array(
            (np.ones(len(one.children), np.bool_), (one.parents[one.rows], one.children)), shape=(n, n)
        )
        step.sum_duplicates()
        reached, last = step, step
        while last.nnz:
            last = (last @ step).astype(np.bool_)
            before = reached.nnz
            reached = (reached + last).astype(np.bool_)
            if reached.nnz == before:
                break
        rows, columns = reached.nonzero()
        return rows.astype(np.int64), columns.astype(np.int64)


def _is_small(value: NDArray[np.float64]) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (value > TOLERANCE) & (value <= SMALL_CELL + TOLERANCE)
    return found
