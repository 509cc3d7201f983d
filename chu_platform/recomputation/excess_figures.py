"""Deaths of a month beside those expected, computed from the counts of the same month in the reference years."""

from typing import Final

import numpy as np

from chu_platform.recomputation.confidence_limits import TAIL
from chu_platform.recomputation.mortality_inputs import PLACED_DEATHS
from chu_platform.recomputation.recomputation import Figures, Floats

KEY: Final = "period_grain, period_start, region_code, sex"
ROWS: Final = f"""
    SELECT 'month' AS period_grain, make_date(d.year, d.month, 1) AS period_start, p.code AS region_code, s.sex,
        d.key AS row
    FROM {PLACED_DEATHS} WHERE d.month IS NOT NULL AND p.level <> 'department'
    """
_YEARS: Final = range(1, 6)
# Deaths and exposures (days x inhabitants) of a cell, and of the same month in its reference years (d1, e1, ...) and in
# its ordinary years (o1, f1, ...), of which there may be fewer.
COUNTS: Final = f"""
    WITH counted AS (SELECT {KEY}, count(row) AS deaths FROM numerator GROUP BY ALL),
    wanted AS (
        SELECT {KEY}, year(period_start) AS year, month(period_start) AS month, population,
            population * datediff('day', period_start, period_start + INTERVAL 1 MONTH) AS exposure
        FROM cell JOIN (FROM region_resident WHERE age_band = 'all') r USING (region_code, sex)
        WHERE r.year = year(period_start)
    ), compared AS (
        SELECT {", ".join(f"w.{name.strip()}" for name in KEY.split(","))}, r.year AS before,
            coalesce(m.deaths, 0) AS deaths,
            r.population * datediff('day', make_date(r.year, w.month, 1),
                make_date(r.year, w.month, 1) + INTERVAL 1 MONTH) AS exposure,
            NOT EXISTS (FROM raw_mortality_episode
                WHERE make_date(r.year, w.month, 1) BETWEEN first_month AND last_month) AS ordinary
        FROM (FROM wanted SEMI JOIN comparable USING (year)) w
            JOIN (FROM region_resident SEMI JOIN comparable USING (year)) r
                ON r.region_code = w.region_code AND r.sex = w.sex AND r.age_band = 'all' AND r.population > 0
                    AND w.year - r.year BETWEEN 1 AND 7
            LEFT JOIN region_month m ON m.region_code = w.region_code AND m.sex = w.sex AND m.year = r.year
                    AND m.month = w.month
    ), latest AS (
        SELECT {KEY}, list(struct_pack(deaths, exposure) ORDER BY before DESC)[:5] AS years,
            (list(struct_pack(deaths, exposure) ORDER BY before DESC) FILTER (ordinary))[:5] AS others
        FROM compared GROUP BY ALL HAVING count(*) >= 5
    )
    SELECT {KEY}, coalesce(deaths, 0) AS deaths, population, exposure,
        {", ".join(f"years[{n}].deaths AS d{n}, years[{n}].exposure AS e{n}" for n in _YEARS)},
        {", ".join(f"others[{n}].deaths AS o{n}, others[{n}].exposure AS f{n}" for n in _YEARS)}
    FROM wanted LEFT JOIN counted USING ({KEY}) LEFT JOIN latest USING ({KEY})
    """


def recomputed_excess(counts: Figures) -> Figures:
    """The figures of kpi_deaths_by_month; needs the columns of `COUNTS`."""
    deaths, exposure = counts["deaths"], counts["exposure"]
    expected = np.sort(_years(counts, "d") * (exposure[:, None] / _years(counts, "e")), axis=1)[:, 2]
    low, high = _limits(_years(counts, "o"), _years(counts, "f"), exposure)
    low, high = np.minimum(low, expected), np.maximum(high, expected)
    excess = {"excess": deaths - expected, "excess_low": deaths - high, "excess_high": deaths - low}
    return {
        "deaths": deaths,
        "population": counts["population"],
        "expected": expected,
        "expected_low": low,
        "expected_high": high,
        **excess,
        **{name.replace("excess", "p_score"): 100 * found / expected for name, found in excess.items()},
    }


def _years(counts: Figures, prefix: str) -> Floats:
    return np.column_stack([counts[f"{prefix}{n}"] for n in _YEARS])


def _limits(deaths: Floats, lived: Floats, exposure: Floats) -> tuple[Floats, Floats]:
    """The limits of a year like these, of which some are NaN; NaN where fewer than three are not."""
    from scipy.special import stdtrit

    # NaN are sorted to the end.
    brought = np.sort(deaths * (exposure[:, None] / lived), axis=1)
    low, high = np.full(len(brought), np.nan), np.full(len(brought), np.nan)
    number = np.isfinite(brought).sum(axis=1)
    # Of each number of normal values, the variance of their median, beside that of one.
    for years, of_median in ((3, 0.44867), (4, 0.2982), (5, 0.28683)):
        there = number == years
        own, chosen = brought[there][:, :years], exposure[there]
        middle = (own[:, (years - 1) // 2] + own[:, years // 2]) / 2
        variance = ((own - own.sum(axis=1)[:, None] / years) ** 2).sum(axis=1) / (years - 1)
        half = stdtrit(years - 1, 1 - TAIL) * np.sqrt(variance * (1 + of_median))
        total, whole = np.nansum(deaths[there], axis=1), np.nansum(lived[there], axis=1)
        low[there] = np.maximum(np.minimum(_chance(total, whole, chosen, TAIL), middle - half), 0)
        high[there] = np.maximum(_chance(total, whole, chosen, 1 - TAIL), middle + half)
    return low, high


def _chance(total: Floats, lived: Floats, exposure: Floats, share: float) -> Floats:
    """The smallest count that is not exceeded with this probability, if `total` were counted in `lived`.

    The rate has the gamma distribution of Jeffreys: so the count is negative binomial, whose distribution function is
    an incomplete beta function. Found by halving.
    """
    from scipy.special import betainc

    known = np.isfinite(total)
    shape, odds = total[known] + 0.5, lived[known] / (lived[known] + exposure[known])
    low = np.full(len(shape), -1.0)
    high = np.ceil(2 * shape / odds + 50)
    while (wide := high - low > 1).any():
        middle = np.floor((low + high) / 2)
        reached = betainc(shape, middle + 1, odds) >= share
        high = np.where(wide & reached, middle, high)
        low = np.where(wide & ~reached, middle, low)
    found = np.full(len(total), np.nan)
    found[known] = high
    return found
