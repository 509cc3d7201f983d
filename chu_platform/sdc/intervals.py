"""The interval of each masked cell when all sums of a system are put together, proved by possible values.

The true values are possible, and so is each solution of a linear program over the masked cells. The smallest and the
largest value of a cell in them are inside its interval, so one solution proves many cells. What is possible stays
possible when more cells are masked: what is proved once is never looked at again.

The work is bounded. A program has a bounded number of unknowns: of a larger component, only a piece moves at a time,
and the rest keeps the true values. What is not proved within the bounds counts as narrow.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from chu_platform.sdc.relations import Cells, Relations, bipartite, components
from chu_platform.sdc.suppression_rules import ROOM, SMALL_CELL

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = NDArray[np.float64]

# The solver rounds.
_SLACK = 1e-4

# Solutions for many cells at once are sought as long as each proves so many. One cell alone takes two.
_WORTH = 2

# So many narrow cells are enough to know where more cells are masked.
_ENOUGH = 10

# Unknowns in all programs for one measure. When they are used up, each call still has one solution up and one down.
# Programs of 10 000 unknowns take about 7 microseconds for each of them.
_MAX_WORK = 5_000_000

# Unknowns of a block, and of the blocks of one program (less than twice as many, as a block is in one program).
_MAX_BLOCK = 20_000

# The value of `status` in the result of scipy.optimize.linprog.
_OPTIMAL = 0


class Intervals:
    """The values of the cells that were found to be possible: from `low` to `high`, shape (n,) each.

    `values` are the true ones, `least` what a reader knows of each masked cell, shape (n,). Only changes of the values
    are looked for, so they need not satisfy the sums: their changes do.
    """

    def __init__(self, relations: Relations, values: Floats, least: Floats) -> None:
        self._relations, self._values, self._least = relations, values, least
        self._work = 0
        self.low, self.high = values.copy(), values.copy()

    def narrow(self, masked: NDArray[np.bool_], wanted: NDArray[np.bool_], room: Floats | None = None) -> Cells:
        """Some masked cells of `wanted` that are not shown to reach 11 with an interval of at least 10; sorted.

        There are none only if all are wide. `masked` and `wanted` have shape (n,); no cell may be published again
        between two calls. `room`, shape (n,), is how much more than its value a cell may have; it grows with the mask.
        Cells may be wide that are given, because the work is bounded. Raises RuntimeError if the solver fails.
        """
        cells = np.flatnonzero(masked & wanted & _is_narrow(self.low, self.high))
        if not len(cells):
            return cells
        # Without a limit, a cell has at most what all cells have together, and enough to be wide.
        most = self._values + np.minimum(np.inf if room is None else room, self._values.sum() + ROOM)
        program = _Program.of(self._relations, self._values, self._least, most, masked)
        some = program.prove(cells, _MAX_WORK - self._work)
        self._work += program.work
        self.low = np.minimum(self.low, program.lowest())
        self.high = np.maximum(self.high, program.highest())
        return some


@dataclass(eq=False)
class _Program:
    """The masked cells as unknowns. Cells in the same sums (twins) are one unknown, their total: shape (k,).

    Attributes:
        of_cell: The unknown of each masked cell, -1 of other cells, shape (n,).
        cell_value, cell_least, cell_most: The true value of each cell, and its bounds, shape (n,).
        equations: The sums that are left, shape (rows, k).
        block: The unknowns that move together in one program, by number, shape (k,).
        start, least, most: The true totals, and their bounds, shape (k,).
        size: The number of cells of each total, shape (k,).
        low, high: The smallest and largest totals found, shape (k,).
        random: Weights of the unknowns in the linear programs; always the same.
        work: The unknowns of all linear programs so far.
    """

    of_cell: Cells
    cell_value: Floats
    cell_least: Floats
    cell_most: Floats
    equations: csr_array
    block: Cells
    start: Floats
    least: Floats
    most: Floats
    size: NDArray[np.int64]
    low: Floats
    high: Floats
    random: np.random.Generator
    work: int = 0

    @classmethod
    def of(
        cls, relations: Relations, values: Floats, least: Floats, most: Floats, masked: NDArray[np.bool_]
    ) -> _Program:
        unknown = np.flatnonzero(masked)
        matrix = relations.matrix(unknown, len(masked))
        twins = _twins(matrix)
        first = np.unique(twins, return_index=True)[1]
        of_cell = np.full(len(masked), -1, np.int64)
        of_cell[unknown] = twins
        start = np.bincount(twins, values[unknown]).astype(np.float64)
        equations = matrix.tocsc()[:, first].tocsr()
        equations = equations[np.flatnonzero(np.diff(equations.indptr))].astype(np.float64)
        bounded = np.bincount(equations.indices, minlength=len(start)) > 0
        return cls(
            of_cell=of_cell,
            cell_value=values,
            cell_least=least,
            cell_most=most,
            equations=equations,
            block=_blocks(equations),
            start=start,
            least=np.bincount(twins, least[unknown]).astype(np.float64),
            most=np.bincount(twins, most[unknown]).astype(np.float64),
            size=np.bincount(twins).astype(np.int64),
            low=start.copy(),
            high=np.where(bounded, start, np.inf),
            random=np.random.default_rng(0),
        )

    def lowest(self) -> Floats:
        """The smallest value found of each cell; infinite for other cells, shape (n,).

        A twin leaves all that it may to others, if these may take it.
        """
        twins = self.size[self.of_cell] > 1
        taken = (self.most - self.start)[self.of_cell] - (self.cell_most - self.cell_value)
        own = np.maximum(self.cell_least, self.cell_value - taken)
        return np.where(self.of_cell < 0, np.inf, np.where(twins, own, self.low[self.of_cell]))

    def highest(self) -> Floats:
        """The largest value found of each cell; minus infinite for other cells, shape (n,)."""
        others = np.where(self.size > 1, self.least, 0.0)[self.of_cell]
        own = np.where(self.size[self.of_cell] > 1, self.cell_least, 0.0)
        found = self.high[self.of_cell] - others + own
        return np.where(self.of_cell < 0, -np.inf, np.minimum(found, self.cell_most))

    def prove(self, cells: Cells, max_work: int) -> Cells:
        """Seek solutions in which these cells are small, and solutions in which they are large.

        First for many cells at once, then, of those that are left, for one cell of each block at a time. Returns some
        cells that are not proved to be wide, if there are any; sorted.
        """
        self._lower(self._open(cells))
        left, worth = self._open(cells), True
        while len(left) and worth:
            before = len(left)
            self._raise(left)
            left = self._open(left)
            worth = before - len(left) >= _WORTH and self.work < max_work
        narrow = np.zeros(0, np.int64)
        while len(left) and len(narrow) < _ENOUGH:
            if self.work >= max_work:
                return left
            chosen = left[np.unique(self.block[self.of_cell[left]], return_index=True)[1]]
            self._lower(chosen)
            self._raise(chosen)
            narrow = np.union1d(narrow, self._open(chosen))
            left = np.setdiff1d(self._open(left), narrow)
        return narrow

    def _open(self, cells: Cells) -> Cells:
        return cells[_is_narrow(self.lowest()[cells], self.highest()[cells])]

    def _lower(self, cells: Cells) -> None:
        """A solution in which the totals of these cells are small. Twins need none: one is small, others are large."""
        unknowns = np.unique(self.of_cell[cells])
        is_above = self.low[unknowns] > self.least[unknowns] + _SLACK
        self._move(unknowns[(self.size[unknowns] == 1) & is_above], up=False)

    def _raise(self, cells: Cells) -> None:
        """A solution in which as many of the totals of these cells as possible are large enough."""
        self._move(np.unique(self.of_cell[cells]), up=True)

    def _move(self, unknowns: Cells, *, up: bool) -> None:
        """Take note of solutions in which these unknowns are small, or large (`up`), for some blocks at a time."""
        size = np.bincount(self.block)
        size[np.setdiff1d(self.block, self.block[unknowns])] = 0
        program = (np.cumsum(size) // _MAX_BLOCK)[self.block]
        in_a_program = size[self.block] > 0
        for number in np.unique(program[unknowns]):
            part = np.flatnonzero(in_a_program & (program == number))
            self._solve(part, unknowns[program[unknowns] == number], up=up)

    def _solve(self, part: Cells, unknowns: Cells, *, up: bool) -> None:
        """Take note of a solution in which the unknowns `part` move, and some of them are small, or large (`up`).

        Large is enough for a wide interval and no more, so that many are large at once.
        """
        from scipy.optimize import linprog

        self.work += len(part)
        matrix = self.equations[:, part]
        matrix = matrix[np.flatnonzero(np.diff(matrix.indptr))]
        place = np.searchsorted(part, unknowns)
        # Changes of the true totals.
        low, high = (self.least - self.start)[part], (self.most - self.start)[part]
        weight = self.random.exponential(size=len(unknowns)) + 0.1
        cost = np.zeros(len(part))
        cost[place] = -weight if up else weight
        if up:
            goal = np.where(self.size > 1, self.least + ROOM, _goal(self.low))[unknowns]
            high[place] = np.minimum(high[place], np.maximum(goal - self.start[unknowns], 0.0))
        # No change at all is possible: from there the simplex method needs few steps, and presolving takes longer.
        none = np.zeros(matrix.shape[0])
        bounds = np.column_stack([low, high])
        result = linprog(cost, A_eq=matrix, b_eq=none, bounds=bounds, method="highs-ds", options={"presolve": False})
        if result.status != _OPTIMAL:
            raise RuntimeError(f"the intervals could not be computed: {result.message}")
        found = self.start[part] + result.x
        self.low[part] = np.minimum(self.low[part], found)
        self.high[part] = np.maximum(self.high[part], found)


def _is_narrow(low: Floats, high: Floats) -> NDArray[np.bool_]:
    return high < _goal(low) - _SLACK


def _goal(low: Floats) -> Floats:
    """What the largest value of an interval from `low` must be."""
    return np.maximum(ROOM, low + SMALL_CELL)


def _blocks(matrix: csr_array) -> Cells:
    """The number of the block of each column: a component, or a piece of a large one.

    Depth first, the parts of a part come one after the other, so that many sums are within one piece.
    """
    from scipy.sparse.csgraph import depth_first_order

    rows = matrix.shape[0]
    block = components(matrix)
    size, graph = np.bincount(block), bipartite(matrix)
    found = len(size)
    for number in np.flatnonzero(size > _MAX_BLOCK).tolist():
        start = rows + int(np.argmax(block == number))
        order = depth_first_order(graph, start, return_predecessors=False)
        columns = order[order >= rows] - rows
        block[columns] = found + np.arange(len(columns)) // _MAX_BLOCK
        found = int(block.max()) + 1
    return block


def _twins(matrix: csr_array) -> Cells:
    """The number of the group of each column: the columns of a group are equal."""
    columns = matrix.tocsc()
    columns.sort_indices()
    groups: dict[tuple[bytes, bytes], int] = {}
    found = np.zeros(columns.shape[1], np.int64)
    for i, (start, end) in enumerate(pairwise(columns.indptr.tolist())):
        key = columns.indices[start:end].tobytes(), columns.data[start:end].tobytes()
        found[i] = groups.setdefault(key, len(groups))
    return found
