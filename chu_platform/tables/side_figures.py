"""Figures about the data that are published beside the indicators, so coarse that they disclose no small count."""

from typing import Final

# As in the masks of the indicators.
LARGEST_SMALL_COUNT: Final = 10
# Published counts are multiples of this number: each stands for this many counts, beginning with the first large one.
STEP: Final = 20


def published_count(count: int) -> int | None:
    """A count as it is published: 0 is exact, 1 to 10 is None, others are a multiple of 20 (11 to 30 give 20)."""
    if 0 < count <= LARGEST_SMALL_COUNT:
        return None
    return STEP * ((count - LARGEST_SMALL_COUNT + STEP - 1) // STEP) if count else 0


def published_measure(measured: float) -> float | None:
    """What a check measured, as it is published: a number of rows as a count; None for a share that is not 0."""
    return published_count(int(abs(measured))) if float(measured).is_integer() else None
