"""Confidence intervals compared with published examples and with the equations that define them."""

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import chi2, nbinom, norm, poisson, t

from chu_platform.indicators.intervals import (
    comparative_index,
    directly_standardised,
    garwood,
    negative_binomial_quantile,
    student_mean,
    weighted_mean,
    wilson,
)

pytestmark = pytest.mark.unit

COUNTS = [0, 1, 2, 3, 5, 10, 27, 100, 1234]


# Newcombe, Stat Med 1998;17:857-872, table I, method 3.
@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_equals_the_examples_of_newcombe(successes: int, trials: int, low: float, high: float) -> None:
    found = wilson(np.array([float(successes)]), np.array([float(trials)]))
    assert [float(v[0]) for v in found] == pytest.approx([low, high], abs=0.00005)


@pytest.mark.parametrize(("successes", "trials"), [(1, 10), (7, 9), (40, 100_000), (50, 100), (99_999, 100_000)])
def test_wilson_limits_solve_the_equation_of_the_score_test(successes: int, trials: int) -> None:
    """Wilson, JASA 1927;22:209-212: |p - P| = z sqrt(P (1 - P) / n)."""
    p, z = successes / trials, float(norm.ppf(0.975))
    for limit in wilson(np.array([float(successes)]), np.array([float(trials)])):
        value = float(limit[0])
        assert abs(p - value) == pytest.approx(z * np.sqrt(value * (1 - value) / trials), rel=1e-9)


def test_wilson_equals_that_of_statsmodels(seed: int) -> None:
    from statsmodels.stats.proportion import proportion_confint

    draw = np.random.default_rng(seed)
    trials = draw.integers(1, 300_000, 2_000).astype(np.float64)
    successes = np.floor(draw.uniform(0, 1.001, 2_000) * trials).clip(0, trials)
    expected = proportion_confint(successes, trials, alpha=0.05, method="wilson")
    assert np.array(wilson(successes, trials)) == pytest.approx(np.array(expected), abs=1e-15)


def test_wilson_of_all_of_none_and_of_no_trials() -> None:
    low, high = wilson(np.array([0.0, 5.0, 0.0]), np.array([5.0, 5.0, 0.0]))
    assert low[0] == pytest.approx(0, abs=1e-12)
    assert high[1] == pytest.approx(1, abs=1e-12)
    assert np.isnan([low[2], high[2]]).all()


@pytest.mark.parametrize("probability", [0.025, 0.5, 0.975])
def test_quantiles_of_the_negative_binomial_distribution_are_those_of_scipy(seed: int, probability: float) -> None:
    draw = np.random.default_rng(seed)
    successes = np.concatenate([np.arange(0.5, 300.0), draw.integers(1, 300_000, 2_000) + 0.5])
    share = draw.uniform(0.6, 0.95, len(successes))
    expected = nbinom.ppf(probability, successes, share)
    assert np.array_equal(negative_binomial_quantile(probability, successes, share), expected)


# Breslow and Day, Statistical methods in cancer research II (IARC 1987), table 2.10;
# Ulm, Am J Epidemiol 1990;131:373-375.
@pytest.mark.parametrize(
    ("events", "low", "high"),
    [(0, 0.0, 3.689), (1, 0.0253, 5.572), (5, 1.623, 11.668), (10, 4.795, 18.390), (20, 12.217, 30.888)],
)
def test_garwood_equals_the_published_tables(events: int, low: float, high: float) -> None:
    found = garwood(np.array([float(events)]))
    assert [float(v[0]) for v in found] == pytest.approx([low, high], abs=0.0006)


def test_garwood_limits_leave_2_5_percent_of_the_poisson_distribution_on_each_side() -> None:
    """Garwood, Biometrika 1936;28:437-442, with the distribution itself instead of chi-squared quantiles."""
    low, high = garwood(np.array(COUNTS, dtype=np.float64))
    for n, one, other in zip(COUNTS, low.tolist(), high.tolist(), strict=True):
        upper = 10 * n + 20
        assert other == pytest.approx(brentq(lambda m, n=n: poisson.cdf(n, m) - 0.025, n, upper), rel=1e-8)
        if n:
            assert one == pytest.approx(brentq(lambda m, n=n: poisson.sf(n - 1, m) - 0.025, 1e-9, n), rel=1e-8)
        else:
            assert one == 0


def test_garwood_of_a_fraction_is_between_those_of_its_neighbouring_integers() -> None:
    low, high = garwood(np.array([2.0, 2.5, 3.0, 2.5]))
    assert low[0] < low[1] < low[2]
    assert high[0] < high[1] < high[2]
    assert (low[3], high[3]) == (low[1], high[1])


def test_student_equals_the_example_of_the_nist_handbook() -> None:
    """NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.5.2: n 195, mean 9.261460, s 0.022789."""
    shape = np.linspace(-1, 1, 195)
    values = 9.261460 + 0.0227888 * (shape - shape.mean()) / shape.std(ddof=1)
    assert student_mean(values, 2, 0, 100) == pytest.approx((9.258242, 9.264679), abs=0.000002)


def test_student_of_three_values_by_hand() -> None:
    """Mean 2, s 1, t(2) = 4.3027: 2 -+ 4.3027 / sqrt(3)."""
    assert student_mean(np.array([1.0, 2.0, 3.0]), 3, -10, 10) == pytest.approx((2 - 2.48414, 2 + 2.48414), abs=0.00001)
    assert float(t.ppf(0.975, 2)) == pytest.approx(4.3027, abs=0.0001)


def test_student_is_cut_at_the_possible_values() -> None:
    assert student_mean(np.array([1.0, 2.0, 3.0]), 3, 0, 4) == (0, 4)


@pytest.mark.parametrize("values", [[], [3.0], [1.0, 2.0, 3.0, 4.0]])
def test_student_of_too_few_values_is_nan(values: list[float]) -> None:
    assert np.isnan(student_mean(np.array(values), 5, 0, 100)).all()


def test_the_interval_of_a_weighted_mean_by_hand() -> None:
    """Mean 80; weighted gaps -10, 0, 10; their deviation sqrt(3/2 x 200); t(2) = 4.3027: 80 -+ 4.3027 x 17.3205 / 4."""
    values, weights = np.array([70.0, 80.0, 90.0]), np.array([1.0, 2.0, 1.0])
    assert weighted_mean(values, weights, 3, 0, 100) == pytest.approx((61.36898, 98.63102), abs=0.0001)
    assert weighted_mean(values, weights, 3, 0, 98) == pytest.approx((61.36898, 98), abs=0.0001)


def test_the_interval_of_a_weighted_mean_with_equal_weights_is_that_of_the_mean() -> None:
    values = np.array([61.5, 70.25, 74.0, 80.5, 66.0, 71.0])
    assert weighted_mean(values, np.full(6, 37.0), 5, 0, 100) == pytest.approx(student_mean(values, 5, 0, 100))
    # A site without answers does not count: with it there are six, without it five.
    lone = np.array([9.0, 9.0, 9.0, 9.0, 9.0, 0.0])
    assert weighted_mean(values, lone, 5, 0, 100) == pytest.approx(student_mean(values[:5], 5, 0, 100))
    assert np.isnan(weighted_mean(values, lone, 6, 0, 100)).all()


def test_the_interval_of_a_weighted_mean_covers_the_true_mean(seed: int) -> None:
    """Of 1 000 draws of 40 sites with sizes of their own, about 95 % of the intervals hold the mean of all sites."""
    draw = np.random.default_rng(seed)
    weights = draw.lognormal(5, 0.6, (1_000, 40))
    values = 74 + 4 * draw.standard_normal((1_000, 40))
    found = np.array([weighted_mean(v, w, 5, 0, 100) for v, w in zip(values, weights, strict=True)])
    assert 0.92 <= np.mean((found[:, 0] <= 74) & (found[:, 1] >= 74)) <= 0.975


def test_fay_and_feuer_equals_the_published_example() -> None:
    """Fay and Feuer, Stat Med 1997;16:791-801, tables I and II: Down syndrome by age of the mother, Michigan 1950-1964,
    children of birth order 5 and more, standardised on all births: 75.5 per 100 000, 67.7 to 188.3."""
    cases = np.array([0, 8, 63, 112, 262, 295], dtype=np.float64)
    births = np.array([327, 30666, 123419, 149919, 104088, 34392], dtype=np.float64)
    standard = np.array([319933, 931318, 786511, 488235, 237863, 61313], dtype=np.float64)
    found = directly_standardised(cases, births, standard)
    assert [round(100_000 * float(v), 1) for v in found] == [75.5, 67.7, 188.3]


@pytest.mark.parametrize("events", [0, 1, 7, 150])
def test_fay_and_feuer_of_one_stratum_is_garwoods_interval(events: int) -> None:
    """Fay and Feuer, Stat Med 1997;16:791-801: with equal weights the interval is the exact one."""
    low, high = garwood(np.array([float(events)]))
    found = directly_standardised(np.array([float(events)]), np.array([50.0]), np.array([3.0]))
    assert found == pytest.approx((events / 50, low[0] / 50, high[0] / 50))


def test_fay_and_feuer_from_their_formulas_with_chi_squared_quantiles() -> None:
    """The equations for y, v and w_M of the paper, with chi-squared instead of gamma quantiles."""
    cases, time, standard = np.array([3.0, 0.0, 12.0]), np.array([900.0, 400.0, 250.0]), np.array([5.0, 3.0, 2.0])
    weight = standard / standard.sum() / time
    y, v, largest = float(weight @ cases), float(weight**2 @ cases), float(weight.max())
    low = v / (2 * y) * chi2.ppf(0.025, 2 * y**2 / v)
    above, spread = y + largest, v + largest**2
    high = spread / (2 * above) * chi2.ppf(0.975, 2 * above**2 / spread)
    assert directly_standardised(cases, time, standard) == pytest.approx((y, low, high))


def test_strata_without_time_are_left_out_and_no_stratum_gives_nan() -> None:
    whole = directly_standardised(np.array([3.0, 4.0]), np.array([10.0, 20.0]), np.array([1.0, 2.0]))
    more = directly_standardised(np.array([3.0, 4.0, 0.0]), np.array([10.0, 20.0, 0.0]), np.array([1.0, 2.0, 9.0]))
    assert more == pytest.approx(whole)
    assert np.isnan(directly_standardised(np.zeros(2), np.zeros(2), np.ones(2))).all()


def test_several_populations_are_standardised_at_once() -> None:
    cases = np.array([[3.0, 4.0], [0.0, 0.0], [1.0, 9.0]])
    time, standard = np.array([[10.0, 20.0], [5.0, 5.0], [0.0, 7.0]]), np.array([1.0, 2.0])
    found = directly_standardised(cases, time, standard)
    for i, limits in enumerate(zip(*found, strict=True)):
        assert limits == pytest.approx(directly_standardised(cases[i], time[i], standard))


@pytest.mark.parametrize(("scale", "most"), [(0.02, 1.0), (1.0, 0.97)])
def test_limits_of_standardised_rates_contain_the_rate_in_19_of_20_draws(scale: float, most: float) -> None:
    """With about 20 events and 1 000. The interval is wider than needed for few events (Fay and Feuer)."""
    time = scale * np.array([60_000.0, 50_000.0, 30_000.0, 8_000.0])
    expected = time * np.array([0.0005, 0.002, 0.012, 0.065])
    standard = np.array([50.0, 30.0, 15.0, 5.0])
    truth, _, _ = directly_standardised(expected, time, standard)
    draws = np.random.default_rng(19971).poisson(expected, (1000, 4)).astype(np.float64)
    _, low, high = directly_standardised(draws, time, standard)
    assert 0.93 <= float(np.mean((low <= truth) & (truth <= high))) <= most


def test_the_comparative_index_of_ten_events_where_eight_are_expected() -> None:
    """Breslow and Day, table 2.10: 10 events have the limits 4.795 and 18.390."""
    found = comparative_index(np.array([10.0]), np.array([[100.0, 200.0]]), np.array([0.02, 0.03]))
    assert [float(v[0]) for v in found] == pytest.approx([125, 100 * 4.795 / 8, 100 * 18.390 / 8], abs=0.01)
    none = comparative_index(np.array([0.0]), np.array([[0.0, 0.0]]), np.array([0.02, 0.03]))
    assert np.isnan(none).all()
