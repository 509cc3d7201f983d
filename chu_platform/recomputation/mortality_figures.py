"""Mortality figures computed from the counts of a cell: rates, indices and life expectancies with their limits."""

from typing import Final

import numpy as np

from chu_platform.recomputation.confidence_limits import TAIL, poisson_limits
from chu_platform.recomputation.mortality_inputs import AGES
from chu_platform.recomputation.recomputation import Figures, Floats

KEY: Final = "year, level, code, sex"
# Counts of the chosen cells: deaths and inhabitants by age group, of the place (d, p) and of France (fd, fp).
COUNTS: Final = f"""
    WITH counted AS (
        SELECT {KEY}, count(row) AS deaths, count(row) FILTER (age_group IS NULL) AS unknown,
            {", ".join(f"count(row) FILTER (age_group = {a}) AS d{a}" for a in AGES)}
        FROM numerator GROUP BY ALL
    )
    SELECT {KEY}, coalesce(deaths, 0) AS deaths, coalesce(c.unknown, 0) AS unknown, coverage,
        (year IN (SELECT year FROM comparable))::INTEGER AS comparable,
        {", ".join(f"coalesce(c.d{a}, 0) AS d{a}, r.p{a} AS p{a}" for a in AGES)},
        coalesce(n.unknown, 0) AS france_unknown,
        {", ".join(f"coalesce(n.d{a}, 0) AS fd{a}, f.p{a} AS fp{a}" for a in AGES)},
        {", ".join(f"(SELECT weight FROM raw_standard_population WHERE age = {a}) AS w{a}" for a in AGES)}
    FROM cell LEFT JOIN counted c USING ({KEY}) JOIN resident r USING ({KEY})
        LEFT JOIN covered USING (year, sex) LEFT JOIN national n USING (year, sex)
        JOIN (FROM resident WHERE level = 'france') f USING (year, sex)
    """


def recomputed_mortality(counts: Figures) -> Figures:
    """The figures of kpi_mortality; needs the columns of `COUNTS`."""
    deaths, unknown = counts["deaths"], counts["unknown"]
    by_age, lived = _groups(counts, "d"), _groups(counts, "p")
    aged = _with_unknown(by_age, unknown)
    inhabitants = lived.sum(axis=1)
    wanted = np.where(counts["comparable"] == 1, 1.0, np.nan)
    france = _groups(counts, "fd")
    expected = (lived * _with_unknown(france, counts["france_unknown"]) / _groups(counts, "fp")).sum(axis=1)
    lowest, highest = poisson_limits(deaths)
    rate, low, high = _standardised(aged, lived, _groups(counts, "w"))
    at_birth, at_65 = (_life_expectancy(aged, lived, first) for first in (0, 13))
    rates = {
        "crude_rate": 1e3 * deaths / inhabitants,
        "standardised_rate": 1e5 * rate,
        "standardised_low": 1e5 * low,
        "standardised_high": 1e5 * high,
        "comparative_index": 100 * deaths / expected,
        "comparative_low": 100 * lowest / expected,
        "comparative_high": 100 * highest / expected,
        **dict(zip(("life_expectancy_0", "life_expectancy_0_low", "life_expectancy_0_high"), at_birth, strict=True)),
        **dict(zip(("life_expectancy_65", "life_expectancy_65_low", "life_expectancy_65_high"), at_65, strict=True)),
    }
    return {
        "deaths": deaths,
        "population": inhabitants,
        "unknown_age_share": np.where(deaths > 0, unknown / deaths, 0.0),
        "coverage": counts["coverage"],
        **{name: values * wanted for name, values in rates.items()},
    }


def _groups(counts: Figures, prefix: str) -> Floats:
    return np.column_stack([counts[f"{prefix}{age}"] for age in AGES])


def _with_unknown(by_age: Floats, unknown: Floats) -> Floats:
    known = by_age.sum(axis=1, keepdims=True)
    share = np.where(known > 0, by_age / known, np.where(unknown[:, None] > 0, np.nan, 0.0))
    return by_age + share * unknown[:, None]


def _standardised(deaths: Floats, lived: Floats, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Rates and limits of Fay and Feuer, by quantiles of chi-squared; groups without inhabitants have no weight."""
    from scipy.stats import chi2

    there = lived > 0
    weights = np.where(there, weights, 0.0)
    each = weights / weights.sum(axis=1, keepdims=True) / np.where(there, lived, 1.0)
    counted = np.where(there, deaths, 0.0)
    rate, variance, most = (each * counted).sum(axis=1), (each**2 * counted).sum(axis=1), each.max(axis=1)
    low = variance / (2 * rate) * chi2.ppf(TAIL, 2 * rate**2 / variance)
    above, spread = rate + most, variance + most**2
    high = spread / (2 * above) * chi2.ppf(1 - TAIL, 2 * above**2 / spread)
    return rate, np.where(rate == 0, 0.0, low), high


def _life_expectancy(deaths: Floats, lived: Floats, first: int) -> tuple[Floats, Floats, Floats]:
    """Life expectancy at the start of a group, with its limits, group by group from the oldest.

    Those who die in a group have lived half of it, in the first one half a year. The variance of a group is that of
    Chiang, of the last one that of a Poisson count.
    """
    from scipy.stats import norm

    rates = np.where(deaths > 0, deaths / lived, 0.0)
    last = len(AGES) - 1
    remaining = np.where(lived[:, last] > 0, 1 / rates[:, last], np.nan)
    variance = remaining**2 / deaths[:, last]
    for group in range(last - 1, first - 1, -1):
        died_after = 0.5 if group == 0 else 2.5
        dying = np.minimum(5 * rates[:, group] / (1 + (5 - died_after) * rates[:, group]), 1)
        of_dying = np.where(deaths[:, group] > 0, dying**2 * (1 - dying) / deaths[:, group], 0.0)
        variance = (1 - dying) ** 2 * variance + (remaining + 5 - died_after) ** 2 * of_dying
        remaining = (1 - dying) * (5 + remaining) + dying * died_after
    half = norm.ppf(1 - TAIL) * np.sqrt(variance)
    found = np.isfinite(remaining) & np.isfinite(half)
    value, low, high = (np.where(found, v, np.nan) for v in (remaining, remaining - half, remaining + half))
    return value, low, high
