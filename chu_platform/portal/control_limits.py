"""Control charts of individual values (XmR): limits of what is usual, and what is a signal rather than noise.

Shewhart's chart in Wheeler's form (Understanding Variation, 1993): the limits are the mean plus and minus 2.66 times
the mean moving range, the mean difference between neighbouring months. 2.66 is 3 / 1.128, and 1.128 the expected range
of two normal values. All months are one phase: the limits are never computed anew from a month on.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby, pairwise
from statistics import fmean
from typing import Final

FACTOR: Final = 2.66
# Fewer months give no limits: each month of the year has to be there twice.
MIN_MONTHS: Final = 24
# Months without a figure between the first and the last one. Masked months are mostly low ones: without many of them,
# the limits would be too high.
MAX_SHARE_WITHOUT: Final = 0.1
RUN: Final = 8

Values = Sequence[float | None]


class Rule(StrEnum):
    """The rules by which months are a signal, in words."""

    BEYOND = "hors des limites"
    RUN = f"{RUN} mois de suite ou plus du même côté de la moyenne"
    NEAR = "2 mois sur 3 dans le dernier tiers avant la même limite, ou au-delà"


@dataclass(frozen=True)
class Limits:
    """The mean of the values and the limits around it; `low` is not below 0."""

    mean: float
    low: float
    high: float

    def third(self, above: bool) -> float:
        """Where the outer third towards a limit begins. The lower one counts from the limit before it is cut at 0."""
        distance = (self.high - self.mean) * 2 / 3
        return self.mean + distance if above else self.mean - distance


@dataclass(frozen=True)
class Signal:
    """Months that a rule marks, as numbers in the series, and whether they are above the mean."""

    rule: Rule
    months: Sequence[int]
    above: bool


def limits_of(values: Values) -> Limits | None:
    """The limits of a series of months, None for one without a figure; None if it has too few figures."""
    shown = [v for v in values if v is not None]
    if len(shown) < MIN_MONTHS or len(values) - len(shown) > MAX_SHARE_WITHOUT * len(values):
        return None
    mean = fmean(shown)
    # A month without a figure has no neighbours.
    half = FACTOR * fmean(abs(b - a) for a, b in pairwise(values) if a is not None and b is not None)
    return Limits(mean, max(mean - half, 0.0), mean + half)


def signals_of(values: Values, limits: Limits) -> Sequence[Signal]:
    """The signals of a series, those of each rule in order of time."""
    return [*_beyond(values, limits), *_runs(values, limits), *_near(values, limits)]


def _beyond(values: Values, limits: Limits) -> Iterator[Signal]:
    for month, value in enumerate(values):
        if value is not None and not limits.low <= value <= limits.high:
            yield Signal(Rule.BEYOND, [month], value > limits.high)


def _runs(values: Values, limits: Limits) -> Iterator[Signal]:
    """Runs on one side of the mean. A month without a figure, or on the mean, ends one."""

    def side(month: int) -> int:
        value = values[month]
        return 0 if value is None else (value > limits.mean) - (value < limits.mean)

    for which, run in groupby(range(len(values)), key=side):
        months = list(run)
        if which and len(months) >= RUN:
            yield Signal(Rule.RUN, months, which > 0)


def _near(values: Values, limits: Limits) -> Iterator[Signal]:
    """Months of the outer third of which two are among three neighbours; each such group of months is one signal."""
    for above in (True, False):
        start = limits.third(above)
        outer = [v is not None and (v >= start if above else v <= start) for v in values]
        found = [
            month
            for month, is_outer in enumerate(outer)
            if is_outer and any(outer[n] for n in (month - 2, month - 1, month + 1, month + 2) if 0 <= n < len(outer))
        ]
        group: list[int] = []
        for month in found:
            if group and month - group[-1] > 2:
                yield Signal(Rule.NEAR, group, above)
                group = []
            group.append(month)
        if group:
            yield Signal(Rule.NEAR, group, above)
