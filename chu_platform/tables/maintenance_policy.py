"""When a table is maintained, and how long what was replaced stays readable.

Here: the thresholds and retentions of a declaration. Not here: measuring a table or acting on it (lake.maintenance).
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

HOUR: Final = timedelta(hours=1)
# Files lie in a table's folder before their commit names them: VACUUM must never reach those of a running write.
MIN_RETENTION: Final = timedelta(days=1)


@dataclass(frozen=True)
class Policy:
    """Past what the maintenance of a table acts.

    `target_size` is the size in bytes of a file that a rewrite aims at; a file below half of it is small, if its
    partition holds another small one. OPTIMIZE acts at `small_files` of them, or when they are `small_share` of all
    files. VACUUM acts at `expired_files`: by default at once, since erased rows shall not outlive the retention. A
    checkpoint is due after `commits`.

    `retention` is how long a replaced version stays readable, `log_retention` how long its commit stays in the
    log. Both are whole hours; the log keeps at least as long as the files, and neither goes below
    `MIN_RETENTION` (ValueError).
    """

    target_size: int = 32 * 1024 * 1024
    small_files: int = 16
    small_share: float = 0.5
    expired_files: int = 1
    commits: int = 20
    # A figure of last month is explained and made again from the versions of then: two months are within reach.
    retention: timedelta = timedelta(days=62)
    log_retention: timedelta = timedelta(days=400)

    def __post_init__(self) -> None:
        if self.retention < MIN_RETENTION:
            raise ValueError(f"a retention below {MIN_RETENTION.days} day would let VACUUM reach running writes")
        if self.log_retention < self.retention:
            raise ValueError("the log must be kept at least as long as the files of its versions")
        if self.retention % HOUR or self.log_retention % HOUR:
            raise ValueError("retentions are whole hours")

    @property
    def small_size(self) -> int:
        """Files below this many bytes are small."""
        return self.target_size // 2


STANDARD: Final = Policy()
