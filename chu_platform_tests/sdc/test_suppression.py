"""Masks: the suppression rules on small tables made by hand, and every guarantee on random tables."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from chu_platform.errors import ChuError
from chu_platform.sdc import SMALL_CELL, Relations, bounds, determined_cells, disclosed_cells, protect
from chu_platform.sdc.cell_masks import Measures, mask
from chu_platform.sdc.suppression import Protection
from chu_platform_tests.sdc.synthetic_tables import grid


def _protect(relations: Relations, *values: float) -> list[int]:
    amounts = np.array(values)
    mask = protect(amounts, (amounts > 0) & (amounts <= SMALL_CELL), relations)
    return np.flatnonzero(mask).tolist()


def _assert_remainders(relations: Relations, values: NDArray[np.float64], mask: NDArray[np.bool_]) -> None:
    """Check the suppression rules of each single sum, with loops, without the code of the package."""
    for r, parent in enumerate(relations.parents):
        children = relations.children[relations.starts[r] : relations.starts[r + 1]]
        hidden = children[mask[children]]
        assert len(hidden) + mask[parent] != 1
        if len(hidden) and not mask[parent]:
            assert values[hidden].sum() - np.minimum(values[hidden], 1).sum() > SMALL_CELL


@pytest.mark.unit
def test_without_small_cells_nothing_is_masked() -> None:
    assert _protect(Relations.of((0, [1, 2])), 50, 20, 30) == []


@pytest.mark.unit
def test_for_one_small_child_its_smallest_sibling_is_masked_too() -> None:
    assert _protect(Relations.of((0, [1, 2, 3])), 65, 5, 20, 40) == [1, 2]


@pytest.mark.unit
def test_for_two_small_children_with_a_small_sum_a_third_is_masked() -> None:
    assert _protect(Relations.of((0, [1, 2, 3, 4])), 67, 3, 4, 20, 40) == [1, 2, 3]


@pytest.mark.unit
def test_two_small_children_with_a_large_sum_are_enough() -> None:
    assert _protect(Relations.of((0, [1, 2, 3])), 55, 8, 7, 40) == [1, 2]


@pytest.mark.unit
def test_if_all_children_are_one_their_sum_is_masked_too() -> None:
    assert _protect(Relations.of((0, list(range(1, 13)))), 12, *[1] * 12) == list(range(13))


@pytest.mark.unit
def test_a_single_child_is_masked_with_its_parent() -> None:
    # Cells 0 = 1 + 3 + 4 and 1 = 2: cells 1 and 2 need another masked cell, since 0 is published.
    assert _protect(Relations.of((0, [1, 3, 4]), (1, [2])), 64, 4, 4, 20, 40) == [1, 2, 3]


@pytest.mark.unit
def test_a_small_total_is_masked_with_everything_below() -> None:
    assert _protect(Relations.of((0, [1, 2])), 9, 4, 5) == [0, 1, 2]


@pytest.mark.unit
def test_a_two_by_two_table_needs_all_its_inner_cells() -> None:
    values, relations = grid(np.array([[3.0, 20.0], [30.0, 40.0]]))
    assert np.flatnonzero(protect(values, values <= 10, relations)).tolist() == [0, 1, 3, 4]


@pytest.mark.unit
def test_a_remainder_is_large_enough_through_two_levels() -> None:
    # Cells 0 = 1 + 2, 1 = 3 + 4, 2 = 5 + 6. With 1, 2, 3 and 5 masked, cells 0 - 4 - 6 would give 3 + 4 = 7.
    relations = Relations.of((0, [1, 2]), (1, [3, 4]), (2, [5, 6]))
    values = np.array([107.0, 43.0, 64.0, 3.0, 40.0, 4.0, 60.0])
    mask = protect(values, np.isin(np.arange(7), [1, 2, 3, 5]), relations)
    assert mask[4] or mask[6] or mask[0]


@pytest.mark.unit
def test_cells_that_several_sums_determine_together_are_protected() -> None:
    # Each sum has two masked cells and a large remainder, but the three sums together determine all three cells.
    relations = Relations.of((3, [0, 1]), (4, [1, 2]), (5, [0, 2]))
    values = np.array([9.0, 8.0, 7.0, 17.0, 15.0, 16.0])
    mask = protect(values, values <= 10, relations)
    assert determined_cells(relations, mask).tolist() == []
    assert np.flatnonzero(mask).tolist() == [0, 1, 2, 4]


@pytest.mark.unit
def test_every_measure_has_a_large_remainder() -> None:
    relations = Relations.of((0, [1, 2, 3]))
    events, days = np.array([60.0, 8.0, 9.0, 43.0]), np.array([20.0, 3.0, 3.0, 14.0])
    small = np.array([False, True, True, False])
    assert np.flatnonzero(protect(events, small, relations)).tolist() == [1, 2]
    assert np.flatnonzero(protect(np.column_stack([events, days]), small, relations)).tolist() == [1, 2, 3]


@pytest.mark.unit
def test_masked_fractions_may_all_be_at_their_least_value() -> None:
    # A reader who knows that each share is at least a half would know that each is a half.
    relations = Relations.of((0, list(range(1, 41))))
    values = np.concatenate([[20.0], np.full(40, 0.5)])
    assert np.flatnonzero(protect(values, values < 10, relations)).tolist() == list(range(41))


@pytest.mark.unit
def test_a_fraction_does_not_make_the_counts_beside_it_fractions() -> None:
    # Twelve parts of 1 and a half: with the lower bound 0 for all, the sum could be published.
    relations = Relations.of((0, list(range(1, 14))))
    values = np.concatenate([[12.5], np.ones(12), [0.5]])
    assert protect(values, values < 10, relations).all()


@pytest.mark.unit
def test_a_zero_does_not_protect_other_cells() -> None:
    assert _protect(Relations.of((0, [1, 2, 3])), 45, 5, 0, 40) == [1, 3]


@pytest.mark.integration
@pytest.mark.parametrize("seed", range(6))
def test_the_attacker_learns_nothing_from_random_tables(seed: int) -> None:
    random = np.random.default_rng(seed)
    masked = 0
    for _ in range(12):
        shape = (int(random.integers(2, 7)), int(random.integers(2, 6)))
        mean = random.choice([3.0, 20.0, 100.0])
        values, relations = grid(random.poisson(random.gamma(0.5, 2 * mean, shape)).astype(np.float64))
        small = values <= SMALL_CELL
        mask = protect(values, small, relations)
        assert np.all(mask[small])
        assert np.array_equal(mask, protect(values, small, relations)), "the same input gives the same mask"
        _assert_remainders(relations, values, mask)
        assert determined_cells(relations, mask).tolist() == []
        assert disclosed_cells(relations, values, mask, np.ones(len(values))).tolist() == []
        for cell in np.flatnonzero(mask).tolist():
            low, high = bounds(relations, values, mask, cell)
            assert high - low > 1e-6
            masked += 1
    assert masked > 50, "or this tests next to nothing"


@pytest.mark.integration
@pytest.mark.parametrize("seed", range(3))
def test_the_attacker_learns_nothing_from_random_fractional_tables(seed: int) -> None:
    random = np.random.default_rng(seed)
    masked = 0
    for _ in range(12):
        values, relations = grid(random.poisson(random.gamma(0.5, 40.0, (5, 4))) / 3)
        mask = protect(values, values <= SMALL_CELL, relations)
        assert determined_cells(relations, mask).tolist() == []
        for cell in np.flatnonzero(mask).tolist():
            low, high = bounds(relations, values, mask, cell, lower=0.0)
            assert high - low > 1e-6
            masked += 1
    assert masked > 50, "or this tests next to nothing"


@pytest.mark.unit
def test_what_is_known_of_other_masks_does_not_change_the_answer() -> None:
    """Two tables in one: the masks of one of them are tested with each mask of the other."""
    random = np.random.default_rng(1)
    one, sums = grid(random.poisson(random.gamma(0.5, 40.0, (4, 3))).astype(np.float64))
    n = len(one)
    shifted = Relations(sums.parents + n, sums.starts, sums.children + n)
    values, relations = np.concatenate([one, one]), Relations.concat([sums, shifted])
    mask = protect(one, one <= SMALL_CELL, sums)
    without = [np.where(np.arange(n) == cell, False, mask) for cell in np.flatnonzero(mask & (one > SMALL_CELL))]
    every = Protection(values, relations)
    found = {
        (i, j): every.holds(np.concatenate([left, right]))
        for i, left in enumerate([mask, *without])
        for j, right in enumerate([mask, *without])
    }
    alone = [Protection(one, sums).holds(part) for part in (mask, *without)]
    assert found == {(i, j): alone[i] and alone[j] for i, j in found}
    assert alone[0] and not any(alone[1:]) and len(alone) > 2


@pytest.mark.unit
def test_inconsistent_input_is_rejected() -> None:
    relations, small = Relations.of((0, [1, 2])), np.zeros(3, np.bool_)
    with pytest.raises(ValueError, match="do not hold"):
        protect(np.array([5.0, 2.0, 2.0]), small, relations)
    with pytest.raises(ValueError, match="shape"):
        protect(np.array([5.0, 2.0, 3.0]), small[:2], relations)
    with pytest.raises(ValueError, match="finite"):
        protect(np.array([np.nan, 2.0, 3.0]), small, relations)
    with pytest.raises(ValueError, match="does not exist"):
        protect(np.array([5.0, 5.0]), small[:2], Relations.of((0, [2])))


@pytest.mark.unit
def test_a_mask_of_indicators_that_do_not_fit_together_names_the_cause_and_no_figure() -> None:
    """As when one of them was made from other facts: the whole is not the sum of its parts."""
    parts = pa.table({"code": ["whole", "a", "b"], "events": [4711.0, 2000.0, 1000.0]})
    cells = """
        SELECT 'kpi' AS indicator, code AS cell, 'all' AS grain, NULL AS start, 'level' AS level, code,
               NULL AS unsafe, events AS weight, events
        FROM parts
    """
    sums = "SELECT p.id, c.id FROM cell p JOIN cell c ON p.code = 'whole' AND c.code <> 'whole'"
    with pytest.raises(ChuError) as raised:
        mask({"parts": parts}, cells, [Measures(["events"], [sums])])
    message = str(raised.value)
    assert message.startswith("1 totals of events are not the sums of their parts: the indicators that are masked ")
    assert "4711" not in message
    assert "3000" not in message
