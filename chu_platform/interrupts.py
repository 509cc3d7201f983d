"""Interrupts: the signals SIGINT, SIGTERM and SIGHUP, by which a user or the system ends a process.

Python raises an exception in the main thread at such a signal. The exception may get lost: Dagster ignores a signal
between two runs and while a step waits for its turn; libraries in C change it to an error of their own, or return only
after minutes; an exception in a finalizer is ignored. So a thread watches for signals too. It repeats a signal that had
no effect, and ends the process if that does not help either.
"""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

SIGNALS: Final = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
# Exit status of a command after an interrupt.
INTERRUPTED: Final = 130
REPEAT_SECONDS: Final = 2.0
# After this time without an end, the process is ended. Together with LAST_WORDS_SECONDS less than 10 s.
PATIENCE_SECONDS: Final = 6.0
LAST_WORDS_SECONDS: Final = 2.0


class Interrupts:
    """Watches for signals while it is a context of the main thread. In another thread it does nothing.

    At the first signal, `begin` is called in a thread: it stops what does not see the signal. If the context has not
    ended PATIENCE_SECONDS later, `last_words` is called, and the process ends with the exit status `status`.
    """

    def __init__(self, begin: Callable[[], None], last_words: Callable[[], None], status: int) -> None:
        self._begin = begin
        self._last_words = last_words
        self._status = status
        self._noted = threading.Event()
        self._begun = threading.Event()
        self._ended = threading.Event()

    @property
    def received(self) -> bool:
        """Whether a signal was received, also if no other thread has run since."""
        return self._noted.is_set() or _has_signal(self._reader)

    def wait_until_begun(self) -> None:
        """Wait until `begin` has ended, for a limited time."""
        self._begun.wait(PATIENCE_SECONDS)

    def note(self) -> None:
        """Act as if a signal had been received now."""
        os.write(self._writer.fileno(), bytes([signal.SIGINT]))

    def __enter__(self) -> Self:
        # The system writes the number of each signal into this socket, whatever handler a library has set.
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        self._is_main = threading.current_thread() is threading.main_thread()
        if self._is_main:
            self._previous = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
            threading.Thread(target=self._watch, name="interrupts", daemon=True).start()
        return self

    def __exit__(
        self, type_: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.received:
            self._noted.set()
        if self._is_main:
            signal.set_wakeup_fd(self._previous)
        self._ended.set()
        # The watching thread reads the end of the socket, and closes the other one.
        self._writer.close()
        if not self._is_main:
            self._reader.close()

    def _watch(self) -> None:
        # The reader is open until the end: a later signal could not be written otherwise, and Python would print that.
        with self._reader:
            while not self._noted.is_set():
                if not self._reader.recv(1, socket.MSG_PEEK):
                    return
                if _has_signal(self._reader):
                    self._noted.set()
                self._reader.recv(1024)
            threading.Thread(target=self._run_begin, daemon=True).start()
            deadline = time.monotonic() + PATIENCE_SECONDS
            while not self._ended.wait(REPEAT_SECONDS):
                if time.monotonic() >= deadline:
                    self._end_process()
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    def _run_begin(self) -> None:
        try:
            self._begin()
        finally:
            self._begun.set()

    def _end_process(self) -> None:
        words = threading.Thread(target=self._last_words, daemon=True)
        words.start()
        words.join(LAST_WORDS_SECONDS)
        os._exit(self._status)


def _has_signal(reader: socket.socket) -> bool:
    """Whether the number of such a signal is waiting to be read."""
    try:
        return not SIGNALS.isdisjoint(reader.recv(1024, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except (BlockingIOError, OSError):
        return False
