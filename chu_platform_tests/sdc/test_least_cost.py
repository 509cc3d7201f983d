"""The choice of secondary cells by integer programs is the lightest of all masks that meet the suppression rules."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from chu_platform.sdc import Relations, least_cost
from chu_platform.sdc.least_cost import least_cost as lightest
from chu_platform.sdc.relations import Cells
from chu_platform.sdc.suppression_rules import Quantities, assess
from chu_platform_tests.sdc.synthetic_tables import grid, one_measure

pytestmark = pytest.mark.unit


def _quantities(values: NDArray[np.float64]) -> Quantities:
    return Quantities.of(values[:, None], np.minimum(values, 1.0)[:, None])


def _holds(values: NDArray[np.float64], relations: Relations, mask: NDArray[np.bool_]) -> bool:
    """The rules in words: two masked cells or none in each sum; at least 11 more than 1 for each masked part of a
    visible whole, also with the parts of a masked part in its place.
    """
    sums = [
        (int(parent), relations.children[relations.starts[r] : relations.starts[r + 1]])
        for r, parent in enumerate(relations.parents)
    ]

    def room(cell: int) -> float:
        """The most that a masked cell may add to a sum, without what is known of it; 0 of a visible one."""
        below = [sum(room(c) for c in parts.tolist()) for parent, parts in sums if parent == cell]
        return min([values[cell] - 1, *below]) if mask[cell] else 0.0

    return all(
        mask[[parent, *parts]].sum() != 1
        and (mask[parent] or not mask[parts].any() or sum(room(c) for c in parts.tolist()) >= 11)
        for parent, parts in sums
    )


def _weight_of_the_lightest(values: NDArray[np.float64], relations: Relations, needed: NDArray[np.bool_]) -> float:
    """By trying all masks."""
    free = np.flatnonzero(~needed)
    found = np.inf
    for chosen in product([False, True], repeat=len(free)):
        mask = needed.copy()
        mask[free] = chosen
        if values[mask].sum() < found and _holds(values, relations, mask):
            found = values[mask].sum()
    return float(found)


def _two_levels(random: np.random.Generator) -> tuple[NDArray[np.float64], Relations]:
    leaves = random.integers(1, 30, 6).astype(np.float64)
    groups = [leaves[:3].sum(), leaves[3:].sum()]
    return np.array([leaves.sum(), *groups, *leaves]), Relations.of((0, [1, 2]), (1, [3, 4, 5]), (2, [6, 7, 8]))


@pytest.mark.parametrize("seed", range(8))
def test_no_mask_that_meets_the_rules_is_lighter(seed: int) -> None:
    random = np.random.default_rng(seed)
    inner = random.integers(1, 40, (2, 3)).astype(np.float64)
    values, relations = grid(inner) if seed % 2 else _two_levels(random)
    needed = values <= 10
    mask = lightest([(_quantities(values), relations)], values, needed)
    assert mask[needed].all()
    assert _holds(values, relations, mask)
    assert values[mask].sum() <= _weight_of_the_lightest(values, relations, needed) * 1.001


def test_systems_with_the_same_cells_are_chosen_together() -> None:
    """Two sums with a small cell each: alone, each would mask its cheapest cell; the one that both have costs less."""
    values = np.array([100.0, 3.0, 20.0, 77.0, 110.0, 4.0, 29.0])
    first: Relations = Relations.of((0, [1, 2, 3]))
    second: Relations = Relations.of((4, [5, 6, 3]))
    weight = values.copy()
    weight[3] = 30.0
    mask = lightest([(_quantities(values), one) for one in (first, second)], weight, values <= 10)
    assert np.flatnonzero(mask).tolist() == [1, 3, 5]


def test_large_parts_are_left_to_the_greedy_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    values, relations = grid(np.array([[3.0, 20.0, 30.0], [15.0, 40.0, 50.0]]))
    needed = values <= 10
    monkeypatch.setattr(least_cost, "_MAX_UNKNOWNS", 3)
    assert (lightest([(_quantities(values), relations)], values, needed) == needed).all()
    mask = one_measure(values, relations).mask()
    assert not assess(_quantities(values), mask, relations).failed.any()


def test_what_meets_the_rules_stays() -> None:
    values, relations = grid(np.array([[30.0, 20.0], [15.0, 40.0]]))
    nothing: Cells = np.flatnonzero(lightest([(_quantities(values), relations)], values, values <= 10))
    assert not len(nothing)
    assert lightest([], values, values <= 20).tolist() == (values <= 20).tolist()
