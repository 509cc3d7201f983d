"""Counts that take longer than a reader waits: they go on, and the reader comes back for the answer."""

import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass, field
from typing import Any, Final

# Seconds after which a page says that the answer is being made.
PATIENCE: Final = 0.8
# Answers that nobody came back for.
MAX_KEPT: Final = 16
WORKERS: Final = 2


@dataclass
class Progress:
    """How far a count is: `percent` gives it, from 0 to 100; None while it is not known."""

    percent: Callable[[], float] | None = None
    begun: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self.begun


@dataclass(frozen=True)
class Unfinished:
    """An answer that is being made: its part in percent, if it is known, and the seconds that it has taken."""

    percent: int | None
    seconds: int


class Jobs:
    """Answers by key: one that is being made is not begun again, and is given to who asks for the same key, once."""

    def __init__(self, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._pool = ThreadPoolExecutor(WORKERS, "explorer")
        self._jobs: dict[Hashable, tuple[Future[Any], Progress]] = {}
        self._lock = threading.Lock()

    def answer(self, key: Hashable, make: Callable[[Progress], Any], wait: bool = False) -> Any:
        """What `make` gives, or raises; Unfinished if that takes longer than the patience. `wait`: until it is made."""
        with self._lock:
            if key not in self._jobs:
                progress = Progress()
                self._jobs[key] = (self._pool.submit(make, progress), progress)
                self._drop()
            future, progress = self._jobs[key]
        try:
            found = future.result(None if wait else self._patience)
        except NotYet:
            if future.done():
                raise
            percent = progress.percent() if progress.percent else -1.0
            return Unfinished(round(percent) if percent >= 0 else None, round(progress.seconds))
        finally:
            if future.done():
                with self._lock:
                    self._jobs.pop(key, None)
        return found

    def _drop(self) -> None:
        """Forget the oldest answers that are made and that nobody came back for."""
        made = [key for key, (future, _) in self._jobs.items() if future.done()]
        for key in made[: max(0, len(self._jobs) - MAX_KEPT)]:
            del self._jobs[key]
