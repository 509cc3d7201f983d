"""How often a table is expected to be updated, and from which age it is late."""

from datetime import timedelta
from enum import Enum


class Freshness(Enum):
    """Expected update frequency: a table gets a warning at the age `warn` and fails its freshness at the age `fail`."""

    NIGHTLY = (timedelta(hours=26), timedelta(hours=50))
    WEEKLY = (timedelta(days=8), timedelta(days=15))
    MONTHLY = (timedelta(days=40), timedelta(days=70))
    YEARLY = (timedelta(days=370), timedelta(days=400))

    @property
    def warn(self) -> timedelta:
        """Age from which the table gets a warning."""
        return self.value[0]

    @property
    def fail(self) -> timedelta:
        """Age from which the table fails its freshness."""
        return self.value[1]
