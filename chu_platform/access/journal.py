"""The access journal: who was shown which exact figures, for which purpose.

The entries are lines of `CHU_SECRETS/journal/access.jsonl`, whose key lies beside it. Maintenance moves them to the
Delta table `restricted/governance/access` (module `archive`); `verification` checks both together. Several processes
may write at the same time: they hold a lock, and entry and seal are on the disk before the lock is released.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from chu_platform.access.entries import Answer, Entry
from chu_platform.access.seal import ONLY_THIS_USER, JournalError, Seal, create_key, read_key, read_seal, write_seal
from chu_platform.errors import reason_of
from chu_platform.storage.durable import flush
from chu_platform.storage.file_lock import Locked, file_lock

FILE: Final = "access.jsonl"
KEY: Final = "journal.key"
LOCK: Final = "journal.lock"
SEAL: Final = "journal.json"
# Longer than maintenance holds the lock.
LOCK_SECONDS: Final = 30.0


def _now() -> datetime:
    return datetime.now(UTC)


class Journal:
    """The journal below a folder of secrets. `now` gives the time of new entries."""

    def __init__(self, secrets: Path, now: Callable[[], datetime] = _now) -> None:
        self._folder = secrets / "journal"
        self._now = now
        # Threads of one process wait here, without asking again and again for the lock between processes.
        self._threads = threading.Lock()
        self.file = self._folder / FILE
        self.key_file = self._folder / KEY
        self.seal_file = secrets / "seals" / SEAL

    def append(self, answer: Answer) -> Entry:
        """Write an entry to the disk. Raises JournalError if that is not possible: then no figure may be shown."""
        with self.changing() as key:
            seal = self.seal(key)
            last = self._last_entry(key)
            if last is not None and last.sequence > seal.last:
                # A process was killed before it could renew the seal.
                seal = replace(seal, last=last.sequence, last_hash=last.hash)
            entry = Entry.sealed(key, seal.last + 1, self._now(), answer, seal.last_hash)
            with open(os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, ONLY_THIS_USER), "ab", 0) as stream:
                stream.write(entry.line + b"\n")
                os.fsync(stream.fileno())
            write_seal(self.seal_file, key, replace(seal, last=entry.sequence, last_hash=entry.hash))
        return entry

    @contextmanager
    def changing(self) -> Iterator[bytes]:
        """Hold the lock of the journal; gives its key, which is created with a new journal.

        Raises JournalError if the journal cannot be written.
        """
        try:
            for folder in (self._folder, self.seal_file.parent):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with self._only_thread(), file_lock(self._folder / LOCK, LOCK_SECONDS):
                yield self._key_or_new()
        except Locked:
            raise JournalError("the access journal is in use by another process: try again") from None
        except OSError as error:
            raise JournalError(f"the access journal {self.file} cannot be written: {reason_of(error)}") from None

    @contextmanager
    def _only_thread(self) -> Iterator[None]:
        if not self._threads.acquire(timeout=LOCK_SECONDS):
            raise Locked
        try:
            yield
        finally:
            self._threads.release()

    def seal(self, key: bytes) -> Seal:
        """The seal. Raises JournalError if it is missing or was changed."""
        found = read_seal(self.seal_file, key)
        if found is None:
            raise JournalError(
                f"the seal of the access journal {self.seal_file} is missing: restore it from the backup; `chu journal "
                "verify` says how far the journal reaches"
            )
        return found

    def head(self) -> str | None:
        """Number and hash of the last entry, to be kept elsewhere (`verification.Head`); None without a journal.

        Raises JournalError if the seal cannot be read.
        """
        if not self.seal_file.exists():
            return None
        with self.changing() as key:
            seal = self.seal(key)
        return f"{seal.last}:{seal.last_hash}"

    def lines(self) -> list[bytes]:
        """The lines of the file, without an unfinished last one; none without a file. Raises OSError."""
        try:
            return self.file.read_bytes().split(b"\n")[:-1]
        except FileNotFoundError:
            return []

    def keep_only(self, lines: list[bytes]) -> None:
        """Replace the file by one with these lines. The caller holds the lock. Raises OSError."""
        temporary = self.file.with_suffix(".new")
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, ONLY_THIS_USER), "wb") as stream:
            stream.writelines(line + b"\n" for line in lines)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(self.file)
        flush(self._folder, [self.file.name])

    def _key_or_new(self) -> bytes:
        """The key; with a new journal, a new key and the first seal. Raises JournalError if only the key is missing."""
        key = read_key(self.key_file)
        if key is None:
            if self.file.exists() or self.seal_file.exists():
                raise JournalError(
                    f"the key of the access journal {self.key_file} is missing: restore it from the backup"
                )
            key = create_key(self.key_file)
            write_seal(self.seal_file, key, Seal())
        return key

    def _last_entry(self, key: bytes) -> Entry | None:
        """The last entry of the file that was written with the key. An unfinished line behind it is cut off.

        A process was killed while it wrote that line, and has shown no figure.
        """
        if not self.file.exists():
            return None
        with self.file.open("rb+") as stream:
            content = _tail(stream.fileno())
            whole, newline, unfinished = content.rpartition(b"\n")
            if unfinished:
                stream.truncate(stream.seek(0, os.SEEK_END) - len(unfinished))
            last = Entry.of_line(whole.rpartition(b"\n")[2]) if newline else None
        return last if last is not None and last.is_authentic(key) else None


def _tail(descriptor: int) -> bytes:
    """The end of a file: more than its last two lines. Raises OSError."""
    size = os.fstat(descriptor).st_size
    length = min(size, 1 << 16)
    return os.pread(descriptor, length, size - length)
