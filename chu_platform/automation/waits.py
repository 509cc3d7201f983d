"""How long an automatic attempt waits after the one before it has failed."""

from typing import Final

# Seconds after the first, second ... failed attempt. They cover a restart, a night and a long weekend; then somebody
# has to act.
WAITS: Final = (60.0, 300.0, 1800.0, 7200.0, 21600.0, 86400.0, 86400.0, 86400.0)
MAX_ATTEMPTS: Final = len(WAITS) + 1
