"""Whether a PostgreSQL server still answers, while a call of its driver waits."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg2

from chu_platform.watchdog import REQUESTS_PER_TIMEOUT

# libpq takes no shorter timeout.
MIN_TIMEOUT_SECONDS = 2


def server_answers(address: str, seconds: float) -> bool:
    """Whether the server answers to a new connection within `seconds`, also if it refuses it.

    `address` is a URL or a connection string of libpq. A server that is stopped (SIGSTOP, a paused container) or gone
    does not answer.
    """
    try:
        psycopg2.connect(address, connect_timeout=max(round(seconds), MIN_TIMEOUT_SECONDS)).close()
    except psycopg2.Error as error:
        return re.search("FATAL|ERROR", str(error)) is not None
    return True


@dataclass(eq=False)
class _Call:
    """A call that waits: how to end it, and when it began or the server answered last."""

    give_up: Callable[[], None]
    answered: float


class ServerWatch:
    """A watchdog for many short calls of one server: a thread that looks at them from time to time.

    Like `watchdog.watched`, which starts a thread for each call.
    """

    def __init__(self, timeout_seconds: float) -> None:
        self._timeout = timeout_seconds
        self._lock = threading.Lock()
        self._calls: set[_Call] = set()
        self._thread: threading.Thread | None = None

    @contextmanager
    def watched(self, address: str, give_up: Callable[[], None]) -> Iterator[None]:
        """Call `give_up` when the server at `address` has not answered for the timeout while the block runs."""
        call = _Call(give_up, time.monotonic())
        with self._lock:
            self._calls.add(call)
            if self._thread is None or not self._thread.is_alive():  # a forked process has no thread
                self._thread = threading.Thread(target=self._watch, args=(address,), daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                self._calls.discard(call)

    def _watch(self, address: str) -> None:
        """Watch the calls, until there is none."""
        interval = self._timeout / REQUESTS_PER_TIMEOUT
        while True:
            time.sleep(interval)
            with self._lock:
                if not self._calls:
                    self._thread = None
                    return
                waiting = [c for c in self._calls if time.monotonic() - c.answered >= interval]
            if waiting:
                self._ask(address, interval, waiting)

    def _ask(self, address: str, interval: float, waiting: list[_Call]) -> None:
        answers, now = server_answers(address, interval), time.monotonic()
        with self._lock:
            for call in self._calls.intersection(waiting):
                if answers:
                    call.answered = now
                elif now - call.answered >= self._timeout:
                    call.give_up()
