"""A lock across machines: a lease object in an object store, which its holder renews until it releases it.

Only conditional puts change a lease, so of several processes one gets it. It expires when its holder has not renewed it
for TTL seconds, by the clock of the store. Its number grows with each holder. Before a commit, the holder renews it by
a conditional put (`Lease.require`), which fails if another process has taken it over. The commit itself is a
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
from chu_platform.storage.store_path import NO_BUCKET

TTL: Final = 60.0
RETRY_SECONDS: Final = 0.2


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

    def require(self) -> None:
        """Renew the lease. Raises LeaseLost if another process took it over."""
        self._write(_me())

    def _write(self, holder: str | None) -> None:
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
            self._write(None)
        except LeaseLost:
            return

    def _renew_periodically(self) -> None:
        while not self._ended.wait(TTL / 4):
            try:
                self._write(_me())
            except LeaseLost:
                return  # the next commit finds it
            except Exception:  # noqa: S112 - the store may answer again before the lease expires
                continue


@contextmanager
def held(
    store: S3Store, name: str, wait_seconds: float, errors: Callable[[], AbstractContextManager[None]]
) -> Iterator["Lease"]:
    """Hold the lease of this name. Raises Locked if another process holds it for `wait_seconds`."""
    begun = expiry_looked_at = time.monotonic()
    may_be_expired = True
    while True:
        with errors():
            taken = _take(store, name, may_be_expired)
        if taken is not None:
            break
        now = time.monotonic()
        if now >= begun + wait_seconds:
            raise Locked
        may_be_expired = now >= expiry_looked_at + TTL / 4
        if may_be_expired:
            expiry_looked_at = now
        time.sleep(RETRY_SECONDS)
    lease = Lease(store, name, *taken, errors)
    try:
        yield lease
    finally:
        lease.release()


def _take(store: S3Store, name: str, may_be_expired: bool) -> tuple[int, str] | None:
    """Number and tag of the lease, if it was free, or expired and `may_be_expired`; otherwise None."""
    try:
        found = obstore.get(store, name)
        text, tag, modified = json.loads(bytes(found.bytes())), found.meta["e_tag"], found.meta["last_modified"]
    except FileNotFoundError as error:
        if NO_BUCKET.search(str(error)):
            raise
        text, tag, modified = None, None, None
    is_held = text is not None and text["holder"] is not None
    if is_held and not (may_be_expired and modified and _expired(store, name, modified)):
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
