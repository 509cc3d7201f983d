"""The intervals of masked cells when all measures of all rows are put together, by linear programs of their own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import linprog

from chu_platform.sdc.family import Family, Insiders, Repeats, System
from chu_platform.sdc.levels import Levels
from chu_platform.sdc.relations import Relations
from chu_platform.sdc.unions import Unions
from chu_platform_tests.sdc.synthetic_tables import grid

pytestmark = pytest.mark.unit

Floats = NDArray[np.float64]
EVENTS, DAYS, PERSONS = range(3)
ROWS, COLUMNS = 3, 4


@dataclass(frozen=True)
class Stays:
    """Stays, days and persons of the cells of a table with margins, shape (n, 3), and its sums."""

    counts: Floats
    relations: Relations

    @classmethod
    def random(cls, seed: int) -> Stays:
        """Stays of random persons, in random cells of the table; some persons have several."""
        random = np.random.default_rng(seed)
        number = random.integers(1, 30, (ROWS, COLUMNS))
        cell = np.repeat(np.arange(number.size), number.ravel())
        row, column = cell // COLUMNS, cell % COLUMNS
        person = random.integers(0, max(1, len(cell) // 2), len(cell))
        days = random.integers(1, 4, len(cell))
        values, relations = grid(number.astype(np.float64))
        counts = np.zeros((len(values), 3))
        for i in range(ROWS + 1):
            for j in range(COLUMNS + 1):
                inside = ((row == i) | (i == ROWS)) & ((column == j) | (j == COLUMNS))
                persons = len(np.unique(person[inside]))
                counts[i * (COLUMNS + 1) + j] = inside.sum(), days[inside].sum(), persons
        assert (counts[:, EVENTS] == values).all()
        return cls(counts, relations)

    @property
    def unsafe(self) -> NDArray[np.bool_]:
        return np.asarray(self.counts.min(axis=1) <= 10, np.bool_)

    def family(self) -> Family:
        n = len(self.counts)
        return Family(
            weight=self.counts[:, EVENTS],
            unsafe=self.unsafe,
            levels=Levels.of(np.zeros(n, np.int64), np.zeros(n, np.bool_), np.arange(n), [self.relations]),
            systems=[System("events, days", self.counts[:, [EVENTS, DAYS]], self.relations)],
            unions=Unions(self.counts[:, PERSONS], self.relations),
            insiders=Insiders(np.zeros(n), np.zeros(n, np.bool_)),
            repeats=Repeats(np.zeros(0, np.int64), np.zeros(0, np.int64)),
        )

    def interval(self, mask: NDArray[np.bool_], cell: int, measure: int) -> tuple[float, float]:
        """What a reader knows of a figure who puts all together; all figures are unknowns, visible ones have one value.

        Stays and days add up. 1 <= persons <= stays <= days. Persons of a part are at most those of the whole, and
        these at most the sum of those of the parts.
        """
        n = len(self.counts)

        def row(*terms: tuple[int, int, float]) -> Floats:
            found = np.zeros(3 * n)
            for of, which, coefficient in terms:
                found[3 * of + which] += coefficient
            return found

        equal, at_most = [], []
        for r, whole in enumerate(self.relations.parents.tolist()):
            parts = self.relations.children[self.relations.starts[r] : self.relations.starts[r + 1]].tolist()
            equal += [row((whole, m, -1), *((part, m, 1) for part in parts)) for m in (EVENTS, DAYS)]
            at_most.append(row((whole, PERSONS, 1), *((part, PERSONS, -1) for part in parts)))
            at_most += [row((part, PERSONS, 1), (whole, PERSONS, -1)) for part in parts]
        at_most += [row((c, PERSONS, 1), (c, EVENTS, -1)) for c in range(n)]
        at_most += [row((c, EVENTS, 1), (c, DAYS, -1)) for c in range(n)]
        most = 10 * self.counts.max()
        limits = [(1, most) if mask[c] else (v, v) for c, values in enumerate(self.counts) for v in values.tolist()]
        ends = []
        for sign in (1.0, -1.0):
            cost = row((cell, measure, sign))
            zero, none = np.zeros(len(equal)), np.zeros(len(at_most))
            found = linprog(cost, np.array(at_most), none, np.array(equal), zero, limits)
            assert found.status == 0
            ends.append(sign * float(found.fun))
        return ends[0], ends[1]


@pytest.mark.parametrize("seed", range(6))
def test_every_figure_of_an_unsafe_row_is_wide(seed: int) -> None:
    stays = Stays.random(seed)
    mask = stays.family().mask()
    assert not mask.all()
    for cell in np.flatnonzero(stays.unsafe).tolist():
        for measure in (EVENTS, DAYS, PERSONS):
            low, high = stays.interval(mask, cell, measure)
            assert high >= 11 - 1e-6
            assert high - low >= 10 - 1e-6


def test_without_secondary_cells_some_figures_are_narrow() -> None:
    stays = Stays.random(0)
    intervals = [stays.interval(stays.unsafe, c, EVENTS) for c in np.flatnonzero(stays.unsafe).tolist()]
    assert min(high - low for low, high in intervals) < 10
