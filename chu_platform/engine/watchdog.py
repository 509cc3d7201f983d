"""Watching an engine at work: one that answers nothing for long is ended, so that its caller can start another.

An engine says nothing of how far a query is, so a second connection asks it a question that costs nothing, again
and again; a busy engine answers it, a stuck one does not.

Here: asking, and how long to wait. Not here: ending and starting engines (engine).
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

# Questions for each time of patience: the last answer is never much older than the engine's silence.
QUESTIONS: Final = 4


@contextmanager
def watched(ask: Callable[[float], bool], give_up: Callable[[], None], patience: float) -> Iterator[None]:
    """Call `give_up`, once, when `ask` has not been true for `patience` seconds.

    `ask` is given the seconds after which it must return; it runs beside the caller, in a thread of its own.
    """
    ended = threading.Event()

    def watch() -> None:
        interval = patience / QUESTIONS
        answered = time.monotonic()
        while not ended.wait(interval):
            if ask(interval):
                answered = time.monotonic()
            elif time.monotonic() - answered >= patience:
                give_up()
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join(patience)
