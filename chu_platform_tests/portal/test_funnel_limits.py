"""Limits of funnel plots, against another implementation, and how many places chance puts beyond them."""

import numpy as np
import pytest
from scipy.stats import mstats, norm

from chu_platform.portal.funnel_limits import LEVELS, MIN_PLACES, Kind, funnel_of

pytestmark = pytest.mark.unit


def drawn(kind: Kind, between: float, seed: int, places: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Values and sizes of places whose true values differ by `between` on the scale of the variance."""
    draw = np.random.default_rng(seed)
    sizes = np.round(draw.lognormal(5.0, 0.8, places)) + 30
    if kind is Kind.SHARE:
        truth = np.sin(np.clip(np.arcsin(np.sqrt(0.55)) + draw.normal(0, between, places), 0, np.pi / 2)) ** 2
        return draw.binomial(sizes.astype(int), truth) / sizes, sizes
    truth = np.clip(1 + draw.normal(0, between, places), 0, None) ** 2
    return draw.poisson(sizes * truth) / sizes, sizes


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("between", [0.0, 0.05])
def test_the_funnel_equals_another_implementation(kind: Kind, between: float) -> None:
    values, sizes = drawn(kind, between, 3)
    found = funnel_of(kind, list(zip(values.tolist(), sizes.tolist(), strict=True)))
    assert found
    scaled = np.arcsin(np.sqrt(values)) if kind is Kind.SHARE else np.sqrt(values)
    whole = np.average(values, weights=sizes)
    centre = float(np.arcsin(np.sqrt(whole)) if kind is Kind.SHARE else np.sqrt(whole))
    errors = 0.5 / np.sqrt(sizes)
    scores = np.asarray(mstats.winsorize((scaled - centre) / errors, limits=(0.1, 0.1)))
    standard = mstats.winsorize(norm.ppf((np.arange(200_000) + 0.5) / 200_000), limits=(0.1, 0.1))
    dispersion = float(np.mean(scores**2) / np.mean(np.asarray(standard) ** 2))
    weights = errors**-2
    spare = weights.sum() - (weights**2).sum() / weights.sum()
    variance = max((len(values) * dispersion - (len(values) - 1)) / spare, 0.0)
    assert (found.centre, found.dispersion) == pytest.approx((centre, dispersion), rel=1e-4)
    assert found.between == pytest.approx(variance, rel=1e-3)
    assert found.middle == pytest.approx(whole)
    for level in LEVELS:
        for size in (30.0, 1_000.0):
            half = norm.ppf((1 + level) / 2) * np.sqrt(variance + 0.25 / size)
            ends = centre - half, centre + half
            expected = [np.sin(e) ** 2 if kind is Kind.SHARE else e**2 for e in ends]
            assert found.limits(size, level) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("between", [0.0, 0.05])
def test_so_many_places_are_beyond_the_limits_as_they_say(kind: Kind, between: float) -> None:
    outside, far, places = 0, 0, 0
    for seed in range(30):
        values, sizes = drawn(kind, between, seed)
        pairs = list(zip(values.tolist(), sizes.tolist(), strict=True))
        funnel = funnel_of(kind, pairs)
        assert funnel
        sides = [abs(funnel.beyond(*pair)) for pair in pairs]
        outside += sum(side > 0 for side in sides)
        far += sum(side == len(LEVELS) for side in sides)
        places += len(pairs)
    assert 0.035 < outside / places < 0.065
    assert 0.0005 < far / places < 0.005


def test_a_place_stands_beyond_a_limit_as_the_limits_are_drawn() -> None:
    values, sizes = drawn(Kind.SHARE, 0.05, 5)
    pairs = list(zip(values.tolist(), sizes.tolist(), strict=True))
    funnel = funnel_of(Kind.SHARE, pairs)
    assert funnel
    for value, size in pairs:
        within = [low <= value <= high for low, high in (funnel.limits(size, level) for level in LEVELS)]
        assert abs(funnel.beyond(value, size)) == sum(not one for one in within)
        assert (funnel.beyond(value, size) > 0) == (not within[0] and value > funnel.middle)


def test_limits_of_a_share_stay_between_0_and_100_per_cent() -> None:
    funnel = funnel_of(Kind.SHARE, [(0.99, 40.0), (1.0, 35.0), (0.97, 60.0), (1.0, 31.0), (0.98, 90.0)])
    assert funnel and funnel.limits(31, 0.998)[1] == 1.0 and funnel.beyond(1.0, 31.0) == 0


def test_few_places_have_no_funnel() -> None:
    assert funnel_of(Kind.SHARE, [(0.5, 100.0)] * (MIN_PLACES - 1)) is None
