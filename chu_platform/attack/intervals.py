"""The interval of possible values of each unknown figure of a system.

Outer bounds follow from the rows one by one, with whole numbers rounded (propagation): what they fix is fixed. Linear
programs (HiGHS) give solutions: the smallest and the largest value of a figure in all solutions found is possible, so
one solution can prove many figures to be uncertain. Figures that neither settles get linear programs of their own.
"""

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from chu_platform.attack.programs import Contradiction, Program
from chu_platform.attack.system import System
from chu_platform.attack.twins import twin_classes

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
_TOLERANCE: Final = 1e-6
# A figure that moves by less has one value.
_MOVED: Final = 1e-3
_LITTLE: Final = 0.02
_EQUAL: Final = 1e-4
_MAX_PASSES: Final = 200
# Unknowns of the components that are solved together; a larger component is solved alone.
_BATCH: Final = 20_000
# Entries of the rows around a figure: first few, then more.
_NEARBY: Final = (12_000, 60_000)


@dataclass
class Propagated:
    """Bounds of the unknowns after propagation. `broken`: some unknown has no value left."""

    low: Floats
    high: Floats
    broken: bool


def propagate(matrix: "csr_array", rows: tuple[Floats, Floats], low: Floats, high: Floats, steps: Floats) -> Propagated:
    """Narrow the bounds of the unknowns by each row, until nothing changes."""
    low, high = low.copy(), high.copy()
    row_of = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    column, a = matrix.indices, matrix.data
    starts = matrix.indptr[:-1]
    if not len(a):
        return Propagated(low, high, bool(np.any(low > high + _TOLERANCE)))
    positive = a > 0
    for _ in range(_MAX_PASSES):
        # The least and the largest contribution of each entry; infinite ones are counted apart.
        least = np.where(positive, a * low[column], a * high[column])
        most = np.where(positive, a * high[column], a * low[column])
        before = low.copy(), high.copy()
        for contribution, limit, is_upper in ((least, rows[1], True), (most, rows[0], False)):
            infinite = np.isinf(contribution)
            finite = np.where(infinite, 0.0, contribution)
            total = np.add.reduceat(finite, starts)[row_of]
            others = np.add.reduceat(infinite.astype(np.int64), starts)[row_of] - infinite
            rest = limit[row_of] - (total - finite)
            usable = (others == 0) & np.isfinite(limit[row_of])
            value = np.where(usable, rest / a, 0.0)
            gives_high = usable & (positive == is_upper)
            gives_low = usable & (positive != is_upper)
            np.minimum.at(high, column[gives_high], value[gives_high])
            np.maximum.at(low, column[gives_low], value[gives_low])
        stepped = steps > 0
        size = np.where(stepped, steps, 1.0)
        low = np.where(stepped & np.isfinite(low), np.ceil(low / size - 1e-5) * size, low)
        high = np.where(stepped & np.isfinite(high), np.floor(high / size + 1e-5) * size, high)
        if np.any(low > high + 1e-4):
            return Propagated(low, high, broken=True)
        # Rounding errors must not narrow an interval for ever.
        low, high = np.maximum(low, before[0]), np.minimum(high, before[1])
        moved = (low > before[0] + _TOLERANCE) | (high < before[1] - _TOLERANCE)
        if not moved.any():
            break
    return Propagated(low, np.maximum(low, high), broken=False)


class Intervals:
    """The possible values of the unknowns of a system. Raises Contradiction when there is none."""

    def __init__(self, system: System, log_progress: Callable[[str], None] = lambda _: None) -> None:
        self.matrix = system.matrix
        self.rows = system.row_bounds
        self.steps = system.step_array
        self._log = log_progress
        self._blocks, self._measures = system.blocks, system.measures
        found = propagate(self.matrix, self.rows, *system.column_bounds, self.steps)
        if found.broken:
            raise Contradiction
        self.low, self.high = found.low, found.high
        # Smallest and largest value in all solutions found.
        self.seen_low = np.full(len(self.low), np.inf)
        self.seen_high = np.full(len(self.low), -np.inf)
        # A solution, in the components for which one was looked for.
        self._known = np.full(len(self.low), np.nan)
        self._random = np.random.default_rng(0)
        self._reduce()

    def knowing(self, values: Mapping[int, float]) -> "Intervals":
        """The possible values of the unknowns when some columns are known, settled. Raises Contradiction."""
        known = copy(self)
        columns = np.array(list(values), np.int64)
        low, high = self.low.copy(), self.high.copy()
        low[columns] = high[columns] = list(values.values())
        found = propagate(self.matrix, self.rows, low, high, self.steps)
        if found.broken:
            raise Contradiction
        known.low, known.high = found.low, found.high
        known.seen_low, known.seen_high = np.full(len(low), np.inf), np.full(len(low), -np.inf)
        known._known = np.full(len(low), np.nan)
        touched = np.isin(self.components, np.unique(self.components[columns]))
        known._reduce()
        known.settle(touched)
        return known

    def settle(self, only: NDArray[np.bool_] | None = None) -> None:
        """Find the unknowns that have only one possible value (`is_fixed`), all or those in `only`.

        A random weighted sum of figures has one value in all solutions only if each of the figures has: so one largest
        and one smallest sum settle all figures of a component that cannot move.
        """
        left = np.flatnonzero(~self.is_fixed if only is None else ~self.is_fixed & only)
        if len(left):
            self._solve(left, self._random.uniform(0.5, 1.5, len(left)))
        left = left[~self._has_moved(left)]
        while len(left):
            # Near a solution all figures that can move do so together; far away few do, and the others follow.
            weight = self._random.normal(size=len(left))
            self._solve(left, weight, near=True)
            self._solve(left, -weight, near=True)
            moved = self._has_moved(left)
            moving = np.isin(self.components[left], np.unique(self.components[left[moved]]))
            stuck = left[~moving]
            self.low[stuck] = self.high[stuck] = self._rounded(stuck)
            left = left[moving & ~moved]
            self._log(f"{len(left)} unknown figures may have only one value")
        # What is known now narrows others.
        found = propagate(self.matrix, self.rows, self.low, self.high, self.steps)
        if not found.broken:
            self.low, self.high = found.low, found.high
        self._reduce()

    @property
    def equations(self) -> "csr_array":
        """The rows that are equations, without the figures that are known."""
        return self._matrix[self._rows[1] - self._rows[0] < _EQUAL]

    def _rounded(self, columns: Numbers) -> Floats:
        """The value of columns that have only one."""
        step = self.steps[columns]
        size = np.where(step > 0, step, 1.0)
        return np.where(step > 0, np.round(self.seen_low[columns] / size) * size, self.seen_low[columns])

    def narrow(self, columns: Numbers, need: float, ceiling: float) -> NDArray[np.bool_]:
        """Which of the columns have an interval below `need`, or can only be below `ceiling`; shape (unknowns,)."""
        columns_of = self.low, self.high, self.steps
        twins = twin_classes(self._matrix, self._rows, columns_of, self._blocks, self._measures)
        chosen = columns[np.unique(twins[columns], return_index=True)[1]]
        self._log(f"{len(columns)} figures in {len(chosen)} classes of twins")
        exposed = np.zeros(len(self.low), np.bool_)
        exposed[self._narrow_alone(chosen, need, ceiling)] = True
        wanted = np.zeros(len(self.low), np.bool_)
        wanted[columns] = True
        return wanted & np.isin(twins, twins[exposed])

    def _narrow_alone(self, columns: Numbers, need: float, ceiling: float) -> Numbers:
        """The columns that `narrow` finds, each tried by itself."""
        hopeless = (self.high - self.low < need - _MOVED) | (self.high < ceiling - _MOVED)
        found = [columns[hopeless[columns]]]
        left = columns[~hopeless[columns]]
        wanted = _Wanted(self, need, ceiling, np.isin(np.arange(len(self.low)), left))
        left = wanted.open(left)
        if len(left):
            self._solve(left, -np.ones(len(left)))
        for size in _NEARBY:
            found.append(self._look_nearby(left, size, wanted))
            left = wanted.open(np.setdiff1d(left, found[-1]))
        for number in np.unique(self.components[left]):
            part = np.flatnonzero(self.components == number)
            inside = left[self.components[left] == number]
            self._widen(inside, self._rows_of(part), part, wanted)
            found.append(wanted.open(inside))
        return np.concatenate(found)

    def _look_nearby(self, columns: Numbers, size: int, wanted: "_Wanted") -> Numbers:
        """Look at `size` entries of the rows around each column; returns the columns that are too narrow.

        If a column can move far enough while all figures far away keep the values of a solution, it is wide; and so are
        many of those around it. If the rows around it alone bound it, it is narrow: with all rows, it is at least as
        narrow.
        """
        found = []
        for number, column in enumerate(columns.tolist(), 1):
            if wanted.is_open(column):
                rows, part = self._surroundings(column, size)
                self._widen(np.array([column]), self._rows_of(part), part, wanted)
                if wanted.is_open(column) and wanted.is_too_narrow(self._bounds(column, rows, part)):
                    found.append(column)
            if number % 500 == 0:
                self._log(f"{len(wanted.open(columns[number:]))} figures are not settled yet")
        return np.array(found, np.int64)

    def _widen(self, columns: Numbers, rows: Numbers, part: Numbers, wanted: "_Wanted") -> None:
        """Look for solutions in which figures of `part` are as large as wanted, as many as possible in each solution.

        Each of `columns` is then made as large and as small as possible by itself.
        """
        goals = np.full(len(part), np.inf)
        inside = np.flatnonzero(wanted.is_wanted[part])
        goals[inside] = np.maximum(wanted.goals(part[inside]), self._known[part[inside]])
        program = self._program(rows, part, np.minimum(self.high[part], goals))
        weight = self._random.exponential(size=len(part)) + 0.1
        inside = inside[np.isin(part[inside], wanted.open(part[inside]))]
        solutions = [self._known[part]]
        while len(inside):
            goal = np.zeros(len(part))
            goal[inside] = weight[inside]
            solutions.append(self._see(part, program.largest(goal)))
            still = inside[np.isin(part[inside], wanted.open(part[inside]))]
            if len(still) == len(inside):
                break
            inside = still
        for column in columns.tolist():
            goal = np.where(part == column, 1.0, 0.0)
            solutions += [self._see(part, program.largest(goal))] if wanted.is_open(column) else []
            solutions += [self._see(part, program.largest(-goal))] if wanted.is_open(column) else []
        # The mean of solutions is one, and far from most bounds, so that figures can move.
        self._known[part] = np.mean(solutions, axis=0)

    def _program(self, rows: Numbers, part: Numbers, high: Floats) -> Program:
        """The program of some rows and columns; the other columns keep the values of the known solution."""
        known = self._known[part]
        outside = self._known.copy()
        outside[part] = 0.0
        constant = self._matrix[rows] @ outside
        matrix = self._matrix[rows][:, part]
        # The known solution may break rows by the slack of the solver: it must stay possible.
        now = matrix @ known
        limits = np.minimum(self._rows[0][rows] - constant, now), np.maximum(self._rows[1][rows] - constant, now)
        high = np.minimum(high, self.low[part] + self._large)
        return Program(matrix, limits, np.minimum(self.low[part], known), np.maximum(high, known))

    def _see(self, part: Numbers, values: Floats) -> Floats:
        """Take note of a solution, and give it back."""
        self.seen_low[part] = np.minimum(self.seen_low[part], values)
        self.seen_high[part] = np.maximum(self.seen_high[part], values)
        return values

    def _has_moved(self, columns: Numbers) -> NDArray[np.bool_]:
        """Which columns have two possible values."""
        moved: NDArray[np.bool_] = self.seen_high[columns] - self.seen_low[columns] > _MOVED
        return moved

    def _rows_of(self, part: Numbers) -> Numbers:
        """The rows of some columns."""
        return np.unique(_slices(self._by_column, part))

    def _surroundings(self, column: int, most: int) -> tuple[Numbers, Numbers]:
        """The rows around a column, nearest first, up to a size; and their columns in order."""
        rows: dict[int, None] = {}
        columns = {column: None}
        by_column = self._by_column
        front, size = [column], 0
        while front and size < most:
            reached = []
            for at in front:
                for row in by_column.indices[by_column.indptr[at] : by_column.indptr[at + 1]].tolist():
                    if row in rows or size >= most:
                        continue
                    rows[row] = None
                    inside = self._matrix.indices[self._matrix.indptr[row] : self._matrix.indptr[row + 1]].tolist()
                    size += len(inside)
                    reached += [c for c in inside if c not in columns]
                    columns |= dict.fromkeys(inside)
            front = reached
        return np.array(list(rows), np.int64), np.array(sorted(columns), np.int64)

    def _bounds(self, column: int, rows: Numbers, part: Numbers) -> tuple[float, float]:
        """The smallest and the largest value of a column, given some rows."""
        high = np.minimum(self.high[part], self.low[part] + self._large)
        limits = self._rows[0][rows], self._rows[1][rows]
        program = Program(self._matrix[rows][:, part], limits, self.low[part], high)
        at = int(np.searchsorted(part, column))
        goal = np.where(part == column, 1.0, 0.0)
        return float(program.largest(-goal)[at]), float(program.largest(goal)[at])

    def _reduce(self) -> None:
        """Leave out the figures that are known, and the rows that hold for all values within the bounds."""
        self.is_fixed = self.high - self.low < _MOVED
        self.seen_low[self.is_fixed] = self.seen_high[self.is_fixed] = self.low[self.is_fixed]
        value = np.where(self.is_fixed, self.low, 0.0)
        constant = self.matrix @ value
        rows = self.rows[0] - constant, self.rows[1] - constant
        matrix = self.matrix.copy()
        matrix.data = np.where(self.is_fixed[matrix.indices], 0.0, matrix.data)
        matrix.eliminate_zeros()
        least, most = activity(matrix, self.low, self.high)
        binds = (least < rows[0] - _TOLERANCE) | (most > rows[1] + _TOLERANCE)
        used = np.flatnonzero(binds & (np.diff(matrix.indptr) > 0))
        self._matrix = matrix[used]
        self._rows = rows[0][used], rows[1][used]
        self._by_column = self._matrix.tocsc()
        self.components = components_of(self._matrix)
        free = np.bincount(self._matrix.indices, minlength=len(self.low)) == 0
        self.seen_low[free] = self.low[free]
        self.seen_high[free] = np.minimum(self.high[free], self.low[free] + self._large)

    def _solve(self, columns: Numbers, weight: Floats, near: bool = False) -> None:
        """The solution with the largest weighted sum of columns, for the components of the columns.

        With `near`, the columns stay near the value that they had in all solutions.
        """
        sizes = np.bincount(self.components)
        # Components are solved in batches: one large program takes longer than its parts.
        wanted = np.unique(self.components[columns])
        batch = np.zeros(len(sizes), np.int64)
        batch[wanted] = np.cumsum(sizes[wanted]) // _BATCH
        for number in np.unique(batch[wanted]):
            inside = batch[self.components[columns]] == number
            self._solve_batch(columns[inside], weight[inside], near)

    def _solve_batch(self, columns: Numbers, weight: Floats, near: bool) -> None:
        part = np.flatnonzero(np.isin(self.components, np.unique(self.components[columns])))
        places = np.searchsorted(part, columns)
        rows = self._rows_of(part)
        low, high = self.low[part], np.minimum(self.high[part], self.low[part] + self._large)
        if near:
            low[places] = np.maximum(low[places], self.seen_low[columns] - _LITTLE)
            high[places] = np.minimum(high[places], self.seen_high[columns] + _LITTLE)
        goal = np.zeros(len(part))
        goal[places] = weight
        limits = self._rows[0][rows], self._rows[1][rows]
        values = self._see(part, Program(self._matrix[rows][:, part], limits, low, high).largest(goal))
        before = self._known[part]
        self._known[part] = np.where(np.isnan(before), values, (before + values) / 2)

    @cached_property
    def _large(self) -> float:
        """An amount above which no figure needs to be known."""
        bounds = np.abs(np.concatenate([self.rows[0], self.rows[1]]))
        finite = bounds[np.isfinite(bounds)]
        return float(2 * finite.max() + 1000) if len(finite) else 1000.0


@dataclass
class _Wanted:
    """How far figures must be able to move: by `need`, and up to `ceiling`."""

    intervals: Intervals
    need: float
    ceiling: float
    is_wanted: NDArray[np.bool_]

    def open(self, columns: Numbers) -> Numbers:
        """The columns that no solution has shown to be wide enough."""
        low, high = self.intervals.seen_low[columns], self.intervals.seen_high[columns]
        wide: NDArray[np.bool_] = (high - low >= self.need - _MOVED) & (high >= self.ceiling - _MOVED)
        return columns[~wide]

    def is_open(self, column: int) -> bool:
        """Whether no solution has shown a column to be wide enough."""
        return len(self.open(np.array([column]))) > 0

    def goals(self, columns: Numbers) -> Floats:
        """The value from which each of the columns is wide enough."""
        return np.maximum(self.intervals.seen_low[columns] + self.need, self.ceiling)

    def is_too_narrow(self, bounds: tuple[float, float]) -> bool:
        """Whether a figure with these bounds is too narrow."""
        return bounds[1] < self.ceiling - _MOVED or bounds[1] - bounds[0] < self.need - _MOVED


def _slices(matrix: "csr_array", columns: Numbers) -> Numbers:
    """The rows of some columns of a matrix that is stored by column."""
    found: Numbers = np.concatenate([matrix.indices[matrix.indptr[c] : matrix.indptr[c + 1]] for c in columns.tolist()])
    return found


def activity(matrix: "csr_array", low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """The least and the largest value of each row, for all values within the bounds."""
    positive = matrix.data > 0
    with np.errstate(invalid="ignore"):
        least = np.where(positive, matrix.data * low[matrix.indices], matrix.data * high[matrix.indices])
        most = np.where(positive, matrix.data * high[matrix.indices], matrix.data * low[matrix.indices])
    row_of = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    n = matrix.shape[0]
    low_sums: Floats = np.bincount(row_of, least, minlength=n).astype(np.float64)
    high_sums: Floats = np.bincount(row_of, most, minlength=n).astype(np.float64)
    return low_sums, high_sums


def components_of(matrix: "csr_array") -> Numbers:
    """The number of the connected component of each column: columns of one row are connected."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    rows, columns = matrix.shape
    row_of = np.repeat(np.arange(rows), np.diff(matrix.indptr))
    edges = (np.ones(matrix.nnz, np.int8), (row_of, matrix.indices + rows))
    graph = csr_array(edges, shape=(rows + columns, rows + columns))
    return np.asarray(connected_components(graph, directed=False)[1][rows:], np.int64)
