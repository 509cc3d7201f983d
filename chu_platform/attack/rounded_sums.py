"""The sums between rows whose counts are rounded down, solved by linear programs."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from chu_platform.attack.figures import ALL, SMALL
from chu_platform.attack.rounded_facts import Row

STEP: Final = 20
_TOTAL: Final = ("total", "total")
# The levels of which all rows together are the total; of the last one, only some rows are published.
_PARTS: Final = ("chapter", "form", "speciality", "medication")
_SOME: Final = "medication"
_TO_STAY: Final = "to_stay"
_TOLERANCE: Final = 1e-6
Floats = NDArray[np.float64]
# Rows by cell, with the columns `at_least` (None: masked) and `period_end`.
Rows = Mapping[Row, Mapping[str, Any]]


class RoundedSums:
    """The count of each row between its bounds; counts of parts add up to those of their wholes.

    What earlier editions say of the same period is known too, unless a correction contradicts it.
    """

    def __init__(self, rows: Rows, earlier: Sequence[Rows] = ()) -> None:
        self._column = {cell: n for n, cell in enumerate(rows)}
        self._low = np.ones(len(rows))
        self._high = np.full(len(rows), np.inf)
        for before in earlier:
            for cell, row in before.items():
                if cell in rows and row["period_end"] == rows[cell]["period_end"]:
                    self._know(cell, row["at_least"])
        for cell, row in rows.items():
            self._know(cell, row["at_least"])
        self._wholes = list(self._sums())

    def _know(self, cell: Row, at_least: float | None) -> None:
        """A later edition holds: what it says replaces what was known before."""
        if at_least is not None:
            self._low[self._column[cell]], self._high[self._column[cell]] = at_least, at_least + STEP - 1

    def _sums(self) -> Iterator[tuple[int, Sequence[int], bool]]:
        """The whole, its parts, and whether these are all of it."""
        parts: dict[tuple[Row, str], list[int]] = defaultdict(list)
        for (name, grain, start, keys), n in self._column.items():
            *step, level, _ = keys
            # A stay counts in each speciality that was consulted on one day.
            if level in _PARTS and (step, level) != ([_TO_STAY], "speciality"):
                parts[(name, grain, start, (*step, *_TOTAL)), level].append(n)
            if grain == "year":
                parts[(name, ALL, None, keys), level].append(n)
        for (whole, level), found in parts.items():
            if whole in self._column:
                yield self._column[whole], found, level != _SOME

    def narrow(self, cells: Collection[Row]) -> list[Row]:
        """The cells of which the count is at most ten, or lies in an interval of less than ten."""
        columns = np.array([self._column[c] for c in cells], np.int64)
        if not len(columns):
            return []
        # In one solution many are as large as eleven, in another one many are as small as they can be.
        large, small = self._all_large(columns), self._solved(columns, 1.0)
        if large is None or small is None:
            # The editions contradict each other: nothing follows.
            return []
        least, most = small[columns], large[columns]
        left = np.flatnonzero(_is_narrow(least, most))
        for n in left.tolist():
            low, high = (self._solved(columns[n : n + 1], sign) for sign in (1.0, -1.0))
            least[n] = low[columns[n]] if low is not None else 0.0
            # Without a bound, no solution is the largest one.
            most[n] = high[columns[n]] if high is not None else np.inf
        return [c for c, is_known in zip(cells, _is_narrow(least, most), strict=True) if is_known]

    def _all_large(self, columns: NDArray[np.int64]) -> Floats | None:
        """A solution in which as many of the columns as possible are large, none counting above eleven."""
        from scipy.sparse import block_array, coo_array, eye_array

        n, more = len(self._low), len(columns)
        enough = np.full(more, SMALL + 1.0)
        chosen = coo_array((np.ones(more), (np.arange(more), columns)), shape=(more, n))
        matrix, low, high = self._rows()
        matrix = block_array([[matrix, None], [chosen, -eye_array(more)]]) if matrix is not None else None
        if matrix is None:
            return np.asarray(np.maximum(self._low, np.minimum(self._high, SMALL + 1.0)), np.float64)
        cost = np.concatenate([np.zeros(n), -np.ones(more)])
        bounds = np.concatenate([self._low, np.zeros(more)]), np.concatenate([self._high, enough])
        rows = np.concatenate([low, np.zeros(more)]), np.concatenate([high, np.full(more, np.inf)])
        found = _program(cost, matrix, rows, bounds)
        return None if found is None else np.asarray(found[:n], np.float64)

    def _solved(self, columns: NDArray[np.int64], sign: float) -> Floats | None:
        """The solution in which the sum of the columns is the smallest (1) or the largest (-1); None without one."""
        cost = np.zeros(len(self._low))
        cost[columns] = sign
        matrix, low, high = self._rows()
        return _program(cost, matrix, (low, high), (self._low, self._high))

    def _rows(self) -> tuple[Any, Floats, Floats]:
        """Parts minus whole: 0, or less where parts are missing. The matrix is None without sums."""
        from scipy.sparse import csr_array  # takes time to import

        if not self._wholes:
            return None, np.zeros(0), np.zeros(0)
        entries = [(r, c, 1.0) for r, (_, parts, _) in enumerate(self._wholes) for c in parts]
        entries += [(r, whole, -1.0) for r, (whole, _, _) in enumerate(self._wholes)]
        at, columns, values = zip(*entries, strict=True)
        low = np.array([0.0 if is_whole else -np.inf for _, _, is_whole in self._wholes])
        return csr_array((values, (at, columns)), (len(low), len(self._low))), low, np.zeros(len(low))


def _is_narrow(least: Floats, most: Floats) -> NDArray[np.bool_]:
    return (most < SMALL + 1 - _TOLERANCE) | (most - least < SMALL - _TOLERANCE)


def _program(cost: Floats, matrix: Any, rows: tuple[Floats, Floats], bounds: tuple[Floats, Floats]) -> Floats | None:
    from scipy.optimize import Bounds, LinearConstraint, milp

    constraints = [LinearConstraint(matrix, *rows)] if matrix is not None else []
    solution = milp(cost, bounds=Bounds(*bounds), constraints=constraints)
    return np.asarray(solution.x, np.float64) if solution.success else None
