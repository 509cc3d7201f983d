"""How often a table is expected to be made anew.

Here: the cadences and when a table is late. Not here: what makes it (automation).
"""

from datetime import timedelta
from enum import Enum


class Freshness(Enum):
    """How often a table is made: it is remarked as late after `warn`, and fails its freshness after `fail`."""

    NIGHTLY = (timedelta(hours=26), timedelta(hours=50))
    WEEKLY = (timedelta(days=8), timedelta(days=15))
    YEARLY = (timedelta(days=370), timedelta(days=400))

    @property
    def warn(self) -> timedelta:
        """Age at which the table is remarked."""
        return self.value[0]

    @property
    def fail(self) -> timedelta:
        """Age at which the table is stale."""
        return self.value[1]
