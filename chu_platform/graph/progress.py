"""Periodic progress lines of a long step."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

import duckdb

from chu_platform.storage.lake import Write

INTERVAL_SECONDS: Final = 10.0
KILOBYTE: Final = 1e3
MEGABYTE: Final = 1e6


@dataclass
class StepProgress:
    """What a step has read and written.

    `last_seconds` is the duration of its last run, `last_size` gives the bytes that the table has; None if there is
    nothing to compare with. `engine_starts` says whether the step waits for the start of the SQL engine. `watch` names
    the file or table that is read now.
    """

    name: str
    write: Write
    last_seconds: float | None = None
    last_size: Callable[[], int] | None = None
    engine_starts: Callable[[], bool] = lambda: False
    _file: str = ""
    _size: int = 0
    _percentage: Callable[[], float] | None = None

    def watch(self, file: str, size: int, percentage: Callable[[], float]) -> None:
        """The step reads this file of `size` bytes now; `percentage` is how much of it the running query has read."""
        self._file, self._size, self._percentage = file, size, percentage

    def line(self, elapsed: float) -> str:
        """The progress line after `elapsed` seconds."""
        waits = "the engine is starting" if self.engine_starts() else ""
        parts = [f"{elapsed:.0f} s", waits, self._read(), self._written(), self._left(elapsed)]
        return f"{self.name}: {', '.join(filter(None, parts))}"

    def _read(self) -> str:
        if self._percentage is None:
            return ""
        read = -1.0
        with suppress(duckdb.Error):  # the connection is closed at the end of the step
            read = self._percentage()
        if not 0 <= read < 100:  # -1: a query without a known end
            return ""
        return f"{read:.0f} % of {_amount(self._size)} of {self._file} read by this query"

    def _written(self) -> str:
        written = 0
        with suppress(OSError):  # files may be deleted during the loop
            written = sum(f.stat().st_size for f in self.write.files)
        before = self.last_size() if self.last_size and written else 0
        share = f" ({100 * written / before:.0f} % of last time)" if before else ""
        return f"{_amount(written)} written{share}"

    def _left(self, elapsed: float) -> str:
        if self.last_seconds is None:
            return ""
        if elapsed < self.last_seconds:
            return f"about {self.last_seconds - elapsed:.0f} s left"
        return f"longer than usual, {self.last_seconds:.0f} s last time"


def _amount(size: int) -> str:
    """Bytes in words: in kB below a megabyte."""
    return f"{size / KILOBYTE:.0f} kB" if 0 < size < MEGABYTE else f"{size / MEGABYTE:.0f} MB"


@contextmanager
def report_progress(log_progress: Callable[[str], None], progress: StepProgress) -> Iterator[None]:
    """Log a progress line every 10 seconds."""
    begun = time.monotonic()
    ended = threading.Event()

    def log_periodically() -> None:
        while not ended.wait(INTERVAL_SECONDS):
            log_progress(progress.line(time.monotonic() - begun))

    thread = threading.Thread(target=log_periodically, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
