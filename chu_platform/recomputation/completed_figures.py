"""Figures computed from the counts of a cell: rates, intensities, means and their confidence limits."""

import numpy as np

from chu_platform.recomputation.confidence_limits import poisson_limits, student_limits, wilson_limits
from chu_platform.recomputation.recomputation import Figures


def recomputed_rates(counts: Figures) -> Figures:
    """Add the rate of patients per 1000 base patients and the intensity of events per 1000 patient-years.

    Needs events, patients, base_patients and patient_years (`counted_rows.use_counts`).
    """
    base, years = counts["base_patients"], counts["patient_years"]
    # In cells of unknown age there may be more patients than base patients.
    low, high = wilson_limits(np.minimum(counts["patients"], base), base)
    events_low, events_high = poisson_limits(counts["events"])
    return {
        **counts,
        "rate_per_1000": 1000 * counts["patients"] / base,
        "rate_low": 1000 * low,
        "rate_high": 1000 * high,
        "intensity": 1000 * counts["events"] / years,
        "intensity_low": 1000 * events_low / years,
        "intensity_high": 1000 * events_high / years,
    }


def recomputed_stay_rates(counts: Figures) -> Figures:
    """Add the figures of `recomputed_rates`, and the mean length of stay in days; needs days too."""
    return {**recomputed_rates(counts), "mean_length_of_stay": counts["days"] / counts["events"]}


def recomputed_death_rates(counts: Figures) -> Figures:
    """Add the deaths per 1000 inhabitants; needs rated_deaths and population."""
    deaths = counts["rated_deaths"]
    low, high = poisson_limits(deaths)
    factor = 1000 / counts["population"]
    return {**counts, "rate_per_1000": deaths * factor, "rate_low": low * factor, "rate_high": high * factor}


def recomputed_score_limits(counts: Figures) -> Figures:
    """Replace score_deviation and the sums of squares by the confidence limits of score_mean and score_weighted.

    Needs sites_scored, sites_weighted and answers too. The sums are those of the squares of answers, alone, times the
    score, and times the squared score. Limits lie between 0 and 100. With fewer than five sites there are none (NaN).
    """
    mean, number = counts["score_weighted"], counts["sites_weighted"]
    gaps = counts["squared_scores"] - 2 * mean * counts["square_scores"] + mean**2 * counts["squares"]
    with np.errstate(divide="ignore", invalid="ignore"):
        # Of one site: its deviation among many, as if each had the mean weight.
        deviation = number * np.sqrt(np.maximum(gaps, 0) / (number - 1)) / counts["answers"]
    plain = student_limits(counts["score_mean"], counts["score_deviation"], counts["sites_scored"])
    weighted = student_limits(mean, deviation, number)
    left_out = ("score_deviation", "sites_weighted", "squares", "square_scores", "squared_scores")
    found = {n: v for n, v in counts.items() if n not in left_out}
    for name, (low, high), sites in (("score", plain, counts["sites_scored"]), ("weighted", weighted, number)):
        found[f"{name}_low"] = np.where(sites < 5, np.nan, np.maximum(low, 0))
        found[f"{name}_high"] = np.where(sites < 5, np.nan, np.minimum(high, 100))
    return found
