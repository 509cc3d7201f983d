"""Limits and signals of control charts, against another implementation and against chance."""

from itertools import pairwise

import numpy as np
import pytest

from chu_platform.portal.control_limits import MIN_MONTHS, RUN, Limits, Rule, limits_of, signals_of

pytestmark = pytest.mark.unit

# Thirty months around 10 with a mean moving range of 1, worked out by hand: they alternate between 9.5 and 10.5.
EVEN: list[float | None] = [9.5 + n % 2 for n in range(30)]


def with_months(**changed: float | None) -> list[float | None]:
    """The even months with others in some places, given as m12=14.0."""
    values = list(EVEN)
    for name, value in changed.items():
        values[int(name[1:])] = value
    return values


def marked(values: list[float | None], limits: Limits) -> dict[Rule, set[int]]:
    """The months of each rule, found window by window with arrays."""
    x = np.array([np.nan if v is None else v for v in values])
    above, below = x > limits.mean, x < limits.mean
    half = limits.high - limits.mean
    found: dict[Rule, set[int]] = {
        Rule.BEYOND: {int(n) for n in np.flatnonzero((x > limits.high) | (x < limits.low))},
        Rule.RUN: set(),
        Rule.NEAR: set(),
    }
    for side in (above, below):
        for start in range(len(x) - RUN + 1):
            if side[start : start + RUN].all():
                found[Rule.RUN] |= set(range(start, start + RUN))
    for outer in (x >= limits.mean + 2 / 3 * half, x <= limits.mean - 2 / 3 * half):
        for start in range(len(x) - 1):
            window = range(start, min(start + 3, len(x)))
            if sum(bool(outer[n]) for n in window) >= 2:
                found[Rule.NEAR] |= {n for n in window if outer[n]}
    return found


def test_limits_are_the_mean_and_the_mean_moving_range() -> None:
    limits = limits_of(EVEN)
    assert limits and (limits.mean, limits.low, limits.high) == pytest.approx((10, 10 - 2.66, 10 + 2.66))


def test_limits_equal_another_implementation() -> None:
    draw = np.random.default_rng(7)
    for _ in range(50):
        x = draw.gamma(3.0, 2.0, int(draw.integers(MIN_MONTHS, 120)))
        values: list[float | None] = list(map(float, x))
        hidden = draw.choice(len(x), len(x) // 12, replace=False)
        for n in hidden:
            values[n] = None
            x[n] = np.nan
        limits = limits_of(values)
        assert limits
        mean, moving = np.nanmean(x), np.nanmean(np.abs(np.diff(x)))
        expected = (mean, max(mean - 2.66 * moving, 0), mean + 2.66 * moving)
        assert (limits.mean, limits.low, limits.high) == pytest.approx(expected)
        found: dict[Rule, set[int]] = {rule: set() for rule in Rule}
        for signal in signals_of(values, limits):
            assert len({(values[m] or 0.0) > limits.mean for m in signal.months}) == 1
            found[signal.rule] |= set(signal.months)
        assert found == marked(values, limits)


def test_a_month_without_a_figure_has_no_neighbours() -> None:
    values = with_months(m10=None)
    ranges = [abs(b - a) for a, b in pairwise(values) if a is not None and b is not None]
    assert len(ranges) == 29 - 2
    limits = limits_of(values)
    assert limits and limits.high - limits.mean == pytest.approx(2.66)


@pytest.mark.parametrize("values", [EVEN[: MIN_MONTHS - 1], [*EVEN[:26], None, None, None, None], []])
def test_too_few_months_or_too_many_hidden_ones_give_no_limits(values: list[float | None]) -> None:
    assert limits_of(values) is None


def test_each_rule_marks_its_months() -> None:
    limits = Limits(10.0, 7.0, 13.0)
    beyond = signals_of(with_months(m29=13.5), limits)
    assert [(s.rule, list(s.months), s.above) for s in beyond] == [(Rule.BEYOND, [29], True)]
    run = signals_of(with_months(**{f"m{n}": 9.9 for n in range(12, 20)}, m20=10.5), limits)
    assert [(s.rule, list(s.months), s.above) for s in run] == [(Rule.RUN, list(range(12, 20)), False)]
    near = signals_of(with_months(m5=12.2, m7=12.1), limits)
    assert [(s.rule, list(s.months), s.above) for s in near] == [(Rule.NEAR, [5, 7], True)]
    assert signals_of(EVEN, limits) == []


def test_a_run_ends_at_a_hidden_month_and_on_the_mean() -> None:
    limits = Limits(10.0, 7.0, 13.0)
    for broken in (None, 10.0):
        values = with_months(**{**{f"m{n}": 10.4 for n in range(10, 20)}, "m15": broken, "m9": 9.0, "m20": 9.0})
        assert not [s for s in signals_of(values, limits) if s.rule is Rule.RUN]


def test_a_rate_has_no_lower_limit_below_zero() -> None:
    values: list[float | None] = [float(n % 3) for n in range(36)]
    limits = limits_of(values)
    assert limits and limits.low == 0.0
    assert not [s for s in signals_of(values, limits) if s.rule is Rule.BEYOND and not s.above]


def test_chance_alone_seldom_makes_the_last_month_unusual() -> None:
    draw = np.random.default_rng(11)
    unusual = 0
    for _ in range(1_000):
        values: list[float | None] = list(map(float, draw.normal(100.0, 5.0, 90)))
        limits = limits_of(values)
        assert limits
        unusual += any(89 in s.months for s in signals_of(values, limits))
    assert 5 <= unusual <= 40
