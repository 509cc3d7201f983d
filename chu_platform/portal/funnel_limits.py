"""Funnel plots: what share or ratio chance and ordinary differences between places allow, by how much was counted.

After Spiegelhalter (Statistics in Medicine 2005;24:1185-1202) and Spiegelhalter et al. (JRSS A 2012;175:1-47): values
are put on a scale where their variance depends on the size alone, z-scores are winsorised at their 10 % ends, and the
variance between places beyond chance is added to that of each place (random effects).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from math import asin, pi, sin, sqrt
from statistics import NormalDist, fmean
from typing import Final

LEVELS: Final = (0.95, 0.998)
# Of each level, the standard deviations within which a place lies with this probability.
DEVIATIONS: Final = {level: NormalDist().inv_cdf((1 + level) / 2) for level in LEVELS}
WINSORISED: Final = 0.1
# The mean square of a standard normal value whose 10 % ends are winsorised. Without this factor, chance alone would
# have a dispersion of 0.68, and one place in nine would lie beyond limits of 95 %.
MEAN_SQUARE: Final = 0.67866
# With fewer places their variance is not known.
MIN_PLACES: Final = 5


class Kind(Enum):
    """What is compared. The standard error on the scale of the variance is 1 / (2 √size) for both."""

    # A share of `size` answers or records.
    SHARE = "share"
    # Events for each expected one; `size` is the number of expected events.
    RATIO = "ratio"

    def scaled(self, value: float) -> float:
        """A value on the scale where its variance depends on its size alone."""
        return asin(sqrt(min(max(value, 0.0), 1.0))) if self is Kind.SHARE else sqrt(max(value, 0.0))

    def unscaled(self, scaled: float) -> float:
        """The value at a place of this scale; beyond its ends the end."""
        return sin(min(max(scaled, 0.0), pi / 2)) ** 2 if self is Kind.SHARE else max(scaled, 0.0) ** 2


@dataclass(frozen=True)
class Funnel:
    """The centre of a funnel and the variance between places, both on the scale of its kind.

    `dispersion` is the mean of the squared winsorised z-scores for each expected one: 1 where chance explains all.
    """

    kind: Kind
    centre: float
    between: float
    dispersion: float

    @property
    def middle(self) -> float:
        """The value in the middle."""
        return self.kind.unscaled(self.centre)

    def limits(self, size: float, level: float) -> tuple[float, float]:
        """Between which values a place of a size lies with a probability of `LEVELS` if nothing distinguishes it."""
        half = DEVIATIONS[level] * sqrt(self.between + 1 / (4 * size))
        return self.kind.unscaled(self.centre - half), self.kind.unscaled(self.centre + half)

    def distance(self, value: float, size: float) -> float:
        """How many standard deviations a value is from the centre."""
        return (self.kind.scaled(value) - self.centre) / sqrt(self.between + 1 / (4 * size))

    def beyond(self, value: float, size: float) -> int:
        """0 for a value within the limits of 95 %; 1 beyond them, 2 beyond those of 99.8 %, negative below."""
        z = self.distance(value, size)
        outside = sum(abs(z) > deviations for deviations in DEVIATIONS.values())
        return outside if z > 0 else -outside


def funnel_of(kind: Kind, places: Sequence[tuple[float, float]]) -> Funnel | None:
    """The funnel of places, given as (value, size) with sizes above 0; None for fewer than five.

    The centre is the value of all together: sizes are weights.
    """
    if len(places) < MIN_PLACES:
        return None
    whole = sum(size for _, size in places)
    centre = kind.scaled(sum(value * size for value, size in places) / whole)
    scores = sorted((kind.scaled(value) - centre) * 2 * sqrt(size) for value, size in places)
    cut = int(WINSORISED * len(scores))
    lowest, highest = scores[cut], scores[-1 - cut]
    dispersion = fmean(min(max(z, lowest), highest) ** 2 for z in scores) / MEAN_SQUARE
    weights = [4 * size for _, size in places]
    n, total = len(places), sum(weights)
    spare = total - sum(w * w for w in weights) / total
    between = max((n * dispersion - (n - 1)) / spare, 0.0) if spare > 0 else 0.0
    return Funnel(kind, centre, between, dispersion)
