"""The choice of secondary cells by integer programs: of all masks that meet the suppression rules, one of least weight.

The rules of `suppression_rules.assess` are linear in two unknowns for each cell. `masked` is 0 or 1. The exposure of a
cell is at most its amount if it is masked, else 0, and at most the sum of the exposures of its parts. HiGHS solves one
program for each connected part of the cells, with the same answer each time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from chu_platform.sdc.relations import Cells, Relations, components
from chu_platform.sdc.suppression_rules import TOLERANCE, Assessment, Quantities, assess

if TYPE_CHECKING:
    from scipy.sparse import csc_array

Floats = NDArray[np.float64]

# Unknowns of one program; a larger connected part is left to the greedy choice.
_MAX_UNKNOWNS = 20_000

# Branches of one program: it then gives the best mask that it has. A limit of time would give masks that differ.
_MAX_BRANCHES = 100

# A mask that is heavier than the lightest by this share is as good.
_GAP = 1e-3


def least_cost(
    systems: Sequence[tuple[Quantities, Relations]], weight: Floats, masked: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """The cells `masked`, shape (n,), and others of small `weight`, so that the sums of all systems meet their rules.

    Where a part is too large, or no mask is found within the limits, rules may still fail.
    """
    program = _Program(weight, masked)
    for quantities, relations in systems:
        if len(relations):
            program.add(quantities, relations, assess(quantities, masked, relations))
    return program.solve()


@dataclass(eq=False)
class _Program:
    """Unknowns 0 to n - 1 say of each cell whether it is masked; the others are sums and exposures."""

    weight: Floats
    masked: NDArray[np.bool_]
    upper: list[Floats] = field(default_factory=list)
    size: int = 0
    rows: int = 0
    _row: list[Cells] = field(default_factory=list)
    _column: list[Cells] = field(default_factory=list)
    _value: list[Floats] = field(default_factory=list)
    _low: list[Floats] = field(default_factory=list)
    _high: list[Floats] = field(default_factory=list)
    _failing: list[Cells] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.size = len(self.weight)
        self.upper.append(np.ones(self.size))

    def add(self, quantities: Quantities, relations: Relations, now: Assessment) -> None:
        """Add the rows of one system."""
        few = now.count < 2
        self._count(relations.where(few), now.failed[few])
        shown = ~self.masked[relations.parents]
        tested = shown & (few | (now.remainder <= quantities.thresholds).any(axis=1))
        used = _with_those_below(relations, tested)
        part, tested, failed = relations.where(used), tested[used], now.failed[used]
        for m, threshold in enumerate(quantities.thresholds.tolist()):
            self._room(part, tested, failed, quantities.amounts[:, m], threshold + TOLERANCE / 2)

    def _count(self, relations: Relations, failed: NDArray[np.bool_]) -> None:
        """Of the cells of a sum, none or at least two are masked: the number of masked cells is at least twice each."""
        number = len(relations)
        total = self._unknowns(np.full(number, np.inf))
        self._failing.append(total[failed])
        member = np.concatenate([relations.children, relations.parents])
        of = np.concatenate([relations.rows, np.arange(number)])
        sums = self._new_rows(np.zeros(number), np.zeros(number))
        self._enter(sums[of], member, np.ones(len(member)))
        self._enter(sums, total, -np.ones(number))
        each = self._new_rows(np.zeros(len(member)), np.full(len(member), np.inf))
        self._enter(each, total[of], np.ones(len(member)))
        self._enter(each, member, np.full(len(member), -2.0))

    def _room(
        self,
        relations: Relations,
        tested: NDArray[np.bool_],
        failed: NDArray[np.bool_],
        amounts: Floats,
        threshold: float,
    ) -> None:
        """In each tested sum with masked parts, their exposures reach the threshold, or the whole is masked."""
        number = len(relations)
        cells = np.unique(relations.children)
        exposure = np.full(len(amounts), -1, np.int64)
        exposure[cells] = self._unknowns(amounts[cells])
        most = self._new_rows(np.full(len(cells), -np.inf), np.zeros(len(cells)))
        self._enter(most, exposure[cells], np.ones(len(cells)))
        self._enter(most, cells, -amounts[cells])
        remainder = self._unknowns(np.full(number, np.inf))
        self._failing.append(remainder[failed])
        sums = self._new_rows(np.zeros(number), np.zeros(number))
        self._enter(sums[relations.rows], exposure[relations.children], np.ones(len(relations.children)))
        self._enter(sums, remainder, -np.ones(number))
        inner = np.flatnonzero(exposure[relations.parents] >= 0)
        below = self._new_rows(np.full(len(inner), -np.inf), np.zeros(len(inner)))
        self._enter(below, exposure[relations.parents[inner]], np.ones(len(inner)))
        self._enter(below, remainder[inner], -np.ones(len(inner)))
        entries = tested[relations.rows]
        part, of = relations.children[entries], relations.rows[entries]
        each = self._new_rows(np.zeros(len(part)), np.full(len(part), np.inf))
        self._enter(each, remainder[of], np.ones(len(part)))
        self._enter(each, relations.parents[of], np.full(len(part), threshold))
        self._enter(each, part, np.full(len(part), -threshold))

    def _unknowns(self, upper: Floats) -> Cells:
        found = np.arange(self.size, self.size + len(upper))
        self.size += len(upper)
        self.upper.append(upper)
        return found

    def _new_rows(self, low: Floats, high: Floats) -> Cells:
        found = np.arange(self.rows, self.rows + len(low))
        self.rows += len(low)
        self._low.append(low)
        self._high.append(high)
        return found

    def _enter(self, rows: Cells, columns: Cells, values: Floats) -> None:
        self._row.append(rows)
        self._column.append(columns)
        self._value.append(values)

    def solve(self) -> NDArray[np.bool_]:
        """The mask of least weight, part by part."""
        from scipy.sparse import csr_array  # not needed to load the declarations

        n, mask = len(self.weight), self.masked.copy()
        failing = np.concatenate([np.zeros(0, np.int64), *self._failing])
        if not len(failing):
            return mask
        entries = np.concatenate(self._value), (np.concatenate(self._row), np.concatenate(self._column))
        matrix = csr_array(entries, shape=(self.rows, self.size))
        # Masked cells are known, so that they connect nothing.
        known = np.zeros(self.size)
        known[:n] = mask
        constant = matrix @ known
        low, high = np.concatenate(self._low) - constant, np.concatenate(self._high) - constant
        unknowns = np.flatnonzero(known == 0)
        part = components(matrix[:, unknowns])
        order, by_column = np.argsort(part, kind="stable"), matrix.tocsc()
        ordered = part[order]
        for number in np.unique(part[np.searchsorted(unknowns, failing)]).tolist():
            first, last = np.searchsorted(ordered, [number, number + 1])
            if last - first <= _MAX_UNKNOWNS:
                columns = unknowns[order[first:last]]
                values = self._solved(by_column[:, columns], low, high, columns)
                mask[columns[columns < n]] = values[columns < n] > 0.5
        return mask

    def _solved(self, matrix: csc_array, low: Floats, high: Floats, columns: Cells) -> Floats:
        """The values of the unknowns of some columns; zeros if there are none within the limits."""
        from scipy.optimize import Bounds, LinearConstraint, milp

        rows = np.unique(matrix.indices)
        is_cell = columns < len(self.weight)
        # A cell without events costs a little, so that it is not masked in vain.
        cost = np.where(is_cell, np.maximum(self.weight[np.where(is_cell, columns, 0)], TOLERANCE), 0.0)
        result = milp(
            cost,
            constraints=LinearConstraint(matrix.tocsr()[rows], low[rows], high[rows]),
            integrality=is_cell.astype(np.int64),
            bounds=Bounds(0.0, np.concatenate(self.upper)[columns]),
            options={"node_limit": _MAX_BRANCHES, "mip_rel_gap": _GAP},
        )
        return np.zeros(len(columns)) if result.x is None else np.asarray(result.x, np.float64)


def _with_those_below(relations: Relations, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Some relations, and those of their parts, of the parts of these, and so on; shape (R,)."""
    found = chosen.copy()
    while True:
        is_part = np.zeros(int(max(relations.children.max(), relations.parents.max())) + 1, np.bool_)
        is_part[relations.children[found[relations.rows]]] = True
        more = found | is_part[relations.parents]
        if (more == found).all():
            return found
        found = more
