"""Cell suppression: the small cells are masked, and enough other cells that no sum or difference discloses them.

Terms as in Hundepool et al., Statistical Disclosure Control (Wiley, 2012), chapter 4: primary cells are unsafe by
themselves, secondary cells protect them.
"""

from __future__ import annotations

from itertools import count

import numpy as np
from numpy.typing import NDArray

from chu_platform.sdc.attack import disclosed_cells
from chu_platform.sdc.choice import Choice
from chu_platform.sdc.relations import Cells, Relations, connected_parts
from chu_platform.sdc.suppression_rules import TOLERANCE, Quantities, assess

# Unknown cells in one linear program: at this size it takes about a second.
_MAX_PROGRAM_SIZE = 50_000


class BrokenRelations(ValueError):
    """Parents that are not the sums of their children, and their number."""

    def __init__(self, number: int, message: str) -> None:
        self.number = number
        super().__init__(message)


def protect(
    values: NDArray[np.float64],
    small: NDArray[np.bool_],
    relations: Relations,
    unlisted: NDArray[np.bool_] | None = None,
) -> NDArray[np.bool_]:
    """The mask of the cells that are not published: all of `small`, and the cells that protect them; shape (n,).

    `values` has shape (n,) or (n, m), one column for each additive measure that is published (events, days). The mask
    keeps the masked sum of the first measure small. Every relation must hold in every measure. The same input always
    gives the same mask.

    Guarantees against an attacker who knows all published cells, all relations, and that a masked count is at least 1
    (a masked share: at least the least share of a professional). Nothing is known of cells `unlisted`, shape (n,).

    - In every relation, either no cell or at least two cells are masked.
    - The remainder of a published parent is its value minus all published cells below it. In every measure it is at
      least `ROOM` more than the sum of what is known of the masked cells in it. This also holds if masked children are
      replaced by the children of one of their own relations, for every choice of these relations. So, as far as one
      sum says, each masked cell may be 11 or more, and has an interval of at least 10.
    - No masked cell can be computed from all relations together by linear algebra.
    - Every masked cell has more than one possible value, also if the attacker uses the lower bounds of a measure (over
      the real numbers). This is not tested for a cell that is connected with more than 50 000 other masked cells.

    Not guaranteed: an interval of 10 when several sums, or several measures of a row, are put together
    (`Released.widened` adds both). The test does not include other releases, earlier versions of the same tables, or
    what counted persons know about themselves. A cell stays without protection if all cells connected with it are
    masked already.

    Raises ValueError when shapes differ, or a value is negative or not finite, and BrokenRelations when a relation does
    not hold.
    """
    measures = _columns(values)
    _validate(measures, small, relations)
    lower = least_known(measures, unlisted)
    choice = Choice(Quantities.of(measures, lower), small, relations)
    choice.apply_rules()
    for step in count():
        # First cell by cell, because often few cells are missing. Later in larger steps, so that the loop ends.
        if not choice.extend(_disclosed(measures, lower, choice.mask, relations), width=2 ** (step // 40)):
            break
        choice.apply_rules()
    return choice.mask


class Protection:
    """Tells of many masks of one table whether they protect it. Parts that are masked as before are not tested again.

    A part is a set of masked cells that sums connect. What it discloses does not depend on other parts.
    """

    def __init__(
        self, values: NDArray[np.float64], relations: Relations, unlisted: NDArray[np.bool_] | None = None
    ) -> None:
        self._measures = _columns(values)
        self._lower = least_known(self._measures, unlisted)
        self._quantities = Quantities.of(self._measures, self._lower)
        self._relations = relations
        # Whether a part discloses a cell, by its cells.
        self._discloses: dict[bytes, bool] = {}

    def holds(self, mask: NDArray[np.bool_]) -> bool:
        """Whether a mask meets the suppression rules and discloses no cell, as the masks of `protect` do."""
        if assess(self._quantities, mask, self._relations).failed.any():
            return False
        parts = connected_parts(self._relations, mask)
        new = [(cells, key) for cells in parts if (key := cells.tobytes()) not in self._discloses]
        if new:
            tested = np.zeros(len(mask), np.bool_)
            tested[np.concatenate([cells for cells, _ in new])] = True
            disclosed = np.zeros(len(mask), np.bool_)
            disclosed[_disclosed(self._measures, self._lower, tested, self._relations)] = True
            self._discloses.update((key, bool(disclosed[cells].any())) for cells, key in new)
        return not any(self._discloses[cells.tobytes()] for cells in parts)


def _columns(values: NDArray[np.float64]) -> NDArray[np.float64]:
    measures = np.asarray(values, np.float64)
    return measures[:, None] if measures.ndim == 1 else measures


def least_known(measures: NDArray[np.float64], unlisted: NDArray[np.bool_] | None) -> NDArray[np.float64]:
    """What a reader knows of masked values: a count that is not 0 is at least 1, a share at least the least share.

    The share of a professional is at most 1. Of cells that are not listed, nothing is known.
    """
    lower = np.minimum(measures, 1.0)
    if unlisted is not None:
        lower[unlisted] = 0.0
    return lower


def _disclosed(
    measures: NDArray[np.float64], lower: NDArray[np.float64], mask: NDArray[np.bool_], relations: Relations
) -> Cells:
    """The cells that are disclosed in at least one measure, sorted."""
    found = [
        disclosed_cells(relations, measures[:, m], mask, lower[:, m], _MAX_PROGRAM_SIZE)
        for m in range(measures.shape[1])
    ]
    return np.unique(np.concatenate(found))


def _validate(measures: NDArray[np.float64], small: NDArray[np.bool_], relations: Relations) -> None:
    n = len(measures)
    if small.shape != (n,):
        raise ValueError(f"small has shape {small.shape}, values have {n} cells")
    if not np.all(np.isfinite(measures)) or np.any(measures < 0):
        raise ValueError("values must be finite and not negative")
    require_sums(measures, relations)


def require_sums(values: NDArray[np.float64], relations: Relations) -> None:
    """Raise BrokenRelations if a parent is not the sum of its children, in one of the measures (n, m)."""
    measures, n = values, len(values)
    if not len(relations):
        return
    cells = np.concatenate([relations.parents, relations.children])
    if cells.min() < 0 or cells.max() >= n:
        raise ValueError("a relation names a cell that does not exist")
    parents, sums = measures[relations.parents], relations.sums(measures)
    broken = np.flatnonzero(~np.isclose(sums, parents, rtol=1e-9, atol=TOLERANCE).all(axis=1))
    if len(broken):
        r = broken[0]
        raise BrokenRelations(
            len(broken),
            f"{len(broken)} relations do not hold; the first, of parent cell {relations.parents[r]}: "
            f"parent {parents[r]}, sum of children {sums[r]}",
        )
