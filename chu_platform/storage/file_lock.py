"""Locks of the lake between processes of one machine, and the error of a lock that another holds."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

# Seconds between two attempts: some hold a lock for a write to the disk, others for minutes.
FIRST_PAUSE: Final = 0.002
LONGEST_PAUSE: Final = 0.1


class Locked(Exception):
    """Another process holds the lock."""


@contextmanager
def file_lock(file: Path, wait_seconds: float) -> Iterator[None]:
    """Hold the lock of a file, which is created. The kernel releases it when the process ends.

    Raises Locked if another process holds it for `wait_seconds`.
    """
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with file.open("w") as stream:
        deadline, pause = time.monotonic() + wait_seconds, FIRST_PAUSE
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise Locked from None
                time.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
        yield
