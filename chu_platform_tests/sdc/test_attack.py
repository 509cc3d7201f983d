"""The attacker, compared with exact rational algebra and with bounds computed cell by cell."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from chu_platform.sdc import Relations, bounds, determined_cells, disclosed_cells
from chu_platform_tests.sdc.synthetic_tables import grid


def _mask(n: int, *cells: int) -> NDArray[np.bool_]:
    mask = np.zeros(n, np.bool_)
    mask[list(cells)] = True
    return mask


def _determined_by_fractions(relations: Relations, masked: NDArray[np.bool_]) -> list[int]:
    """Reduced row echelon form in exact fractions: a determined unknown stands alone in its row."""
    unknown = np.flatnonzero(masked).tolist()
    dense = relations.matrix(np.array(unknown, np.int64), len(masked)).toarray()
    rows = [[Fraction(int(entry)) for entry in row] for row in dense]
    rank = 0
    for column in range(len(unknown)):
        pivot = next((i for i in range(rank, len(rows)) if rows[i][column]), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        rows[rank] = [entry / rows[rank][column] for entry in rows[rank]]
        for i, row in enumerate(rows):
            if i != rank and row[column]:
                factor = row[column]
                rows[i] = [entry - factor * base for entry, base in zip(row, rows[rank], strict=True)]
        rank += 1
    alone = [[j for j, entry in enumerate(row) if entry] for row in rows[:rank]]
    return sorted(unknown[places[0]] for places in alone if len(places) == 1)


@pytest.mark.unit
def test_three_sums_over_three_unknowns_determine_all() -> None:
    triangle = Relations.of((3, [0, 1]), (4, [1, 2]), (5, [0, 2]))
    assert determined_cells(triangle, _mask(6, 0, 1, 2)).tolist() == [0, 1, 2]
    assert determined_cells(triangle, _mask(6, 0, 1, 2, 3)).tolist() == []


@pytest.mark.unit
def test_a_chain_of_single_children_determines_all_its_cells() -> None:
    chain = Relations.of((0, [1]), (1, [2]))
    assert determined_cells(chain, _mask(3, 1, 2)).tolist() == [1, 2]
    assert determined_cells(chain, _mask(3, 0, 1, 2)).tolist() == []


@pytest.mark.unit
def test_a_total_in_two_sums_is_determined_without_its_parts() -> None:
    # Cell 0 = 1 + 2 = 3, and 3 is published: the total is known, its two parts are not.
    assert determined_cells(Relations.of((0, [1, 2]), (0, [3])), _mask(4, 0, 1, 2)).tolist() == [0]
    # The same with a second masked total, found only after peeling the first one and following its sum.
    twice = Relations.of((0, [1, 2]), (4, [1, 2]), (5, [4, 6]))
    assert determined_cells(twice, _mask(7, 0, 1, 2, 4)).tolist() == [0, 4]


@pytest.mark.unit
def test_nothing_is_determined_without_a_relation_or_a_mask() -> None:
    relations = Relations.of((0, [1, 2]))
    assert determined_cells(relations, _mask(4, 3)).tolist() == []
    assert determined_cells(relations, _mask(4)).tolist() == []
    assert determined_cells(Relations.of(), _mask(4, 1)).tolist() == []


@pytest.mark.unit
@pytest.mark.parametrize("seed", range(4))
def test_random_systems_agree_with_exact_fractions(seed: int) -> None:
    random = np.random.default_rng(seed)
    found = 0
    for _ in range(150):
        n = int(random.integers(3, 16))
        sums = []
        for _ in range(int(random.integers(1, 10))):
            cells = random.choice(n, int(random.integers(2, min(6, n + 1))), replace=False).tolist()
            sums.append((cells[0], cells[1:]))
        relations, masked = Relations.of(*sums), random.random(n) < random.random()
        expected = _determined_by_fractions(relations, masked)
        assert determined_cells(relations, masked).tolist() == expected
        found += len(expected)
    assert found > 100, "the random systems must determine many cells, otherwise the test is empty"


@pytest.mark.integration
@pytest.mark.parametrize("seed", range(3))
def test_disclosed_cells_are_those_with_a_single_feasible_value(seed: int) -> None:
    random = np.random.default_rng(seed)
    found = 0
    for _ in range(20):
        shape = (int(random.integers(2, 6)), int(random.integers(2, 5)))
        values, relations = grid(random.poisson(random.gamma(0.5, 6.0, shape)).astype(np.float64))
        if not len(values):
            continue
        masked = values <= 10
        disclosed = disclosed_cells(relations, values, masked, np.ones(len(values))).tolist()
        for cell in np.flatnonzero(masked).tolist():
            low, high = bounds(relations, values, masked, cell)
            assert low - 1e-6 <= values[cell] <= high + 1e-6
            assert (high - low < 1e-6) == (cell in disclosed)
        found += len(disclosed)
    assert found > 20, "the tables must disclose some cells, otherwise the test is empty"


@pytest.mark.unit
def test_cells_at_their_bound_are_disclosed_even_if_the_system_is_underdetermined() -> None:
    relations, values, masked = Relations.of((0, [1, 2, 3])), np.array([12.0, 1.0, 1.0, 10.0]), _mask(4, 1, 2)
    assert determined_cells(relations, masked).tolist() == []
    assert disclosed_cells(relations, values, masked, np.ones(4)).tolist() == [1, 2]
    assert disclosed_cells(relations, values, masked, np.zeros(4)).tolist() == []
    # A part of the system that is too large for the linear program is tested by linear algebra alone.
    grown = Relations.of((0, [1, 2, 3]), (4, [1, 5]), (6, [2, 7]))
    more = np.array([12.0, 1.0, 1.0, 10.0, 2.0, 1.0, 2.0, 1.0])
    hidden = _mask(8, 1, 2, 4, 5, 6, 7)
    assert disclosed_cells(grown, more, hidden, np.ones(8)).tolist() == [1, 2]
    assert disclosed_cells(grown, more, hidden, np.ones(8), max_unknowns=1).tolist() == []


@pytest.mark.unit
def test_bounds_of_two_cells_of_a_sum_and_of_a_cell_in_no_sum() -> None:
    relations, values, masked = Relations.of((0, [1, 2])), np.array([15.0, 4.0, 11.0, 7.0]), _mask(4, 1, 2, 3)
    assert bounds(relations, values, masked, 1) == pytest.approx((1.0, 14.0))
    assert bounds(relations, values, masked, 2, lower=0.0) == pytest.approx((0.0, 15.0))
    assert bounds(relations, values, masked, 3) == (1.0, np.inf)
    with pytest.raises(ValueError, match="published"):
        bounds(relations, values, masked, 0)
