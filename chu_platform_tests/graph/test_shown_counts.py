"""What the Dagster UI shows of numbers of rows."""

import pytest

from chu_platform.facts.fact_hospitalisation import fact_hospitalisation
from chu_platform.graph.shown_counts import row_count, row_count_in_words, size
from chu_platform.release.publication_coverage import published

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("rows", "metadata", "words"),
    [
        (0, {"n": 0}, "0 rows"),
        (1, {"rows": "1 to 10"}, "1 to 10 rows"),
        (10, {"rows": "1 to 10"}, "1 to 10 rows"),
        (11, {"n": 20}, "about 20 rows"),
        (30, {"n": 20}, "about 20 rows"),
        (31, {"n": 40}, "about 40 rows"),
        (12_345, {"n": 12_340}, "about 12,340 rows"),
    ],
)
def test_counts_of_rows_that_are_not_public_are_coarse(rows: int, metadata: dict[str, object], words: str) -> None:
    assert row_count(fact_hospitalisation, "n", rows) == metadata
    assert row_count_in_words(fact_hospitalisation, rows) == words


def test_a_few_rows_cannot_be_told_by_their_bytes() -> None:
    assert [size(fact_hospitalisation, n) for n in (0, 1, 99_999, 100_001)] == [0, 100_000, 100_000, 200_000]


def test_what_is_public_is_exact() -> None:
    assert row_count(published, "n", 7) == {"n": 7}
    assert row_count_in_words(published, 12_345) == "12,345 rows"
    assert size(published, 1234) == 1234
