"""What the suite asks some times of the explorer of exact figures, 200 times of each profile."""

import pytest

from chu_platform_tests.exact_figures.conftest import Own
from chu_platform_tests.exact_figures.test_own_explorer import attack
from chu_platform_tests.pipeline.home import Home

pytestmark = pytest.mark.system


def test_two_hundred_requests_of_each_profile_give_parts_of_what_is_granted(own: Own, made: Home) -> None:
    attack(own, made, 200)
