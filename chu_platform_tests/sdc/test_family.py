"""The mask of a family: what nobody can compute, by trying all values; levels, unions of persons and insiders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from chu_platform.sdc import Relations
from chu_platform.sdc.family import Family, Insiders, Repeats, System
from chu_platform.sdc.levels import Levels
from chu_platform.sdc.unions import Unions

pytestmark = pytest.mark.unit

# Cells 0 = 1 + 2, 1 = 3 + 4, 2 = 5 + 6.
TWO_LEVELS = ((0, [1, 2]), (1, [3, 4]), (2, [5, 6]))


def _family(
    values: Sequence[float],
    sums: Sequence[tuple[int, Sequence[int]]],
    levels: Sequence[int],
    *,
    persons: Sequence[float] | None = None,
    own: Mapping[int, float] | None = None,
    periods: Sequence[int] | None = None,
) -> Family:
    amounts = np.array(values, np.float64)
    relations = Relations.of(*sums)
    n = len(amounts)
    known = np.zeros(n)
    for cell, amount in (own or {}).items():
        known[cell] = amount
    return Family(
        weight=amounts,
        unsafe=(amounts > 0) & (amounts <= 10),
        levels=Levels.of(np.array(levels), np.zeros(n, np.bool_), np.array(periods or [0] * n, np.int64), [relations]),
        systems=[System("events", amounts[:, None], relations)],
        unions=Unions(np.array(persons, np.float64), relations) if persons else None,
        insiders=Insiders(known, np.zeros(n, np.bool_)),
        repeats=Repeats(np.zeros(0, np.int64), np.zeros(0, np.int64)),
    )


def _possible(values: NDArray[np.float64], mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """All values of the seven cells of two levels, from 1 to 12 above the true ones, that readers cannot exclude."""
    ranges = [np.arange(1, values[leaf] + 13) if mask[leaf] else [values[leaf]] for leaf in (3, 4, 5, 6)]
    leaves = np.array(np.meshgrid(*ranges)).reshape(4, -1)
    first, second = leaves[0] + leaves[1], leaves[2] + leaves[3]
    all_cells = np.vstack([first + second, first, second, leaves])
    agrees = np.all((all_cells == values[:, None]) | mask[:, None], axis=0)
    return all_cells[:, agrees].astype(np.int64)


@pytest.mark.parametrize("seed", range(20))
def test_each_unsafe_cell_may_be_11_and_has_an_interval_of_10_by_all_values(seed: int) -> None:
    leaves = np.random.default_rng(seed).integers(1, 17, 4)
    values = np.array([leaves.sum(), leaves[:2].sum(), leaves[2:].sum(), *leaves], np.float64)
    family = _family(values.tolist(), TWO_LEVELS, [0, 1, 1, 2, 2, 2, 2])
    # Levels are not left out here: of their cells a reader would know nothing.
    released = family.without(np.zeros(7, np.bool_))
    mask = released.spared(released.better(released.greedy()))
    possible = _possible(values, mask)
    for cell in np.flatnonzero(mask).tolist():
        assert possible[cell].max() > possible[cell].min()
        if family.unsafe[cell]:
            assert possible[cell].max() >= 11
            assert possible[cell].max() - possible[cell].min() >= 10


def test_a_level_that_is_nearly_all_unsafe_is_left_out_and_costs_no_other_cell() -> None:
    # Thirty parts of 1 of a category of 30: with the list of its parts, the category would tell each of them.
    values = [130.0, 30.0, 100.0, *[1.0] * 30, 60.0, 40.0]
    sums = [(0, [1, 2]), (1, list(range(3, 33)))]
    mask = _family(values, sums, [0, 1, 1, *[2] * 30, 3, 3]).mask()
    assert np.flatnonzero(mask).tolist() == list(range(3, 33))


def test_a_poor_level_above_a_rich_one_stays() -> None:
    # The sums of the parts are known, so the cell above them is a figure of a reader.
    levels = Levels.of(
        np.array([0, 1, 1, 2, 2, 2]),
        np.zeros(6, np.bool_),
        np.zeros(6, np.int64),
        [Relations.of((0, [1, 2]), (1, [3, 4]), (2, [5]))],
    )
    assert levels.to_leave_out(np.array([False, True, False])).tolist() == [False, False, False]
    assert levels.to_leave_out(np.array([False, True, True])).tolist() == [False, True, True]


def test_relations_of_cells_that_are_not_released_are_unknown() -> None:
    relations = Relations.of((0, [1, 2]), (1, [3, 4]))
    levels = Levels.of(np.array([0, 1, 1, 2, 2]), np.zeros(5, np.bool_), np.zeros(5, np.int64), [relations])
    gone = np.array([False, False, False, True, True])
    assert levels.relations_left(relations, gone).parents.tolist() == [0]


def test_of_a_whole_and_a_part_with_few_other_persons_the_part_is_masked() -> None:
    values, persons = [200.0, 150.0, 50.0], [60.0, 53.0, 40.0]
    assert Unions(np.array(persons), Relations.of((0, [1, 2]))).disclosing(np.zeros(3, np.bool_)).tolist() == [1]
    mask = _family(values, [(0, [1, 2])], [0, 1, 1], persons=persons).mask()
    assert mask.tolist() == [False, True, True]


def test_parts_that_share_few_persons_are_not_all_visible() -> None:
    one = Unions(np.array([60.0, 30.0, 33.0]), Relations.of((0, [1, 2])))
    assert one.disclosing(np.zeros(3, np.bool_)).tolist() == [1]
    assert one.disclosing(np.array([False, False, True])).tolist() == []


def test_a_part_of_a_part_is_a_part() -> None:
    one = Unions(np.array([60.0, 70.0, 55.0, 20.0]), Relations.of((0, [1]), (1, [2, 3])))
    assert 2 in one.disclosing(np.array([False, True, False, False])).tolist()


def test_persons_of_another_count_disclose_nothing() -> None:
    one = Unions(np.array([60.0, 30.0, 30.0]), Relations.of((0, [1, 2])))
    assert one.disclosing(np.zeros(3, np.bool_)).tolist() == []


def test_a_masked_part_of_an_insider_gives_the_others_no_room() -> None:
    # 4 + 5 + 40 would leave 9 to those who know the 40: a part of 60 is masked, too.
    values = [169.0, 4.0, 5.0, 40.0, 60.0, 60.0]
    known = dict(enumerate(values[1:], 1))
    sums = [(0, [1, 2, 3, 4, 5])]
    assert _family(values, sums, [0, *[1] * 5]).mask().tolist() == [False, True, True, True, False, False]
    assert _family(values, sums, [0, *[1] * 5], own=known).mask().tolist() == [False, True, True, True, True, False]


def test_a_cell_that_repeats_a_masked_figure_is_masked_too() -> None:
    """Cells 0 = 1 + 2 of which 1 is small; the rows of 3 and 4 repeat the events of 2 and of 0."""
    family = _family([50, 5, 45, 20, 30], [(0, [1, 2])], [0, 1, 1, 2, 3])
    repeated = replace(family, repeats=Repeats(np.array([3, 4]), np.array([2, 0])))
    assert family.mask().tolist() == [False, True, True, False, False]
    assert repeated.mask().tolist() == [False, True, True, True, False]
