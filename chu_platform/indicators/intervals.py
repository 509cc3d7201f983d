"""Confidence intervals of the indicators, at 95 %, computed by SciPy and statsmodels.

SciPy's statistics take a second to import. Each function imports what it uses, so that declarations load without them.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
ALPHA: Final = 0.05
# Variance of the median of some independent standard normal values, by their number (David & Nagaraja, Order
# Statistics, 2003, table of moments).
MEDIAN_VARIANCE: Final = {5: 0.28683}


def wilson(successes: Floats, trials: Floats) -> tuple[Floats, Floats]:
    """Wilson's score interval of a proportion (Wilson 1927); NaN where there are no trials.

    The successes must not be more than the trials.
    """
    from statsmodels.stats.proportion import proportion_confint

    known = trials > 0
    low, high = np.full(len(trials), np.nan), np.full(len(trials), np.nan)
    low[known], high[known] = proportion_confint(successes[known], trials[known], alpha=ALPHA, method="wilson")
    return low, high


def garwood(events: Floats) -> tuple[Floats, Floats]:
    """Exact interval of the expectation of a Poisson count (Garwood 1936); also defined for fractional counts."""
    from scipy.stats import gamma

    counts, where = np.unique(events, return_inverse=True)
    low = np.where(counts > 0, gamma.ppf(ALPHA / 2, np.maximum(counts, 1e-12)), 0.0)
    high = gamma.ppf(1 - ALPHA / 2, counts + 1)
    return low[where], high[where]


def student_mean(values: Floats, fewest: int, smallest: float, largest: float) -> tuple[float, float]:
    """Student's interval of a mean, cut at the smallest and largest possible value; NaN with fewer than `fewest` values."""
    from scipy.stats import t

    n = len(values)
    if n < fewest:
        return float("nan"), float("nan")
    half = float(t.ppf(1 - ALPHA / 2, n - 1) * np.std(values, ddof=1) / np.sqrt(n))
    mean = float(np.mean(values))
    return max(mean - half, smallest), min(mean + half, largest)


def weighted_mean(values: Floats, weights: Floats, fewest: int, smallest: float, largest: float) -> tuple[float, float]:
    """Interval of a mean weighted by the sizes of the units, cut at the smallest and largest possible value.

    The mean is a ratio of two sums over units: linearised variance (Cochran, Sampling Techniques, 1977, eq. 6.13),
    Student's distribution. Units of weight 0 do not count; NaN with fewer than `fewest` others.
    """
    from scipy.stats import t

    values, weights = values[weights > 0], weights[weights > 0]
    n = len(values)
    if n < fewest:
        return float("nan"), float("nan")
    whole = float(np.sum(weights))
    mean = float(np.sum(weights * values) / whole)
    deviation = np.sqrt(n / (n - 1) * np.sum((weights * (values - mean)) ** 2))
    half = float(t.ppf(1 - ALPHA / 2, n - 1) * deviation / whole)
    return max(mean - half, smallest), min(mean + half, largest)


def directly_standardised(events: Floats, person_time: Floats, standard: Floats) -> tuple[Floats, Floats, Floats]:
    """Directly standardised rate with the gamma interval of Fay and Feuer (Stat Med 1997;16:791-801).

    The strata are the last axis of each array; `standard` are weights of any scale. Strata without person-time are left
    out. Returns rates, lower and upper limits, without this axis; NaN where there is no stratum left.
    """
    from scipy.stats import gamma

    known = (person_time > 0) & (standard > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        whole = np.where(known, standard, 0.0).sum(axis=-1, keepdims=True)
        weight = np.where(known, standard / whole / person_time, 0.0)
        counts = np.where(known, events, 0.0)
        rate = np.where(known.any(axis=-1), (weight * counts).sum(axis=-1), np.nan)
        variance = (weight**2 * counts).sum(axis=-1)
        largest = weight.max(axis=-1)
        low = gamma.ppf(ALPHA / 2, rate**2 / variance, scale=variance / rate)
        upper_rate, upper_variance = rate + largest, variance + largest**2
        high = gamma.ppf(1 - ALPHA / 2, upper_rate**2 / upper_variance, scale=upper_variance / upper_rate)
    return rate[()], np.where(rate == 0, 0.0, low)[()], high


def comparative_index(events: Floats, person_time: Floats, reference: Floats) -> tuple[Floats, Floats, Floats]:
    """Indirectly standardised index, 100 for the reference, with the exact interval of the events (Garwood 1936).

    `events` are those of all strata. The strata are the last axis of `person_time` and of the rates of `reference`.
    Returns index, lower and upper limit; NaN where no events are expected.
    """
    expected = (person_time * reference).sum(axis=-1)
    low, high = garwood(events)
    with np.errstate(divide="ignore", invalid="ignore"):
        index, lower, upper = (np.where(expected > 0, 100 * found / expected, np.nan) for found in (events, low, high))
    return index, lower, upper


def share_followed(days: Sequence[int], happened: Sequence[bool]) -> tuple[float, float, float]:
    """Share with an event within the days observed, by Kaplan and Meier (1958), as 1 minus the survival function.

    `days` is the day of the event or, where none `happened`, the last day observed, for each unit; at least one. Returns
    share, lower and upper limit: Greenwood's variance on the log-log scale (Kalbfleisch & Prentice 2002). Limits are
    NaN for a share of 0 or 1, of which this variance says nothing.
    """
    from scipy.stats import CensoredData, ecdf

    if not any(happened):
        return 0.0, float("nan"), float("nan")
    observed, seen = np.array(days, dtype=np.float64), np.array(happened, dtype=bool)
    surviving = ecdf(CensoredData(uncensored=observed[seen], right=observed[~seen])).sf
    with np.errstate(divide="ignore", invalid="ignore"):
        limits = surviving.confidence_interval(1 - ALPHA, method="log-log")
    share, low, high = (1 - f.probabilities[-1] for f in (surviving, limits.high, limits.low))
    return float(share), float(low), float(high)


def usual_count(counts: Floats, exposures: Floats, exposure: Floats) -> tuple[Floats, Floats, Floats]:
    """The count that years like the reference years would have, with its 95 % prediction interval.

    Expected is the median of the reference counts, each brought to `exposure`. The interval is the wider one of two at
    each end: that of a Poisson count whose rate the reference counts give (predictive distribution with Jeffreys' prior;
    Wang, Wu & Sun 2012, J. Stat. Comput. Simul.), and Student's around the median with the standard deviation of the
    brought counts. So it is at least as wide as chance alone makes it. A limit is never below 0.

    `counts` and `exposures` have one row for each count and one column for each reference year; `exposure` is above 0.
    Returns expected, lower and upper limits.
    """
    from scipy.stats import nbinom, t

    years = counts.shape[1]
    brought = counts / exposures * exposure[:, np.newaxis]
    expected = np.median(brought, axis=1)
    spread = np.std(brought, axis=1, ddof=1) * np.sqrt(1 + MEDIAN_VARIANCE[years])
    half = t.ppf(1 - ALPHA / 2, years - 1) * spread
    lived = exposures.sum(axis=1)
    shape, share = counts.sum(axis=1) + 0.5, lived / (lived + exposure)
    lowest, highest = (nbinom.ppf(p, shape, share) for p in (ALPHA / 2, 1 - ALPHA / 2))
    low = np.maximum(np.minimum(lowest, expected - half), 0.0)
    return expected, low, np.maximum(highest, expected + half)
