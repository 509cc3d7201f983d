"""Signs of life of a long step: how long it has run, what it has written, how long the last time took.

Here: the line that is said every few seconds. Not here: what the step does.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

INTERVAL: Final = 10.0


@contextmanager
def signs_of_life(say: Callable[[str], None], name: str, staged: Path, last_time: float | None) -> Iterator[None]:
    """Say every ten seconds how far a step is; `last_time` is what it took before, in seconds, if it ever ran."""
    begun = time.monotonic()
    ended = threading.Event()

    def speak() -> None:
        written = 0
        while not ended.wait(INTERVAL):
            spent = time.monotonic() - begun
            with suppress(OSError):  # files come and go
                written = sum(f.stat().st_size for f in staged.rglob("*") if f.is_file())
            left = f", about {max(last_time - spent, 1):.0f} s left" if last_time else ""
            say(f"{name}: {spent:.0f} s, {written / 1e6:.0f} MB written{left}")

    speaker = threading.Thread(target=speak, daemon=True)
    speaker.start()
    try:
        yield
    finally:
        ended.set()
        speaker.join()
