"""The limits of confidence of the recomputation, by the properties that define them."""

import numpy as np
import pytest
from scipy.stats import poisson, ttest_1samp

from chu_platform.recomputation.confidence_limits import poisson_limits, student_limits, wilson_limits

pytestmark = pytest.mark.unit

Z = 1.959963984540054


@pytest.mark.parametrize(("successes", "trials"), [(0, 10), (3, 10), (10, 10), (81, 263), (1, 100_000)])
def test_wilsons_limits_solve_the_score_equation(successes: int, trials: int) -> None:
    share = successes / trials
    for limit in wilson_limits(np.array([float(successes)]), np.array([float(trials)])):
        assert (share - limit[0]) ** 2 == pytest.approx(Z**2 * limit[0] * (1 - limit[0]) / trials, rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("events", [1, 2, 17, 1_234])
def test_poisson_limits_leave_a_tail_on_each_side(events: int) -> None:
    low, high = poisson_limits(np.array([float(events)]))
    assert poisson.sf(events - 1, low[0]) == pytest.approx(0.025, rel=1e-6)
    assert poisson.cdf(events, high[0]) == pytest.approx(0.025, rel=1e-6)


def test_no_event_has_a_lower_limit_of_zero() -> None:
    low, high = poisson_limits(np.array([0.0]))
    assert low[0] == 0
    assert poisson.cdf(0, high[0]) == pytest.approx(0.025)


def test_students_limits_are_those_of_the_t_test() -> None:
    values = np.array([71.2, 68.4, 75.0, 73.3, 70.9])
    low, high = student_limits(np.array([values.mean()]), np.array([values.std(ddof=1)]), np.array([5.0]))
    interval = ttest_1samp(values, 0).confidence_interval(0.95)
    assert (low[0], high[0]) == pytest.approx((interval.low, interval.high))
