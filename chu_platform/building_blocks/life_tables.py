"""Life tables: death rates of age groups from a published table, and the abridged table of observed deaths.

The age groups are those of the population (`POPULATION_AGES`): five years each, and 90 and over. They are the last axis
of every array, in order of age; the other axes are the populations, and results have only these.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from chu_platform.tables.spark_sql import POPULATION_AGES

Floats = NDArray[np.float64]
WIDTH: Final = 5.0
# Years that those who die in a group have lived in it, on average. Most deaths of the first group are of infants.
LIVED: Final = np.array([0.5, *[WIDTH / 2] * (len(POPULATION_AGES) - 2)])
# The same within the first year of age.
LIVED_BY_INFANTS: Final = 0.1
Z_95: Final = 1.959963984540054


@dataclass(frozen=True)
class LifeExpectancy:
    """Life expectancies in years with their 95 % limits; NaN where there is none."""

    value: Floats
    low: Floats
    high: Floats


def rates_of_groups(quotients: Floats) -> Floats:
    """Deaths per person and year in the age groups of the stationary population of a mortality table.

    `quotients` are the probabilities of dying within the year at the ages 0 to 99, on the last axis. Who reaches 100
    dies at the rate of the age of 99.
    """
    survivors = np.cumprod(1 - quotients, axis=-1)
    reached = np.concatenate([np.ones_like(survivors[..., :1]), survivors], axis=-1)
    lived = (reached[..., :-1] + survivors) / 2
    lived[..., 0] = survivors[..., 0] + LIVED_BY_INFANTS * quotients[..., 0]
    after_99 = survivors[..., -1] / -np.log1p(-quotients[..., -1])
    starts = np.array(POPULATION_AGES)
    at_start = reached[..., starts]
    deaths = at_start - np.concatenate([at_start[..., 1:], np.zeros_like(at_start[..., :1])], axis=-1)
    years = np.add.reduceat(lived, starts, axis=-1)
    years[..., -1] += after_99
    rates: Floats = deaths / years
    return rates


def with_unknown_ages(deaths: Floats, unknown: Floats) -> Floats:
    """Deaths by group, with the deaths of unknown age distributed in proportion to the known ages.

    NaN where there are deaths of unknown age and none of a known one.
    """
    known = deaths.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.where(unknown > 0, 1 + np.where(known > 0, unknown / known, np.nan), 1.0)
    return deaths * factor[..., np.newaxis]


def life_expectancy(deaths: Floats, population: Floats, age: int) -> LifeExpectancy:
    """Life expectancy at an age that begins a group, by the abridged life table of Chiang (1984, method II).

    The variance is Chiang's, with that of the open group (Silcocks, Jenner and Reza, J Epidemiol Community Health
    2001;55:38-43). A group without deaths has rate 0. There is no life expectancy without deaths in the
    open group, nor with deaths in a group without inhabitants.
    """
    first = POPULATION_AGES.index(age)
    deaths, population, lived_by_dying = deaths[..., first:], population[..., first:], LIVED[first:]
    with np.errstate(divide="ignore", invalid="ignore"):
        rates = np.where(deaths > 0, deaths / population, 0.0)
        of_open, closed = rates[..., -1], rates[..., :-1]
        quotients = np.minimum(WIDTH * closed / (1 + (WIDTH - lived_by_dying) * closed), 1.0)
        survivors = np.cumprod(1 - quotients, axis=-1)
        reached = np.concatenate([np.ones_like(survivors[..., :1]), survivors], axis=-1)
        lived = WIDTH * reached[..., 1:] + lived_by_dying * (reached[..., :-1] - reached[..., 1:])
        lived_after = reached[..., -1] / of_open
        years = np.concatenate([lived, lived_after[..., np.newaxis]], axis=-1)
        after = np.flip(np.cumsum(np.flip(years, axis=-1), axis=-1), axis=-1)
        # Nobody may be left: then nothing follows.
        remaining = np.where(reached > 0, after / reached, 0.0)
        of_quotients = np.where(deaths[..., :-1] > 0, quotients**2 * (1 - quotients) / deaths[..., :-1], 0.0)
        weights = reached[..., :-1] ** 2 * (remaining[..., 1:] + WIDTH - lived_by_dying) ** 2
        of_last = lived_after**2 / deaths[..., -1]
        value = remaining[..., 0]
        half = Z_95 * np.sqrt((weights * of_quotients).sum(axis=-1) + of_last)
        uninhabited = ((deaths > 0) & (population <= 0)).any(axis=-1)
        known = np.isfinite(value) & np.isfinite(half) & ~uninhabited
        return LifeExpectancy(*(np.where(known, found, np.nan) for found in (value, value - half, value + half)))
