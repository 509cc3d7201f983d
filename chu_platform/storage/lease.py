"""A lock across machines: a lease object in an object store, which its holder renews until it releases it.

Only conditional puts change a lease, so of several processes one gets it. It expires when its holder has not renewed it
for TTL seconds, by the clock of the store. Its number grows with each holder. Before a commit, the holder renews it by
a conditional put (`require_lease`), which fails if another process has taken it over. The commit itself is a
conditional put too: a holder that is stopped between the two and goes on after another one's commit fails there.
"""

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError
from obstore.store import S3Store

from chu_platform.errors import TransientError
from chu_platform.storage.file_lock import Locked

TTL: Final = 60.0
RETRY_SECONDS: Final = 0.2
_held: dict[str, "Lease"] = {}


class LeaseLost(TransientError):
    """The lease expired, and another process took it over."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the lock {name} was lost to another process: nothing more is committed; run again")


class Lease:
    """A held lease."""

    def __init__(self, store: S3Store, name: str, number: int, tag: str, errors: Callable[[], Any]) -> None:
        self._store, self._name, self.number, self._tag, self._errors = store, name, number, tag, errors
        self._guard = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew_periodically, name="lease", daemon=True)
        self._thread.start()

    def renew(self, holder: str | None) -> None:
        """Write the lease again, with its holder. Raises LeaseLost if another process took it over."""
        with self._guard, self._errors():
            try:
                self._tag = _put(self._store, self._name, self.number, holder, {"e_tag": self._tag})
            except (PreconditionError, FileNotFoundError):
                raise LeaseLost(self._name) from None

    def release(self) -> None:
        """End the renewal and give the lease free; a lost one is left to its new holder."""
        self._ended.set()
        self._thread.join()
        try:
            self.renew(None)
        except LeaseLost:
            return

    def _renew_periodically(self) -> None:
        while not self._ended.wait(TTL / 4):
            try:
                self.renew(_me())
            except LeaseLost:
                return  # the next commit finds it
            except Exception:  # noqa: S112 - the store may answer again before the lease expires
                continue


@contextmanager
def held(
    store: S3Store, name: str, wait_seconds: float, errors: Callable[[], AbstractContextManager[None]]
) -> Iterator[None]:
    """Hold the lease of this name. Raises Locked if another process holds it for `wait_seconds`."""
    deadline = time.monotonic() + wait_seconds
    while True:
        with errors():
            taken = _take(store, name)
        if taken is not None:
            break
        if time.monotonic() >= deadline:
            raise Locked
        time.sleep(RETRY_SECONDS)
    lease = _held[name] = Lease(store, name, *taken, errors)
    try:
        yield
    finally:
        del _held[name]
        lease.release()


def require_lease(name: str) -> None:
    """Raise LeaseLost unless this process still holds the lease, which is renewed."""
    _held[name].renew(_me())


def _take(store: S3Store, name: str) -> tuple[int, str] | None:
    """Number and tag of the lease, if it was free or expired; otherwise None."""
    try:
        found = obstore.get(store, name)
        text, tag, modified = json.loads(bytes(found.bytes())), found.meta["e_tag"], found.meta["last_modified"]
    except FileNotFoundError as error:
        if "NoSuchBucket" in str(error):
            raise
        text, tag, modified = None, None, None
    if text and modified and text["holder"] is not None and not _expired(store, name, modified):
        return None
    number = text["number"] + 1 if text else 1
    try:
        return number, _put(store, name, number, _me(), {"e_tag": tag} if tag else "create")
    except (AlreadyExistsError, PreconditionError):
        return None


def _expired(store: S3Store, name: str, modified: datetime) -> bool:
    """Whether a lease was last renewed more than TTL seconds ago, by the clock of the store."""
    probe = f"{name}.clock"
    obstore.put(store, probe, b"")
    return (obstore.head(store, probe)["last_modified"] - modified).total_seconds() > TTL


def _put(store: S3Store, name: str, number: int, holder: str | None, mode: Any) -> str:
    # A new text each time, because the tag of an object may be the hash of its content.
    text = json.dumps({"number": number, "holder": holder, "renewal": uuid4().hex})
    tag = obstore.put(store, name, text.encode(), mode=mode, use_multipart=False)["e_tag"]
    if tag is None:
        raise BaseError("no tag")
    return tag


def _me() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"
