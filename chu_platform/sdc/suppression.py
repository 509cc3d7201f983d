"""Which cells not to publish: primary-small ones, and enough others that no sum or difference gives them
back.

Here: what is guaranteed of a mask, and the loop that reaches it. Not here: how relations are built
(`relations`), the rules sum by sum (`rules`), the choice of a cell (`choice`) and the attacker that judges
the mask (`attack`).

Terms as in Hundepool et al., Statistical Disclosure Control (Wiley, 2012), chapter 4: primary cells are
unsafe by themselves, secondary cells protect them.
"""

from __future__ import annotations

from itertools import count

import numpy as np
from numpy.typing import NDArray

from chu_platform.sdc.attack import disclosed_cells
from chu_platform.sdc.choice import Choice
from chu_platform.sdc.relations import Cells, Relations
from chu_platform.sdc.suppression_rules import TOLERANCE, Quantities, assess

# A linear program of this size takes about a second.
_MAX_PROGRAM_SIZE = 50_000

# Each look that passes the rules costs an exact test of the whole mask.
_SECOND_LOOKS = 100


def protect(values: NDArray[np.float64], small: NDArray[np.bool_], relations: Relations) -> NDArray[np.bool_]:
    """The mask of the cells not to publish: all of `small`, and enough others to protect them; shape (n,).

    `values` has shape (n,) or (n, m), one column for each additive measure that is published (events,
    days); the first is the information whose loss is kept small. Every relation must hold in every measure.
    The same input always gives the same mask.

    Guaranteed, for an attacker who knows all published cells, all relations, and that a masked count is at
    least 1 (a masked fraction: at least 0):

    - In every relation, no cell or at least two cells are masked.
    - Where the parent is published, what remains of it after subtracting everything published below it is
      more than `SMALL_CELL`, and for counts more than the number of cells it is made of, in every measure.
      This holds also after descending through masked children into their own relations, whichever of these
      is taken for each.
    - No masked cell follows from all relations together by linear algebra.
    - Nor has any one possible value left when the lower bounds of a measure are used as well (over the real
      numbers), unless it is tied to more than 50 000 other masked ones.

    Not guaranteed: a masked cell has several possible values, but these may be few, as when 20 cells remain
    with a sum of 22; measures are judged one by one (not, say, days given that a stay has at most 30);
    nothing is known here of other data_commits, earlier versions of the same tables included, or of what a
    counted person knows about himself. A cell that nothing can protect, because all cells connected to it
    are masked already, is left as it is.

    Raises ValueError when shapes differ, a value is negative or not finite, or a relation does not hold.
    """
    measures = np.asarray(values, np.float64)
    measures = measures[:, None] if measures.ndim == 1 else measures
    _check(measures, small, relations)
    # DeliveryCounts are whole: a masked one that is not 0 is known to be at least 1.
    whole = np.all(measures == np.floor(measures), axis=0)
    lower = np.where(whole & (measures >= 1), 1.0, 0.0)
    quantities = Quantities.of(measures, lower)
    choice = Choice(quantities, small, relations)
    choice.apply_rules()
    for step in count():
        # Cell by cell at first, where little is missing; in larger steps later, to come to an end.
        if not choice.extend(_disclosed(measures, lower, choice.mask, relations), width=2 ** (step // 40)):
            break
        choice.apply_rules()
    mask = choice.mask
    left = len(_disclosed(measures, lower, mask, relations))
    # Cells were masked one after the other: the first ones may no longer be needed. The most valuable are
    # tried.
    extra = np.flatnonzero(mask & ~small)
    for cell in extra[np.argsort(-measures[extra, 0], kind="stable")][:_SECOND_LOOKS]:
        mask[cell] = False
        broken = assess(quantities, mask, relations).broken.any()
        mask[cell] = broken or len(_disclosed(measures, lower, mask, relations)) > left
    return mask


def _disclosed(
    measures: NDArray[np.float64], lower: NDArray[np.float64], mask: NDArray[np.bool_], relations: Relations
) -> Cells:
    """Cells that one of the measures discloses, sorted."""
    found = [
        disclosed_cells(relations, measures[:, m], mask, lower[:, m], _MAX_PROGRAM_SIZE)
        for m in range(measures.shape[1])
    ]
    return np.unique(np.concatenate(found))


def _check(measures: NDArray[np.float64], small: NDArray[np.bool_], relations: Relations) -> None:
    n = len(measures)
    if small.shape != (n,):
        raise ValueError(f"small has shape {small.shape}, values have {n} cells")
    if not np.all(np.isfinite(measures)) or np.any(measures < 0):
        raise ValueError("values must be finite and not negative")
    if not len(relations):
        return
    cells = np.concatenate([relations.parents, relations.children])
    if cells.min() < 0 or cells.max() >= n:
        raise ValueError("a relation names a cell that does not exist")
    parents, sums = measures[relations.parents], relations.sums(measures)
    broken = np.flatnonzero(~np.isclose(sums, parents, rtol=1e-9, atol=TOLERANCE).all(axis=1))
    if len(broken):
        r = broken[0]
        raise ValueError(
            f"{len(broken)} relations do not hold; the first, of parent cell {relations.parents[r]}: "
            f"parent {parents[r]}, sum of children {sums[r]}"
        )
