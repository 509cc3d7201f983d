"""The interval of each masked cell when several sums are put together, by trying all values."""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from chu_platform.sdc import Relations, intervals, protect
from chu_platform.sdc.intervals import Intervals
from chu_platform_tests.sdc.synthetic_tables import grid, one_measure

pytestmark = pytest.mark.unit

# Three chapters in three years. Of each line the two small cells have a room of 11, but they move together, up or down:
# by 2 in one direction and by 2 in the other.
CHAPTERS_BY_YEAR = np.array([[10.0, 10.0, 40.0], [45.0, 3.0, 10.0], [3.0, 50.0, 10.0]])


def _possible(values: NDArray[np.float64], mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Inner cells (tables, 3, 3) of all tables that agree with the visible cells, up to 10 more than the true ones."""
    table, hidden = values.reshape(4, 4), mask.reshape(4, 4)
    rows = []
    for r in range(3):
        ranges = [np.arange(1, table[r, c] + 11) if hidden[r, c] else [table[r, c]] for c in range(3)]
        row = np.array(np.meshgrid(*ranges)).reshape(3, -1).T
        rows.append(row if hidden[r, 3] else row[row.sum(axis=1) == table[r, 3]])
    shown = ~hidden[3, :3]
    agrees = [
        np.array([first, second, third])
        for first, second in product(rows[0], rows[1])
        for third in rows[2][((first + second + rows[2]) == table[3, :3])[:, shown].all(axis=1)]
        if hidden[3, 3] or (first + second + third).sum() == table[3, 3]
    ]
    return np.array(agrees, np.int64)


def test_sums_that_leave_room_each_leave_little_together_until_more_is_masked() -> None:
    values, relations = grid(CHAPTERS_BY_YEAR)
    small = values <= 10
    assert (protect(values, small, relations) == small).all(), "each sum by itself has room"
    before = _possible(values, small)
    assert (before.max(axis=0) - before.min(axis=0)).max() == 4
    proofs = Intervals(relations, values, np.ones(len(values)))
    assert proofs.narrow(small, small).tolist() == np.flatnonzero(small).tolist()
    mask = one_measure(values, relations).mask()
    after = _possible(values, mask)
    low, high = after.min(axis=0), after.max(axis=0)
    inside = small.reshape(4, 4)[:3, :3]
    assert mask[small].all()
    assert (high - low)[inside].min() >= 10
    assert high[inside].min() >= 11


@cache
def _random_table(seed: int) -> tuple[NDArray[np.float64], Relations, NDArray[np.bool_], list[int]]:
    """A table with margins, a mask of some of its inner cells, and those that are narrow by all values."""
    random = np.random.default_rng(seed)
    values, relations = grid(random.integers(1, 16, (3, 3)).astype(np.float64))
    mask = np.zeros(16, np.bool_)
    mask.reshape(4, 4)[:3, :3] = random.random((3, 3)) < 0.8
    possible = _possible(values, mask)
    low, high = possible.min(axis=0), possible.max(axis=0)
    narrow = np.zeros((4, 4), np.bool_)
    narrow[:3, :3] = (high < 11) | (high - low < 10)
    return values, relations, mask, np.flatnonzero(narrow.ravel() & mask).tolist()


@pytest.mark.parametrize("seed", range(6))
def test_narrow_cells_are_those_of_all_values(seed: int) -> None:
    values, relations, mask, narrow = _random_table(seed)
    assert Intervals(relations, values, np.ones(16)).narrow(mask, mask).tolist() == narrow


@pytest.mark.parametrize("seed", range(4))
def test_cells_that_may_grow_by_a_limited_amount_are_those_of_all_values(seed: int) -> None:
    values, relations, mask, _ = _random_table(seed)
    room = np.random.default_rng(seed).integers(0, 10, 16).astype(np.float64)
    possible = _possible(values, mask)
    possible = possible[(possible <= (values + room).reshape(4, 4)[:3, :3]).all(axis=(1, 2))]
    low, high = possible.min(axis=0), possible.max(axis=0)
    narrow = np.zeros((4, 4), np.bool_)
    narrow[:3, :3] = (high < 11) | (high - low < 10)
    expected = np.flatnonzero(narrow.ravel() & mask).tolist()
    assert expected
    assert Intervals(relations, values, np.ones(16)).narrow(mask, mask, room).tolist() == expected


@pytest.mark.parametrize("seed", range(4))
def test_one_cell_is_enough_if_it_is_narrow(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    values, relations, mask, narrow = _random_table(seed)
    monkeypatch.setattr(intervals, "_ENOUGH", 1)
    found = Intervals(relations, values, np.ones(16)).narrow(mask, mask).tolist()
    assert set(found) <= set(narrow)
    assert bool(found) == bool(narrow)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("most", "value"), [("_MAX_BLOCK", 4), ("_MAX_WORK", 0)])
def test_with_little_work_more_cells_are_narrow_never_fewer(
    seed: int, most: str, value: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    values, relations, mask, narrow = _random_table(seed)
    monkeypatch.setattr(intervals, most, value)
    assert set(Intervals(relations, values, np.ones(16)).narrow(mask, mask).tolist()) >= set(narrow)


def test_pieces_of_a_large_component_prove_its_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    # A hundred parts of two masked cells each, tied together by two sums over all first and all second cells.
    first, second = np.arange(100), np.arange(100, 200)
    values = np.concatenate([np.tile([12.0, 4.0, 20.0], 34)[:100], np.full(100, 15.0)])
    parts = [(200 + i, [i, 100 + i]) for i in range(100)]
    relations = Relations.of(*parts, (300, first.tolist()), (301, second.tolist()))
    values = np.concatenate([values, values[:100] + values[100:], [values[:100].sum(), values[100:].sum()]])
    masked = np.arange(302) < 200
    monkeypatch.setattr(intervals, "_MAX_BLOCK", 50)
    assert Intervals(relations, values, np.ones(302)).narrow(masked, masked).tolist() == []


def test_a_twin_may_take_what_another_cell_leaves() -> None:
    relations = Relations.of((0, [1, 2, 3]))
    hidden = np.array([False, True, True, True])
    for values, expected in (([14.0, 5.0, 5.0, 4.0], []), ([12.0, 4.0, 4.0, 4.0], [1, 2, 3])):
        proofs = Intervals(relations, np.array(values), np.ones(4))
        assert proofs.narrow(hidden, hidden).tolist() == expected


def test_a_twin_takes_no_more_than_its_room() -> None:
    relations = Relations.of((0, [1, 2, 3]))
    hidden = np.array([False, True, True, True])
    values = np.array([40.0, 5.0, 5.0, 30.0])
    for room, expected in (([6.0, 6.0, 0.0], []), ([5.0, 6.0, 0.0], [1]), ([6.0, 6.0, np.inf], [])):
        proofs = Intervals(relations, values, np.ones(4))
        assert proofs.narrow(hidden, hidden, np.array([0.0, *room])).tolist() == expected
