"""Attacks 1 and 7 agree with trying all values, in small random zones."""

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from chu_platform_tests.attack.zone import DIAGNOSES, attacked, place, table, zone

pytestmark = pytest.mark.unit

# Four leaves in two categories of one chapter: the rows as sums of leaves.
LEAVES = ("A000", "A001", "A010", "A011")
ROWS = {
    ("chapter", "I"): (1, 1, 1, 1),
    ("category", "A00"): (1, 1, 0, 0),
    ("category", "A01"): (0, 0, 1, 1),
    **{("leaf", leaf): tuple(int(leaf == other) for other in LEAVES) for leaf in LEAVES},
}
MOST = 26
# Every way in which the leaves can have 1 to MOST events, and the rows that follow.
SUMS = np.array(list(ROWS.values()), np.int16)
ALL = np.array(list(product(range(1, MOST + 1), repeat=len(LEAVES))), np.int16) @ SUMS.T
FOUND = ("events has one possible value", "interval of events")


def possible(truth: NDArray[np.int16], masked: NDArray[np.bool_]) -> NDArray[np.int16]:
    """All values of the rows that agree with the visible ones."""
    agree: NDArray[np.bool_] = (ALL[:, ~masked] == truth[~masked]).all(axis=1)
    return ALL[agree]


@pytest.mark.parametrize("seed", range(25))
def test_all_values_of_four_leaves(seed: int) -> None:
    random = np.random.default_rng(seed)
    truth = SUMS @ random.choice([1, 1, 1, 2, 3, 9], len(LEAVES)).astype(np.int16)
    masked = random.random(len(ROWS)) < 0.6
    values = possible(truth, masked)
    low, high = values.min(axis=0), values.max(axis=0)
    small = masked & (truth <= 10)
    # The enumeration ends at MOST events of a leaf, far above what makes a figure wide.
    right = {
        1: masked & (low == high),
        7: small & ((high < 11) | (high - low < 10)),
    }
    figures = [{} if hidden else {"events": value} for value, hidden in zip(truth, masked, strict=True)]
    shown = table(DIAGNOSES, *(place(*row, **figure) for row, figure in zip(ROWS, figures, strict=True)))
    exact = table(DIAGNOSES, *(place(*row, events=v) for row, v in zip(ROWS, truth, strict=True)))
    inputs = zone((DIAGNOSES, shown), exact={DIAGNOSES: exact})
    for number, expected in right.items():
        found = {key[:2] for key in attacked(number, inputs) if key[2] in FOUND}
        assert found == {row for row, is_found in zip(ROWS, expected, strict=True) if is_found}, f"attack {number}"
