"""Tests of the rule that every test belongs to one tier."""

import os
import socket
import subprocess
import sys

import pytest

from chu_platform_tests.scheduling import FIRST, ROOT
from chu_platform_tests.tiers import TIERS, left_out, problem_of

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("tier", TIERS)
def test_one_tier_is_accepted(tier: str) -> None:
    assert problem_of(["parametrize", tier, "skipif"], ["tmp_path"]) is None


@pytest.mark.parametrize("markers", [[], ["skipif"], ["unit", "system"], ["unit", "unit"]])
def test_no_tier_and_two_tiers_are_refused(markers: list[str]) -> None:
    problem = problem_of(markers, [])
    assert problem and "exactly one of unit, integration, system" in problem


def test_a_unit_test_may_not_use_a_costly_fixture() -> None:
    problem = problem_of(["unit"], ["tmp_path", "made"])
    assert problem == "is a unit test and uses made: mark it as integration"
    assert problem_of(["integration"], ["tmp_path", "made"]) is None


def test_a_unit_test_cannot_start_a_process_or_connect() -> None:
    with pytest.raises(AssertionError, match="starts no process"):
        subprocess.run([sys.executable, "-c", ""], check=False)
    with pytest.raises(AssertionError, match="starts no process"):
        os.fork()
    with socket.socket() as one:
        with pytest.raises(AssertionError, match="opens no connection"):
            one.bind(("127.0.0.1", 0))
        with pytest.raises(AssertionError, match="opens no connection"):
            one.connect(("127.0.0.1", 9))


def test_a_file_is_left_out_if_none_of_its_tests_is_wanted() -> None:
    one, both, none = "pytestmark = pytest.mark.system", "@pytest.mark.unit\n@pytest.mark.integration", "no marker"
    assert left_out(one, "unit") and left_out(one, "not system") and not left_out(one, "system")
    assert not left_out(both, "unit") and not left_out(both, "not system") and left_out(both, "system")
    assert not any(left_out(text, "") or left_out(text, "unit and not slow") for text in (one, both))
    assert not any(left_out(none, expression) for expression in ("unit", "not system", "system"))


def test_the_files_that_start_first_exist() -> None:
    assert [group for group in FIRST if not (ROOT / group).exists()] == []
