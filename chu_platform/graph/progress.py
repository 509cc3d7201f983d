"""Periodic progress lines of a long step."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from chu_platform.storage.lake import Write

INTERVAL_SECONDS: Final = 10.0


@contextmanager
def report_progress(
    log_progress: Callable[[str], None], name: str, write: Write, last_duration: float | None
) -> Iterator[None]:
    """Log elapsed time, bytes written and the estimated remaining time every 10 seconds.

    `last_duration` is the duration in seconds of the last run of the step; None if it never ran.
    """
    begun = time.monotonic()
    ended = threading.Event()

    def log_periodically() -> None:
        written = 0
        while not ended.wait(INTERVAL_SECONDS):
            elapsed = time.monotonic() - begun
            with suppress(OSError):  # files may be deleted during the loop
                written = sum(f.stat().st_size for f in write.files)
            left = f", about {max(last_duration - elapsed, 1):.0f} s left" if last_duration else ""
            log_progress(f"{name}: {elapsed:.0f} s, {written / 1e6:.0f} MB written{left}")

    thread = threading.Thread(target=log_periodically, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
