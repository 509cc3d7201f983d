"""The interval of a median, against the definition and against simulated times."""

import random
from statistics import median

import pytest

from chu_platform.layouts.intervals import median_interval

pytestmark = pytest.mark.unit


def test_of_seven_values_the_interval_is_the_smallest_and_the_largest() -> None:
    assert median_interval([7, 1, 3, 2, 6, 5, 4]) == (4, 1, 7)


def test_of_nine_values_it_is_the_second_and_the_second_last() -> None:
    # Fewer than two of nine below the median: (1 + 9) / 512 on each side, 96.1 % between.
    assert median_interval(range(1, 10)) == (5, 2, 8)


@pytest.mark.parametrize("count", range(1, 6))
def test_few_values_have_no_interval(count: int) -> None:
    # All five above the median, or all below: 2 / 32, more than 5 %.
    found = median_interval(list(range(count)))
    assert found.low is None and found.high is None


def test_no_value_is_an_error() -> None:
    with pytest.raises(ValueError, match="no value"):
        median_interval([])


@pytest.mark.parametrize("count", [6, 7, 12, 21])
def test_it_holds_the_true_median_as_often_as_it_says(count: int, seed: int) -> None:
    draw = random.Random(seed)
    # Times are skewed: the true median of this distribution is 1.
    samples = [[draw.lognormvariate(0, 1) for _ in range(count)] for _ in range(4000)]
    held = 0
    for sample in samples:
        found = median_interval(sample)
        assert found.low is not None and found.high is not None
        assert found.low <= found.median == median(sample) <= found.high
        held += found.low <= 1 <= found.high
    # 0.95 less five standard deviations of a share of 4000.
    assert held / 4000 > 0.95 - 5 * (0.05 * 0.95 / 4000) ** 0.5
