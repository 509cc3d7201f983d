"""How a measure grows with the volume, from two measured scales. A projection is no measurement."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Growth:
    """A measure at two scales, and how it goes on."""

    first: tuple[float, float]
    last: tuple[float, float]

    @property
    def exponent(self) -> float:
        """The exponent of the power of the scale through both points."""
        (x, y), (x_last, y_last) = self.first, self.last
        return math.log(y_last / y) / math.log(x_last / x)

    @property
    def slope(self) -> float:
        """The slope of the straight line through both points."""
        (x, y), (x_last, y_last) = self.first, self.last
        return (y_last - y) / (x_last - x)

    def at(self, scale: float) -> float:
        """The projection: the larger of line and power, never less than the last value."""
        x, y = self.last
        return max(y, y + self.slope * (scale - x), y * math.pow(scale / x, self.exponent))

    def reaches(self, limit: float) -> float:
        """The scale at which the projection is as large as this limit; infinite without growth."""
        x, y = self.last
        if self.slope <= 0:
            return math.inf
        # A power with a tiny exponent reaches no limit that a number could hold: compare logarithms.
        by_power = math.log(x) + math.log(limit / y) / self.exponent
        by_line = math.log(max(x, x + (limit - y) / self.slope))
        return max(x, math.exp(min(by_power, by_line)))
