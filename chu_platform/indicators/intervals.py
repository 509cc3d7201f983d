"""Confidence intervals of the indicators, at 95 %, computed by SciPy.

Quantiles are those of `scipy.special`, of which `scipy.stats` makes its distributions: to import these takes a second
of processor time, in this process and in that of the engine. Each function imports what it uses, so that declarations
load without SciPy.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
ALPHA: Final = 0.05
SHARE_DECIMALS: Final = 10
# Variance of the median of some independent standard normal values, by their number (David & Nagaraja, Order
# Statistics, 2003, table of moments).
MEDIAN_VARIANCE: Final = {3: 0.44867, 4: 0.29820, 5: 0.28683}


def wilson(successes: Floats, trials: Floats) -> tuple[Floats, Floats]:
    """Wilson's score interval of a proportion (JASA 1927;22:209-212); NaN where there are no trials.

    The successes must not be more than the trials.
    """
    from scipy.special import ndtri

    z = -ndtri(ALPHA / 2)
    low, high = np.full(len(trials), np.nan), np.full(len(trials), np.nan)
    known = trials > 0
    n = trials[known]
    share = successes[known] / n
    widened = 1 + z**2 / n
    middle = (share + z**2 / (2 * n)) / widened
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / widened
    low[known], high[known] = np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)
    return low, high


def garwood(events: Floats) -> tuple[Floats, Floats]:
    """Exact interval of the expectation of a Poisson count (Garwood 1936); also defined for fractional counts."""
    from scipy.special import gammaincinv

    counts, where = np.unique(events, return_inverse=True)
    low = np.where(counts > 0, gammaincinv(np.maximum(counts, 1e-12), ALPHA / 2), 0.0)
    high = gammaincinv(counts + 1, 1 - ALPHA / 2)
    return low[where], high[where]


def student_mean(values: Floats, fewest: int, smallest: float, largest: float) -> tuple[float, float]:
    """Student's interval of a mean, cut at the smallest and largest possible value; NaN with fewer than `fewest` values."""
    from scipy.special import stdtrit

    n = len(values)
    if n < fewest:
        return float("nan"), float("nan")
    half = float(stdtrit(n - 1, 1 - ALPHA / 2) * np.std(values, ddof=1) / np.sqrt(n))
    mean = float(np.mean(values))
    return max(mean - half, smallest), min(mean + half, largest)


def weighted_mean(values: Floats, weights: Floats, fewest: int, smallest: float, largest: float) -> tuple[float, float]:
    """Interval of a mean weighted by the sizes of the units, cut at the smallest and largest possible value.

    The mean is a ratio of two sums over units: linearised variance (Cochran, Sampling Techniques, 1977, eq. 6.13),
    Student's distribution. Units of weight 0 do not count; NaN with fewer than `fewest` others.
    """
    from scipy.special import stdtrit

    values, weights = values[weights > 0], weights[weights > 0]
    n = len(values)
    if n < fewest:
        return float("nan"), float("nan")
    whole = float(np.sum(weights))
    mean = float(np.sum(weights * values) / whole)
    deviation = np.sqrt(n / (n - 1) * np.sum((weights * (values - mean)) ** 2))
    half = float(stdtrit(n - 1, 1 - ALPHA / 2) * deviation / whole)
    return max(mean - half, smallest), min(mean + half, largest)


def directly_standardised(events: Floats, person_time: Floats, standard: Floats) -> tuple[Floats, Floats, Floats]:
    """Directly standardised rate with the gamma interval of Fay and Feuer (Stat Med 1997;16:791-801).

    The strata are the last axis of each array; `standard` are weights of any scale. Strata without person-time are left
    out. Returns rates, lower and upper limits, without this axis; NaN where there is no stratum left.
    """
    from scipy.special import gammaincinv

    known = (person_time > 0) & (standard > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        whole = np.where(known, standard, 0.0).sum(axis=-1, keepdims=True)
        weight = np.where(known, standard / whole / person_time, 0.0)
        counts = np.where(known, events, 0.0)
        rate = np.where(known.any(axis=-1), (weight * counts).sum(axis=-1), np.nan)
        variance = (weight**2 * counts).sum(axis=-1)
        largest = weight.max(axis=-1)
        low = gammaincinv(rate**2 / variance, ALPHA / 2) * (variance / rate)
        upper_rate, upper_variance = rate + largest, variance + largest**2
        high = gammaincinv(upper_rate**2 / upper_variance, 1 - ALPHA / 2) * (upper_variance / upper_rate)
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
    NaN for a share of 0 or 1, of which this variance says nothing. All three have ten decimals: the last bits of NumPy's
    logarithms depend on the processor, and equal rows must be equal on every machine.
    """
    from scipy.stats import CensoredData, ecdf

    if not any(happened):
        return 0.0, float("nan"), float("nan")
    observed, seen = np.array(days, dtype=np.float64), np.array(happened, dtype=bool)
    surviving = ecdf(CensoredData(uncensored=observed[seen], right=observed[~seen])).sf
    with np.errstate(divide="ignore", invalid="ignore"):
        limits = surviving.confidence_interval(1 - ALPHA, method="log-log")
    share, low, high = (1 - f.probabilities[-1] for f in (surviving, limits.high, limits.low))
    return round(float(share), SHARE_DECIMALS), round(float(low), SHARE_DECIMALS), round(float(high), SHARE_DECIMALS)


def usual_count(counts: Floats, exposures: Floats, exposure: Floats) -> Floats:
    """The count that years like the reference years would have: the median of theirs, each brought to `exposure`.

    `counts` and `exposures` have one row for each count and one column for each reference year; `exposure` is above 0.
    """
    found: Floats = np.median(counts / exposures * exposure[:, np.newaxis], axis=1)
    return found


def usual_limits(counts: Floats, exposures: Floats, exposure: Floats) -> tuple[Floats, Floats]:
    """The 95 % prediction interval of the count of a year like these ordinary ones.

    It is the wider one of two at each end: that of a Poisson count whose rate the ordinary counts give (predictive
    distribution with Jeffreys' prior; Wang, Wu & Sun 2012, J. Stat. Comput. Simul.), and Student's around their median
    with their standard deviation, each count brought to `exposure`. So it is at least as wide as chance alone makes it.
    A limit is never below 0.

    Arguments as those of `usual_count`; a row with fewer ordinary years has NaN in the other columns. Returns lower and
    upper limits; NaN for fewer than three years.
    """
    from scipy.special import stdtrit

    years = np.isfinite(counts).sum(axis=1)
    there = years >= min(MEDIAN_VARIANCE)
    low, high = np.full(len(years), np.nan), np.full(len(years), np.nan)
    counts, exposures, exposure, years = counts[there], exposures[there], exposure[there], years[there]
    brought = counts / exposures * exposure[:, np.newaxis]
    middle = np.nanmedian(brought, axis=1)
    of_median = np.array([MEDIAN_VARIANCE[n] for n in years])
    half = stdtrit(years - 1, 1 - ALPHA / 2) * np.nanstd(brought, axis=1, ddof=1) * np.sqrt(1 + of_median)
    lived = np.nansum(exposures, axis=1)
    shape, share = np.nansum(counts, axis=1) + 0.5, lived / (lived + exposure)
    lowest, highest = (negative_binomial_quantile(p, shape, share) for p in (ALPHA / 2, 1 - ALPHA / 2))
    low[there] = np.maximum(np.minimum(lowest, middle - half), 0.0)
    high[there] = np.maximum(highest, middle + half)
    return low, high


def negative_binomial_quantile(probability: float, successes: Floats, share: Floats) -> Floats:
    """The least number of failures that is not exceeded with this probability, before the number of `successes`.

    Successes may be fractions; `share` is the probability of one.
    """
    from scipy.special import betainc, nbdtrik

    # nbdtrik solves the equation for numbers that need not be whole, up to its precision.
    found = np.ceil(nbdtrik(probability, successes, share))
    before = np.maximum(found - 1, 0.0)
    quantile: Floats = np.where(betainc(successes, before + 1, share) >= probability, before, found)
    return quantile
