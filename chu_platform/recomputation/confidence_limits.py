"""Confidence limits at 95 %, in closed form or by quantiles of scipy; null values are NaN.

scipy.stats takes half a second to import: the functions import it, so that declarations load without it.
"""

from typing import Final

import numpy as np

from chu_platform.recomputation.recomputation import Floats

CONFIDENCE: Final = 0.95
TAIL: Final = (1 - CONFIDENCE) / 2


def wilson_limits(successes: Floats, trials: Floats) -> tuple[Floats, Floats]:
    """Lower and upper limit of a share: Wilson's score interval in closed form."""
    from scipy.stats import norm

    z = norm.ppf(1 - TAIL)
    share = successes / trials
    centre = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z / (1 + z**2 / trials) * np.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    return centre - half, centre + half


def poisson_limits(events: Floats) -> tuple[Floats, Floats]:
    """Lower and upper limit of a number of events: Garwood's exact interval by quantiles of chi-squared."""
    from scipy.stats import chi2

    low = np.where(events > 0, chi2.ppf(TAIL, 2 * np.maximum(events, 1e-12)) / 2, 0.0)
    return low, chi2.ppf(1 - TAIL, 2 * events + 2) / 2


def student_limits(mean: Floats, deviation: Floats, number: Floats) -> tuple[Floats, Floats]:
    """Lower and upper limit of a mean of `number` values with the sample's standard deviation; NaN below two values."""
    from scipy.stats import t

    half = t.ppf(1 - TAIL, number - 1) * deviation / np.sqrt(number)
    return mean - half, mean + half
