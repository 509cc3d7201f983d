"""Progress lines of the landing of a place: files, bytes, percentage, time left."""

import time
from collections.abc import Callable
from typing import Final

INTERVAL_SECONDS: Final = 5.0


class Progress:
    """Prints a line every few seconds. Bytes that were there before are not counted in the speed."""

    def __init__(self, place: str, files: int, size: int, log: Callable[[str], None]) -> None:
        self._place = place
        self._files = files
        self._size = size
        self._log = log
        self._begun = self._logged = time.monotonic()
        self._number = 0
        # Bytes of the files before this one, bytes of this file, bytes that came by this connection.
        self._before = self._here = self._came = 0
        self._path = ""
        self._path_size = 0

    def begin(self, path: str, size: int) -> None:
        """The next file begins."""
        self._before += self._path_size
        self._number += 1
        self._path, self._path_size, self._here = path, size, -1

    def reach(self, here: int) -> None:
        """The first `here` bytes of the file are here."""
        self._came += here - self._here if self._here >= 0 else 0
        self._here = here
        now = time.monotonic()
        if now - self._logged < INTERVAL_SECONDS:
            return
        self._logged = now
        done = self._before + here
        left = (self._size - done) * (now - self._begun) / max(self._came, 1)
        self._log(
            f"{self._place}: file {self._number} of {self._files}, {megabytes(done)} of {megabytes(self._size)} "
            f"({done / max(self._size, 1):.0%}), about {left:.0f} s left: {self._path}"
        )


def megabytes(size: int) -> str:
    """A size, for messages."""
    return f"{size / 1e6:,.1f} MB"
