"""Maintenance policy of a table: thresholds of its operations, and retention of replaced versions."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

HOUR: Final = timedelta(hours=1)
# A running write has files in the table's folder that no commit names yet: VACUUM must never delete them.
MIN_RETENTION: Final = timedelta(days=1)


@dataclass(frozen=True)
class Policy:
    """Thresholds from which the maintenance of a table acts.

    `target_size` is the file size in bytes that OPTIMIZE aims at. A file smaller than half of it counts as small if
    its partition has another small file. OPTIMIZE runs from `small_files` small files on, or if their share of all
    files reaches `small_share`. VACUUM runs from `expired_files` on: by default from the first one, because erased rows
    must not exist longer than the retention. A checkpoint is written after `commits` commits.

    `retention` is how long a replaced version stays readable, `log_retention` how long its commit stays in the log.
    Both are whole hours, `log_retention` is at least `retention`, and both are at least `MIN_RETENTION`.
    Raises ValueError otherwise.
    """

    target_size: int = 32 * 1024 * 1024
    small_files: int = 16
    small_share: float = 0.5
    expired_files: int = 1
    commits: int = 20
    # Two months: `chu trace` and `chu rebuild` read the versions from which the figures of last month were made.
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
        """Size in bytes below which a file is small."""
        return self.target_size // 2


STANDARD: Final = Policy()
# Of the editions: no version is ever deleted.
KEPT: Final = Policy(retention=timedelta(days=36_500), log_retention=timedelta(days=36_500))
