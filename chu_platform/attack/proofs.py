"""Which figures can move far enough, proved by solutions of the system: the work of attack 7.

Each solution proves a figure wide if it is far enough from another one. There are three ways to find solutions, from
cheap to expensive:

1. **Parts.** The figures of one family (the categories of a chapter, say) in one year and another one move, and all
   other figures keep the values of a known solution: what is possible there is possible in the whole system.
2. **Whole components.** As many open figures as possible are raised at once, and the solution becomes the known one:
   with other values outside, other figures of a part can move.
3. **Single figures.** The largest and the smallest value of each figure that is left, among all solutions. Only this
   one says that a figure is too narrow.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Final

import numpy as np
from numpy.typing import NDArray

from chu_platform.attack.intervals import Floats, Intervals, Numbers
from chu_platform.attack.programs import Contradiction, Program, Unsolved
from chu_platform.attack.system import System
from chu_platform.attack.twins import twin_classes

# An interval that is too narrow by less is wide.
_MOVED: Final = 1e-3
# A solution may break rows and bounds by this: the solver rounds.
_BROKEN: Final = 1e-5
# Families of fewer unknowns move in all years at once.
_SMALL_FAMILY: Final = 300
_FEW_YEARS: Final = 3
# Solutions for many figures of a part are sought as long as each proves such a share of the open ones.
_WORTH_SHARE: Final = 0.005
# Figures of a part that are tried by themselves, and how many of them in vain.
_SINGLES: Final = 200
_IN_VAIN: Final = 8
# Components of fewer unknowns are solved figure by figure: each takes a millisecond.
_SMALL_COMPONENT: Final = 400
# Seconds for single figures. What is then left is undecided.
MOST_SECONDS: Final = 3600.0
# Progress is printed so often (in single figures, in families).
_OFTEN: Final = 50


@dataclass(frozen=True)
class Verdict:
    """The columns whose figures are too narrow, and those of which nothing is known; all others are proved wide."""

    narrow: Numbers
    undecided: Numbers


@dataclass(frozen=True)
class Goal:
    """How far figures must be able to move: by `need`, and up to `ceiling`."""

    need: float
    ceiling: float

    def reached(self, low: Floats, high: Floats) -> NDArray[np.bool_]:
        """Which figures are wide if they can have these smallest and largest values."""
        wide: NDArray[np.bool_] = (high - low >= self.need - _MOVED) & (high >= self.ceiling - _MOVED)
        return wide

    def of(self, low: Floats) -> Floats:
        """The value from which figures with these smallest values are wide."""
        return np.maximum(low + self.need, self.ceiling)


class Proofs:
    """The figures that are proved to be wide.

    `start` are values of all columns that may be a solution, such as the true ones: where they are none, one is sought.
    """

    def __init__(
        self,
        intervals: Intervals,
        system: System,
        start: Floats | None,
        goal: Goal,
        log_progress: Callable[[str], None] = lambda _: None,
        most_seconds: float = MOST_SECONDS,
    ) -> None:
        self._intervals, self._goal, self._log, self._most_seconds = intervals, goal, log_progress, most_seconds
        self._families, self._years = system.families, system.years
        self._blocks, self._measures = system.blocks, system.measures
        self._random = np.random.default_rng(0)
        n = len(intervals.low)
        self._wanted = np.zeros(n, np.bool_)
        low, high = intervals.low, intervals.highest
        # Values of one row have one weight, so that they rise together.
        self._cells, self._kin = system.cells, system.kin
        self._base = np.clip(low if start is None else start, low, high)

    def judge(self, columns: Numbers) -> Verdict:
        """Prove as many of the columns as possible to be wide."""
        intervals = self._intervals
        bounds = intervals.low, intervals.high, intervals.steps
        reduced = intervals.reduced
        twins = twin_classes(reduced.matrix, reduced.rows, bounds, self._blocks, self._measures)
        chosen = columns[np.unique(twins[columns], return_index=True)[1]]
        is_narrow = ~self._goal.reached(intervals.low, intervals.high)
        narrow = [chosen[is_narrow[chosen]]]
        self._wanted[chosen[~is_narrow[chosen]]] = True
        self._all = len(chosen)
        self._find_base()
        self._log(f"{len(columns)} figures in {self._all} classes of twins, {len(self._open())} to prove")
        self._move_families()
        self._move_families()
        undecided = []
        for number in np.unique(intervals.components[self._open()]).tolist():
            too_narrow, unknown = self._settle(np.flatnonzero(intervals.components == number))
            narrow.append(too_narrow)
            undecided.append(unknown)
        self._wanted[:] = False
        self._say()

        def like(found: Sequence[Numbers]) -> Numbers:
            return columns[np.isin(twins[columns], twins[np.concatenate([np.zeros(0, np.int64), *found])])]

        return Verdict(like(narrow), like(undecided))

    def _open(self, part: Numbers | None = None) -> Numbers:
        """The columns of a part, or of all, that are wanted and not proved."""
        columns = np.flatnonzero(self._wanted) if part is None else part[self._wanted[part]]
        low, high = self._intervals.seen_low[columns], self._intervals.seen_high[columns]
        return columns[~self._goal.reached(low, high)]

    def _say(self, more: str = "") -> None:
        settled = self._all - len(self._open())
        share = 100 * settled // max(self._all, 1)
        self._log(f"intervals: {settled} of {self._all} figures settled ({share} %){more}")

    def _find_base(self) -> None:
        """Look for a solution in the components in which the start is none."""
        intervals = self._intervals
        matrix, (low, high) = intervals.reduced.matrix, intervals.reduced.rows
        values = matrix @ self._base
        broken = np.flatnonzero((values < low - _BROKEN) | (values > high + _BROKEN))
        numbers = intervals.components
        wrong = np.unique(numbers[intervals.reduced.columns_of(broken)])
        self._has_base = ~np.isin(numbers, wrong)
        for number in wrong.tolist():
            part = np.flatnonzero(numbers == number)
            if self._wanted[part].any():
                with suppress(Contradiction, Unsolved):
                    piece = _Piece(intervals, part, None)
                    self._know(piece, piece.largest(np.where(self._wanted[part], -1.0, 0.0)))
        seen = np.flatnonzero(self._wanted & self._has_base)
        intervals.see(seen, self._base[seen])

    # Parts.

    def _move_families(self) -> None:
        """Look for solutions in which the figures of one family move."""
        order = np.argsort(self._families, kind="stable")
        starts = np.flatnonzero(np.diff(self._families[order], prepend=-1))
        is_free = ~self._intervals.is_fixed & self._has_base
        for number, family in enumerate(np.split(order, starts[1:]), 1):
            members = family[is_free[family]]
            if len(self._open(members)):
                for inside, part in self._parts(members):
                    if len(self._open(inside)):
                        self._move(inside, part)
            if number % _OFTEN == 0:
                self._say()
        self._say()

    def _parts(self, members: Numbers) -> Iterator[tuple[Numbers, Numbers]]:
        """The figures of a family to prove together, and those that move: all, or those of a year, another, and all."""
        reduced = self._intervals.reduced
        around = reduced.columns_of(reduced.rows_of(members))
        years = np.unique(self._years[members])
        years = years[years > 0]
        if len(years) < _FEW_YEARS or len(members) < _SMALL_FAMILY:
            yield members, around
            return
        for year in years.tolist():
            other = int(self._random.choice(years[years != year]))
            inside = members[np.isin(self._years[members], (0, year))]
            if len(self._open(inside)):
                yield inside, around[np.isin(self._years[around], (0, year, other))]

    def _move(self, inside: Numbers, part: Numbers) -> None:
        """Look for solutions in which figures of a part move, and many of `inside` are small or large."""
        # If the solver fails, nothing more is proved.
        with suppress(Contradiction, Unsolved):
            piece = _Piece(self._intervals, part, self._base)
            self._raise(piece, inside)
            in_vain = 0
            for column in self._random.permutation(self._open(inside))[:_SINGLES].tolist():
                one = np.array([column])
                if not len(self._open(one)):
                    continue
                self._see(piece, piece.largest(piece.weight(one), only_goal_changed=True))
                in_vain = in_vain + 1 if len(self._open(one)) else 0
                if in_vain == _IN_VAIN:
                    break

    def _raise(self, piece: "_Piece", inside: Numbers) -> None:
        """Look for solutions in which many of `inside` are small, then for some in which many are large."""
        left = self._open(inside)
        self._see(piece, piece.largest(-piece.weight(left)))
        left, weights = self._open(left), self._weights()
        while len(left):
            before = len(left)
            self._see(piece, self._raised(piece, left, weights))
            left = self._open(left)
            if before - len(left) <= max(1.0, _WORTH_SHARE * before):
                break

    def _weights(self) -> Floats:
        """A weight for each column, the same for one row. They are far from each other: some figures come first."""
        weights: Floats = np.exp(2 * self._random.normal(size=int(self._cells.max(initial=0)) + 1))[self._cells]
        return weights

    def _raised(self, piece: "_Piece", columns: Numbers, weights: Floats) -> Floats:
        """A solution in which as many of the columns as possible are large enough, and no larger."""
        piece.limit(columns, self._goal.of(self._intervals.seen_low[columns]))
        return piece.largest(piece.weight(columns, weights[columns]))

    def _see(self, piece: "_Piece", values: Floats) -> None:
        """Take note of a solution, if it is one."""
        if piece.holds(values):
            self._intervals.see(piece.part, values)

    def _know(self, piece: "_Piece", values: Floats) -> None:
        """Take note of a solution of whole components, if it is one, and go on from it."""
        if piece.holds(values):
            self._intervals.see(piece.part, values)
            self._base[piece.part] = values
            self._has_base[piece.part] = True

    # Whole components.

    def _settle(self, part: Numbers) -> tuple[Numbers, Numbers]:
        """Prove or refute all figures of a component; gives those that are too narrow, and those without an answer."""
        nothing = np.zeros(0, np.int64)
        if not len(self._open(part)):
            return nothing, nothing
        try:
            piece = _Piece(self._intervals, part, None)
            if len(part) >= _SMALL_COMPONENT:
                self._raise_all(piece)
        except (Contradiction, Unsolved):
            return nothing, self._open(part)
        return self._try_each(piece)

    def _raise_all(self, piece: "_Piece") -> None:
        """Raise as many figures as possible in the whole component, and let families move from there."""
        left = self._open(piece.part)
        self._see(piece, piece.largest(-piece.weight(left)))
        self._know(piece, self._raised(piece, left, self._weights()))
        self._move_families()

    # Single figures.

    def _try_each(self, piece: "_Piece") -> tuple[Numbers, Numbers]:
        """Prove or refute each open figure of a component by itself; gives the too narrow and the undecided ones."""
        begun = monotonic()
        if piece.is_limited:
            # With the limits of the last solution, it is still possible, and each goal takes few steps from it.
            for _, one in self._one_by_one(piece, begun):
                with suppress(Contradiction, Unsolved):
                    self._know(piece, piece.largest(piece.weight(one), only_goal_changed=True))
                self._move_around(one)
            piece.limit(np.zeros(0, np.int64), np.zeros(0))
        narrow = []
        for column, one in self._one_by_one(piece, begun):
            # What the solver fails at stays open.
            with suppress(Contradiction, Unsolved):
                if self._is_narrow(piece, one):
                    narrow.append(column)
                    self._wanted[column] = False
                else:
                    self._move_around(one)
        return np.array(narrow, np.int64), self._open(piece.part)

    def _one_by_one(self, piece: "_Piece", begun: float) -> Iterator[tuple[int, Numbers]]:
        """The open figures of a component, as long as there is time."""
        left = self._random.permutation(self._open(piece.part)).tolist()
        for number, column in enumerate(left):
            if number % _OFTEN == _OFTEN - 1:
                still = len(self._open(piece.part))
                seconds = (monotonic() - begun) * still / max(len(left) - still, 1)
                self._say(f", about {seconds:.0f} s left")
            if monotonic() - begun > self._most_seconds:
                return
            one = np.array([column])
            if len(self._open(one)):
                yield column, one

    def _move_around(self, one: Numbers) -> None:
        """Let the family of a figure move that is large in the known solution: others may be large in place of it."""
        family, year = self._families[one][0], self._years[one][0]
        members = np.flatnonzero((self._families == family) & ~self._intervals.is_fixed & self._has_base)
        if len(self._open(members)):
            for inside, part in self._parts(members):
                if year in self._years[inside] and len(self._open(inside)):
                    self._move(inside, part)

    def _is_narrow(self, piece: "_Piece", one: Numbers) -> bool:
        """Whether a figure is too narrow, by its smallest and its largest value among all solutions."""
        at = piece.places(one)
        intervals = self._intervals
        low = intervals.low[one]
        if intervals.seen_low[one][0] > low[0] + _BROKEN:
            values = piece.largest(-piece.weight(one), only_goal_changed=True)
            self._see(piece, values)
            low = values[at]
        values = piece.largest(piece.weight(one), only_goal_changed=True)
        self._know(piece, values)
        return not self._goal.reached(low, values[at])[0]


class _Piece:
    """A program in which some columns move, and the others keep the values of a solution `base`.

    Without `base`, the columns are whole components.
    """

    def __init__(self, intervals: Intervals, part: Numbers, base: Floats | None) -> None:
        reduced = intervals.reduced
        rows = reduced.rows_of(part)
        matrix = reduced.matrix[rows]
        self.part, self._matrix = part, matrix[:, part]
        low, high = intervals.low[part], intervals.highest[part]
        self._right = low - _BROKEN, high + _BROKEN
        limits = reduced.rows[0][rows], reduced.rows[1][rows]
        if base is not None:
            outside = base.copy()
            outside[part] = 0.0
            constant = matrix @ outside
            limits = limits[0] - constant, limits[1] - constant
        self._limits = limits[0] - _BROKEN, limits[1] + _BROKEN
        if base is not None:
            # The known solution may break rows by the slack of the solver: it must stay possible.
            now = self._matrix @ base[part]
            limits = np.minimum(limits[0], now), np.maximum(limits[1], now)
            low, high = np.minimum(low, base[part]), np.maximum(high, base[part])
        self._low, self._high = low, high
        self._least = low if base is None else base[part]
        self._program = Program(self._matrix, limits, low, high)
        # Whether some columns have limits beside their bounds.
        self.is_limited = False

    def places(self, columns: Numbers) -> Numbers:
        """Where some columns are in the part."""
        return np.searchsorted(self.part, columns).astype(np.int64)

    def weight(self, columns: Numbers, weights: Floats | float = 1.0) -> Floats:
        """The weights of the part in which only some columns count."""
        found = np.zeros(len(self.part))
        found[self.places(columns)] = weights
        return found

    def limit(self, columns: Numbers, most: Floats) -> None:
        """Let some columns be at most so large, and the others as large as their bounds say."""
        high = self._high.copy()
        at = self.places(columns)
        self.is_limited = len(at) > 0
        high[at] = np.clip(most, self._least[at], high[at])
        self._program.bound(self._low, high)

    def largest(self, weight: Floats, *, only_goal_changed: bool = False) -> Floats:
        """The values with the largest weighted sum."""
        return self._program.largest(weight, only_goal_changed=only_goal_changed)

    def holds(self, values: Floats) -> bool:
        """Whether values are a solution, computed without the solver."""
        rows = self._matrix @ values
        inside = (values >= self._right[0]) & (values <= self._right[1])
        return bool(inside.all() and (rows >= self._limits[0]).all() and (rows <= self._limits[1]).all())
