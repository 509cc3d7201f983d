"""Counts about the data that are published: none of them stands for few persons."""

from collections import defaultdict

import pytest

from chu_platform.sdc import SMALL_CELL
from chu_platform.tables.side_figures import LARGEST_SMALL_COUNT, published_count, published_measure

pytestmark = pytest.mark.unit


def test_a_published_count_stands_for_many_counts() -> None:
    assert LARGEST_SMALL_COUNT == SMALL_CELL
    behind: dict[int | None, list[int]] = defaultdict(list)
    for count in range(2_000):
        behind[published_count(count)].append(count)
    assert behind.pop(0) == [0]
    assert behind.pop(None) == list(range(1, 11))
    assert behind[20] == list(range(11, 31))
    behind.popitem()
    assert all(len(counts) == 20 and abs(shown - counts[10]) <= 1 for shown, counts in behind.items() if shown)


@pytest.mark.parametrize(
    ("measured", "expected"),
    [(0.0, 0), (3.0, None), (10.0, None), (11.0, 20), (-3.0, None), (0.0004, None), (1.0, None)],
)
def test_a_measure_is_published_as_a_count_and_a_share_is_not(measured: float, expected: float | None) -> None:
    assert published_measure(measured) == expected
