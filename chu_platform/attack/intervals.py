"""The interval of possible values of each unknown figure of a system.

Outer bounds follow from the rows one by one, with whole numbers rounded (propagation): what they fix is fixed. Linear
programs (HiGHS) give solutions: the smallest and the largest value of a figure in all solutions found is possible, so
one solution can prove many figures to be uncertain.
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

if TYPE_CHECKING:
    from scipy.sparse import csc_array, csr_array

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


@dataclass(frozen=True)
class Reduced:
    """The rows that bind, without the figures that are known: `rows[0] <= matrix x values <= rows[1]`."""

    matrix: "csr_array"
    rows: tuple[Floats, Floats]

    @cached_property
    def by_column(self) -> "csc_array":
        """The matrix, stored by column."""
        return self.matrix.tocsc()

    def rows_of(self, columns: Numbers) -> Numbers:
        """The rows of some columns."""
        return _slices(self.by_column, columns)

    def columns_of(self, rows: Numbers) -> Numbers:
        """The columns of some rows."""
        return _slices(self.matrix, rows)


class Intervals:
    """The possible values of the unknowns of a system. Raises Contradiction when there is none."""

    def __init__(self, system: System, log_progress: Callable[[str], None] = lambda _: None) -> None:
        self.matrix = system.matrix
        self.rows = system.row_bounds
        self.steps = system.step_array
        self._log = log_progress
        found = propagate(self.matrix, self.rows, *system.column_bounds, self.steps)
        if found.broken:
            raise Contradiction
        self.low, self.high = found.low, found.high
        # Smallest and largest value in all solutions found.
        self.seen_low = np.full(len(self.low), np.inf)
        self.seen_high = np.full(len(self.low), -np.inf)
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
        low, high = self.reduced.rows
        return self.reduced.matrix[high - low < _EQUAL]

    def _rounded(self, columns: Numbers) -> Floats:
        """The value of columns that have only one."""
        step = self.steps[columns]
        size = np.where(step > 0, step, 1.0)
        return np.where(step > 0, np.round(self.seen_low[columns] / size) * size, self.seen_low[columns])

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
        self.reduced = Reduced(matrix[used], (rows[0][used], rows[1][used]))
        self.components = components_of(self.reduced.matrix)
        free = np.bincount(self.reduced.matrix.indices, minlength=len(self.low)) == 0
        self.seen_low[free] = self.low[free]
        self.seen_high[free] = self.highest[free]

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
        rows = self.reduced.rows_of(part)
        low, high = self.low[part], self.highest[part]
        if near:
            low[places] = np.maximum(low[places], self.seen_low[columns] - _LITTLE)
            high[places] = np.minimum(high[places], self.seen_high[columns] + _LITTLE)
        goal = np.zeros(len(part))
        goal[places] = weight
        limits = self.reduced.rows[0][rows], self.reduced.rows[1][rows]
        self.see(part, Program(self.reduced.matrix[rows][:, part], limits, low, high).largest(goal))

    def see(self, part: Numbers, values: Floats) -> None:
        """Take note of the values of some columns in a solution."""
        self.seen_low[part] = np.minimum(self.seen_low[part], values)
        self.seen_high[part] = np.maximum(self.seen_high[part], values)

    def _has_moved(self, columns: Numbers) -> NDArray[np.bool_]:
        """Which columns have two possible values."""
        moved: NDArray[np.bool_] = self.seen_high[columns] - self.seen_low[columns] > _MOVED
        return moved

    @property
    def highest(self) -> Floats:
        """The upper bounds, without those above which no figure needs to be known."""
        return np.minimum(self.high, self.low + self._large)

    @cached_property
    def _large(self) -> float:
        """An amount above which no figure needs to be known."""
        bounds = np.abs(np.concatenate([self.rows[0], self.rows[1]]))
        finite = bounds[np.isfinite(bounds)]
        return float(2 * finite.max() + 1000) if len(finite) else 1000.0


def _slices(matrix: "csr_array | csc_array", numbers: Numbers) -> Numbers:
    """The indices in some rows of a matrix (columns, if it is stored by column), in order, each once."""
    starts, ends = matrix.indptr[numbers], matrix.indptr[numbers + 1]
    length = ends - starts
    first = np.repeat(starts - np.cumsum(length) + length, length)
    found: Numbers = np.unique(matrix.indices[first + np.arange(length.sum())]).astype(np.int64)
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
