"""One writer of a table at a time, among the processes of this machine.

Delta's own check is not enough: a replacement of slices computed from the version of before an OPTIMIZE would remove
files that are gone already, and leave the rewritten rows beside the new ones.

Here: the lock. Not here: Dagster's pools, which order the steps of runs, and who takes the lock.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from chu_platform.errors import ChuError
from chu_platform.lake.lake import Lake
from chu_platform.tables.table import Table


class BeingWritten(ChuError):
    """Another process holds the table."""

    def __init__(self, table: Table) -> None:
        super().__init__(f"{table.folder} is being written by another process: try again when that has ended")


@contextmanager
def writing(lake: Lake, table: Table, wait: bool) -> Iterator[None]:
    """Hold the table; the kernel frees it with the process, whatever ends it.

    With `wait`, waits for whoever holds it; without, raises BeingWritten. What is locked is the table's folder itself.
    """
    lake.path(table).mkdir(parents=True, exist_ok=True)
    folder = os.open(lake.path(table), os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise BeingWritten(table) from None
        yield
    finally:
        os.close(folder)
