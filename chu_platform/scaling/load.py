"""What other processes take of the machine while a cluster runs, whose own processes come and go."""

import os
import threading
from types import TracebackType
from typing import Final, Self

from chu_platform.layouts.machine import cpu_ticks, family, machine_ticks

SAMPLE_SECONDS: Final = 1.0
DIGITS: Final = 3


class Load:
    """Samples the CPU time of this process and its descendants; the time of one that has ended is its last sample.

    `others` is the share of the machine, from 0 to 1, that other processes took; None where the kernel does not count.
    """

    def __init__(self) -> None:
        self.others: float | None = None
        self._ended = threading.Event()
        self._first: dict[int, int] = {}
        self._last: dict[int, int] = {}
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        """Begin."""
        self._machine = _machine()
        self._sample()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End, and say what others took."""
        self._ended.set()
        self._thread.join()
        before, after = self._machine, _machine()
        if before and after and after[1] > before[1]:
            own = sum(self._last.values()) - sum(self._first.values())
            busy, total = after[0] - before[0], after[1] - before[1]
            self.others = round(min(1.0, max(0.0, (busy - own) / total)), DIGITS)

    def _run(self) -> None:
        while not self._ended.wait(SAMPLE_SECONDS):
            self._sample()

    def _sample(self) -> None:
        begins = not self._last
        for pid in family(os.getpid()):
            if (ticks := cpu_ticks(pid)) is not None:
                # A process that began meanwhile has taken all of its time since.
                self._first.setdefault(pid, ticks if begins else 0)
                self._last[pid] = ticks


def _machine() -> tuple[int, int] | None:
    """The busy time and the whole time of all cores, in ticks."""
    try:
        return machine_ticks()
    except (OSError, ValueError, IndexError):
        return None
