"""Measured state of a Delta table, the input of its maintenance: files, small files, commits, expired files."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from deltalake import DeltaTable

from chu_platform.storage.delta_properties import has_properties
from chu_platform.storage.lake import Lake, active_files
from chu_platform.storage.operations import PartitionValues
from chu_platform.storage.store import LakePath
from chu_platform.tables.maintenance_policy import HOUR, Policy
from chu_platform.tables.table import Table

# Values for which the read of a filter is measured, in each column.
MAX_PROBES: Final = 200
LOG_FILE: Final = re.compile(r"(\d{20})\.(json|checkpoint\..*)")


@dataclass(frozen=True)
class TableState:
    """Counts and sizes (bytes) of a table on disk, measured with the thresholds of a policy.

    `files` and `size` are those of the current version. `small_files` is the number of small files in partitions with
    more than one of them. `commits` is the number of commits since the last checkpoint. `expired_files` is the number
    of files that no version within the retention names, `expired_log_files` the number of log files that no version
    needs. `has_properties`: the Delta properties of the table are the declared ones. `files_read` and `bytes_read` are
    the average read of a filter on one value of a Z-order column, by the bounds in the log; without Z-order, all files.
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
    files_read: float
    bytes_read: float

    @property
    def small_share(self) -> float:
        """Share of small files among all files, from 0 to 1."""
        return self.small_files / self.files if self.files else 0.0


def measure(lake: Lake, table: Table, policy: Policy) -> TableState:
    """Measure the table without changing it. Raises ChuError if the table does not exist yet."""
    delta = lake.require(table)
    files = active_files(delta)
    expired = _expired(lake.place_of(table), delta, policy)
    files_read, bytes_read = _filtered_read(files, table.layout.z_order_by)
    last_checkpoint, expired_log = _log(lake.place_of(table) / "_delta_log", policy.log_retention)
    return TableState(
        version=delta.version(),
        files=len(files),
        size=sum(f["size_bytes"] for f in files),
        small_files=sum(count for _, count in _small_by_partition(files, policy)),
        commits=delta.version() - last_checkpoint,
        expired_files=len(expired),
        expired_size=sum(expired),
        expired_log_files=expired_log,
        has_properties=has_properties(delta, table, policy),
        files_read=files_read,
        bytes_read=bytes_read,
    )


def _filtered_read(files: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> tuple[float, float]:
    """Files and bytes that a filter on one value of one of the columns reads, on average over columns and values.

    The values are the lower bounds of the files. A file without bounds is always read.
    """
    reads: list[tuple[int, int]] = []
    for column in columns:
        bounds = [((f.get("min") or {}).get(column), (f.get("max") or {}).get(column), f["size_bytes"]) for f in files]
        unbounded = [size for low, high, size in bounds if low is None or high is None]
        for value in [low for low, high, _ in bounds if low is not None and high is not None][:MAX_PROBES]:
            sizes = unbounded + [
                size for low, high, size in bounds if low is not None and high is not None and low <= value <= high
            ]
            reads.append((len(sizes), sum(sizes)))
    if not reads:
        return len(files), sum(f["size_bytes"] for f in files)
    return sum(n for n, _ in reads) / len(reads), sum(size for _, size in reads) / len(reads)


def fragmented(lake: Lake, table: Table, policy: Policy) -> Sequence[PartitionValues]:
    """The partitions with more than one small file."""
    return [partition for partition, _ in _small_by_partition(active_files(lake.require(table)), policy)]


def _small_by_partition(files: Sequence[Mapping[str, Any]], policy: Policy) -> list[tuple[PartitionValues, int]]:
    """The partitions with more than one small file, and their numbers of small files."""
    counts: dict[tuple[tuple[str, str | None], ...], int] = defaultdict(int)
    for file in files:
        if file["size_bytes"] < policy.small_size:
            partition = file.get("partition") or {}
            counts[tuple((k, None if v is None else str(v)) for k, v in partition.items())] += 1
    return [(dict(partition), count) for partition, count in counts.items() if count > 1]


def _log(folder: LakePath, log_retention: timedelta) -> tuple[int, int]:
    """Version of the last checkpoint (-1 if there is none), and number of log files that the clean-up may delete.

    To read a version, a reader needs the last checkpoint before it and all later commits. So log files before the
    newest checkpoint that is older than `log_retention` are not needed.
    """
    cutoff = (datetime.now() - log_retention).timestamp()
    found = [(int(m[1]), m[2], f) for f in folder.iterdir() if (m := LOG_FILE.fullmatch(f.name))]
    checkpoints = [(version, f) for version, kind, f in found if kind != "json"]
    old = [version for version, f in checkpoints if f.stat().st_mtime <= cutoff]
    needed_from = max(old, default=-1)
    last = max((version for version, _ in checkpoints), default=-1)
    return last, sum(version < needed_from for version, _, _ in found)


def _expired(path: LakePath, delta: DeltaTable, policy: Policy) -> list[int]:
    """Sizes of the files that VACUUM would delete."""
    sizes = []
    for file in delta.vacuum(policy.retention // HOUR, dry_run=True, enforce_retention_duration=False, full=True):
        # delta-rs also lists files that an earlier VACUUM deleted.
        with suppress(FileNotFoundError):
            sizes.append((path / file).stat().st_size)
    return sizes
