"""The outcomes of a group of checks are stored in the metadata of one event, and read back."""

import pytest

from chu_platform.tables.check_metadata import FAILED, Outcome, from_metadata, to_metadata

pytestmark = pytest.mark.unit

OUTCOMES = {
    "unique_id": Outcome(True, 0),
    "range_days": Outcome(False, 3),
    "row_count": Outcome(True, None),
    "range_age": Outcome(False, 1),
}


def test_outcomes_are_read_back() -> None:
    assert from_metadata(to_metadata(OUTCOMES)) == OUTCOMES


def test_failed_checks_come_first() -> None:
    assert list(to_metadata(OUTCOMES).items())[:3] == [
        (FAILED, "range_days, range_age"),
        ("range_days", 3),
        ("range_age", 1),
    ]


def test_nothing_is_said_of_failures_where_all_passed() -> None:
    assert to_metadata({"unique_id": Outcome(True, 0)}) == {"unique_id": 0}


def test_no_metadata_has_no_outcomes() -> None:
    assert from_metadata({}) == {}
