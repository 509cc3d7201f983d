"""The result of a step: commits, check results and, if the table is delivered, a summary of the delivery."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chu_platform.ingest.reading import Reading
from chu_platform.storage.commit import CommitResult
from chu_platform.storage.run_checks import CheckResult
from chu_platform.tables.table import Table


@dataclass(frozen=True)
class DeliverySummary:
    """Row counts of a delivery, over all partitions, the number of undeclared columns, and metadata of each file.

    `misunderstood` describes the columns with values that are not understood (`Misunderstood.metadata`).
    `left_out` are the name and the cause of each file that is not read.
    `lists` are the fingerprints of the lists of withdrawn rows that were applied.
    """

    rows_in: int
    kept: int
    rejected: int
    withdrawn: int
    lists: Sequence[str]
    undeclared: int
    misunderstood: Sequence[Mapping[str, Any]]
    deliveries: Sequence[Mapping[str, Any]]
    left_out: Sequence[Mapping[str, str]] = ()

    @staticmethod
    def of(reading: Reading) -> "DeliverySummary":
        """The summary of a reading."""
        return DeliverySummary(
            reading.rows_in,
            reading.kept,
            len(reading.rejects),
            reading.withdrawn,
            [applied.origin.fingerprint for applied in reading.lists],
            len(reading.undeclared),
            [m.metadata for m in reading.misunderstood],
            [d.metadata for d in reading.deliveries],
            [{"name": f.name, "why": f.why} for f in reading.left_out],
        )


@dataclass(frozen=True)
class StepResult:
    """Commits and check results of a step, for the table and, if it is delivered, for its rejects.

    `seconds` is the duration of the step. If the table was `up_to_date`, nothing was read, and the result is that of
    the last step. If it is `partial`, only the partitions were made that changed inputs touch. `waits` is the reason
    why the table was left as it was, although it is not up to date.
    """

    commits: Mapping[Table, CommitResult]
    check_results: Mapping[Table, Sequence[CheckResult]]
    seconds: float
    delivery: DeliverySummary | None = None
    up_to_date: bool = False
    partial: bool = False
    waits: str = ""
