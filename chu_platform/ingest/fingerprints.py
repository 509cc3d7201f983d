"""Checksums of delivered files. All processes share the known ones, so that a file is read once for each algorithm.

They are in an SQLite database of the work folder, by path, with the state that the file had when it was read. A file
whose state is the same is not read again. The database can be deleted at any time: checksums are then computed again.
"""

import hashlib
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from chu_platform.errors import ChuError
from chu_platform.settings import load_settings

SHA256: Final = "sha256"
# A file that changes twice within the resolution of its file system's clock has the same state twice. So the checksum
# of a file that had changed less than this time before it was read is not stored.
QUIET_SECONDS: Final = 2
LOCK_SECONDS: Final = 5.0
TABLE: Final = """
    CREATE TABLE IF NOT EXISTS checksums (
        path TEXT, algorithm TEXT, size INTEGER, modified_ns INTEGER, changed_ns INTEGER, inode TEXT, checksum TEXT,
        PRIMARY KEY (path, algorithm)
    )
"""


class FileState(NamedTuple):
    """What changes when a file is written or replaced. Programs can set the modification time, not the change time."""

    size: int
    modified_ns: int
    changed_ns: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> "FileState":
        """The state in the answer of the system."""
        return cls(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


class UnreadableError(ChuError):
    """The system does not let us read a file."""


KnownChecksums = Mapping[tuple[str, str], tuple[FileState, str]]


def fingerprint(file: Path) -> str:
    """SHA-256 of the file, in hexadecimal: known, or computed. Raises ChuError when it cannot be read."""
    return checksum(file, SHA256)


def checksum(file: Path, algorithm: str) -> str:
    """Checksum of the file, in hexadecimal: known, or computed. Raises ChuError when it cannot be read."""
    path = str(file.absolute())
    try:
        state = FileState.of(file.stat())
        known_state, known = _known("WHERE path = ? AND algorithm = ?", path, algorithm).get(
            (path, algorithm), (None, "")
        )
        if known_state == state:
            return known
        is_quiet = state.changed_ns <= time.time_ns() - QUIET_SECONDS * 10**9
        if is_ahead(state):
            # The clock of the file server does not say whether the file is quiet. That its state stays the same does.
            time.sleep(QUIET_SECONDS)
            is_quiet = True
        with file.open("rb") as stream:
            found = hashlib.file_digest(stream, algorithm).hexdigest()
        is_unchanged = FileState.of(file.stat()) == state
    except OSError as error:
        raise unreadable(file, error) from None
    if is_quiet and is_unchanged:
        _remember(path, algorithm, state, found)
    return found


def is_ahead(state: FileState) -> bool:
    """Whether the file has changed in the future, because the clock of its file server is ahead of ours."""
    return state.changed_ns > time.time_ns()


def known_checksums() -> KnownChecksums:
    """All known checksums, by absolute path and algorithm, with the states of their files."""
    return _known("")


def forget_missing_files() -> None:
    """Delete the checksums of files that are gone."""
    gone = {path for path, _ in known_checksums() if not Path(path).exists()}
    with suppress(OSError, sqlite3.Error), _database() as database:
        database.executemany("DELETE FROM checksums WHERE path = ?", [(path,) for path in gone])


def unreadable(file: Path, error: OSError) -> UnreadableError:
    """The error to raise for a file that the system does not let us read."""
    return UnreadableError(f"{file} cannot be read: {error.strerror}; check its permissions")


def _store_file() -> Path:
    return load_settings().work_folder / "checksums.db"


@contextmanager
def _database() -> Iterator[sqlite3.Connection]:
    """The database in a transaction. Raises OSError or sqlite3.Error when it cannot be opened."""
    file = _store_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(file, timeout=LOCK_SECONDS)) as database, database:
        # What a power failure loses is computed again.
        database.execute("PRAGMA synchronous = OFF")
        database.execute(TABLE)
        yield database


def _known(condition: str, *values: str) -> KnownChecksums:
    """The known checksums of a condition; none when the database is damaged or cannot be read."""
    query = f"SELECT path, algorithm, size, modified_ns, changed_ns, inode, checksum FROM checksums {condition}"
    try:
        with _database() as database:
            rows = database.execute(query, values).fetchall()
        return {
            (path, algorithm): (FileState(size, modified, changed, int(inode)), found)
            for path, algorithm, size, modified, changed, inode, found in rows
        }
    except (OSError, sqlite3.Error, ValueError, TypeError):
        return {}


def _remember(path: str, algorithm: str, state: FileState, found: str) -> None:
    """Store a checksum. A damaged database is replaced. Nothing is stored where nothing can be written."""
    row = (path, algorithm, state.size, state.modified_ns, state.changed_ns, str(state.inode), found)
    for _ in range(2):
        try:
            with _database() as database:
                database.execute("INSERT OR REPLACE INTO checksums VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        except (OSError, sqlite3.OperationalError):
            return
        except sqlite3.DatabaseError:
            with suppress(OSError):
                _store_file().unlink()
        else:
            return
