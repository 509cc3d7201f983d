"""Counts that are released rounded down, and the groups that are too small or made by too few to be released.

A count is released as the multiple of 20 below it. So every sum of such counts is known within a range of at least 20,
and no relation between them needs a mask: what one row tells of another one is never less than 19 counts. A group is
released from 20 persons on. So a masked row does not say that it has at most ten.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from chu_platform.indicators.event_lists import Numbers
from chu_platform.sdc.primary_rules import FEWEST_CONTRIBUTORS, LARGEST_SHARE
from chu_platform.sdc.suppression_rules import SMALL_CELL

STEP: Final = 20
# A group of fewer persons is not released.
FEWEST_PERSONS: Final = STEP


def at_least(count: str) -> str:
    """SQL: the multiple of 20 at or below a whole number."""
    return f"CAST({count} - {count} % {STEP} AS BIGINT)"


def is_nearly_all(count: str, whole: str) -> str:
    """SQL: whether the rounded count tells that at most ten of a known whole are missing; false without a whole."""
    return f"coalesce({whole} - ({count} - {count} % {STEP}) <= {SMALL_CELL}, false)"


def are_few(contributors: Sequence[Numbers]) -> bool:
    """Whether the events of a group are of fewer than three of the contributors of a kind, or nearly all of one.

    Each of `contributors` are the numbers of those of a kind, one for each event.
    """
    for one_kind in contributors:
        events = np.unique(one_kind, return_counts=True)[1]
        if len(events) < FEWEST_CONTRIBUTORS or events.max() > LARGEST_SHARE * events.sum():
            return True
    return False
