"""The state of a Delta table that maintenance looks at: files, small files, commits, log, what may be deleted.

Here: measuring. Not here: what follows from it (maintenance).
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from deltalake import DeltaTable

from chu_platform.storage.delta_properties import table_properties
from chu_platform.storage.lake import Lake, active_files
from chu_platform.storage.operations import Partition
from chu_platform.tables.maintenance_policy import HOUR, Policy
from chu_platform.tables.table import Table

LOG_FILE: Final = re.compile(r"(\d{20})\.(json|checkpoint\..*)")


@dataclass(frozen=True)
class State:
    """A table as it lies on disk, measured by a policy; sizes in bytes.

    `files` and `size` are of the current version. `small_files` are those that lie with another small one in a
    partition. `commits` are those since the last checkpoint. `expired_files` are files in the folder that no version
    within the retention names, `expired_log_files` those of the log that none needs. `has_properties` tells
    whether the table's properties are the declared ones.
    """

    version: int
    files: int
    size: int
    small_files: int
    commits: int
    expired_files: int
    expired_size: int
    expired_log_files: int
    has_properties: bool

    @property
    def small_share(self) -> float:
        """Share of the small files among all files, 0 to 1."""
        return self.small_files / self.files if self.files else 0.0


def measure(lake: Lake, table: Table, policy: Policy) -> State:
    """Measure the table, changing nothing. Raises ChuError when it was never written."""
    delta = lake.require(table)
    files = active_files(delta)
    expired = _expired(lake.path(table), delta, policy)
    last_checkpoint, expired_log = _log(lake.path(table) / "_delta_log", policy.log_retention)
    configuration = delta.metadata().configuration
    return State(
        version=delta.version(),
        files=len(files),
        size=sum(f["size_bytes"] for f in files),
        small_files=sum(count for _, count in _small_by_partition(files, policy)),
        commits=delta.version() - last_checkpoint,
        expired_files=len(expired),
        expired_size=sum(expired),
        expired_log_files=expired_log,
        has_properties=all(configuration.get(name) == value for name, value in table_properties(table, policy).items()),
    )


def fragmented(lake: Lake, table: Table, policy: Policy) -> Sequence[Partition]:
    """The partitions with more than one small file."""
    return [partition for partition, _ in _small_by_partition(active_files(lake.require(table)), policy)]


def _small_by_partition(files: Sequence[Mapping[str, Any]], policy: Policy) -> list[tuple[Partition, int]]:
    """The partitions with more than one small file, and the number of these."""
    counts: dict[tuple[tuple[str, str | None], ...], int] = defaultdict(int)
    for file in files:
        if file["size_bytes"] < policy.small_size:
            partition = file.get("partition") or {}
            counts[tuple((k, None if v is None else str(v)) for k, v in partition.items())] += 1
    return [(dict(partition), count) for partition, count in counts.items() if count > 1]


def _log(folder: Path, retention: timedelta) -> tuple[int, int]:
    """Version of the last checkpoint (-1: none), number of files that clean-up may delete.

    A version within the retention needs the commits from the last checkpoint before it on: what lies before the
    newest checkpoint that is older than the retention is needed by none.
    """
    cutoff = (datetime.now() - retention).timestamp()
    found = [(int(m[1]), m[2], f) for f in folder.iterdir() if (m := LOG_FILE.fullmatch(f.name))]
    checkpoints = [(version, f) for version, kind, f in found if kind != "json"]
    old = [version for version, f in checkpoints if f.stat().st_mtime <= cutoff]
    needed_from = max(old, default=-1)
    last = max((version for version, _ in checkpoints), default=-1)
    return last, sum(version < needed_from for version, _, _ in found)


def _expired(path: Path, delta: DeltaTable, policy: Policy) -> list[int]:
    """Sizes of the files that VACUUM would delete."""
    sizes = []
    for file in delta.vacuum(policy.retention // HOUR, dry_run=True, enforce_retention_duration=False, full=True):
        # delta-rs also names those that an earlier VACUUM deleted.
        with suppress(FileNotFoundError):
            sizes.append((path / file).stat().st_size)
    return sizes
