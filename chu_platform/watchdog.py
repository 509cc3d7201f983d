"""A watchdog for a running engine or database: the caller stops waiting for one that does not answer.

Neither reports the progress of a query. A second connection therefore sends cheap requests repeatedly. A busy server
answers them, a hung one does not.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

# Requests per timeout: a higher number measures the time without an answer more precisely.
REQUESTS_PER_TIMEOUT: Final = 4
JOIN_SECONDS: Final = 1.0


@contextmanager
def watched(answers: Callable[[float], bool], give_up: Callable[[], None], timeout_seconds: float) -> Iterator[None]:
    """Call `give_up`, once, when `answers` has not been true for `timeout_seconds`.

    `answers` is called in a separate thread; its argument is the number of seconds after which it must return.
    """
    ended = threading.Event()

    def watch() -> None:
        interval = timeout_seconds / REQUESTS_PER_TIMEOUT
        last_answer = time.monotonic()
        while not ended.wait(interval):
            if answers(interval):
                last_answer = time.monotonic()
            elif time.monotonic() - last_answer >= timeout_seconds:
                if not ended.is_set():
                    give_up()
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        # A request to a hung server takes longer, and does no harm.
        watcher.join(JOIN_SECONDS)
