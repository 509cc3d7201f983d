"""Errors whose message is meant for the user, and a log of all other errors.

Messages of libraries may contain values of rows. So neither the user nor the log sees them as they are: known causes
are told in words of the platform, and the log keeps the technical words of the messages.
"""

import errno
import os
import re
import traceback
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

from chu_platform.technical_words import TECHNICAL_WORDS

FREE_SPACE: Final = "free space there or choose a larger disk, then run again; nothing half-written is visible"
RIGHTS: Final = "let the user of this process read and write it (chown, chmod), or choose another folder"
STORAGE: Final = "Dagster's storage (CHU_HOME/dagster)"
# Errors of the system, by number: the cause, where {} is the file, and the remedy.
SYSTEM: Final = {
    errno.ENOSPC: ("the disk is full{}", FREE_SPACE),
    errno.EDQUOT: ("the quota of this user is used up{}", FREE_SPACE),
    errno.EACCES: ("the rights are missing{}", RIGHTS),
    errno.EPERM: ("the rights are missing{}", RIGHTS),
    errno.EROFS: ("the disk can only be read{}", "mount it for writing, or choose another folder"),
    errno.EMFILE: ("this process has too many open files{}", "raise the limit (ulimit -n), then run again"),
    errno.EIO: ("the disk has an error{}", "look into the log of the system (dmesg), and replace the disk"),
}
# Messages of libraries that stand for an error of the system.
AS_SYSTEM: Final = (
    (re.compile(r"no space left on device|os error 28|max_temp_directory_size", re.IGNORECASE), errno.ENOSPC),
    (re.compile(r"disk quota exceeded|os error 122", re.IGNORECASE), errno.EDQUOT),
    (re.compile(r"permission denied|os error 13\b", re.IGNORECASE), errno.EACCES),
    (re.compile(r"read-only file system|os error 30", re.IGNORECASE), errno.EROFS),
    (re.compile(r"too many open files|os error 24", re.IGNORECASE), errno.EMFILE),
)
# Messages of SQLite: the cause and the remedy.
SQLITE: Final = (
    ("database or disk is full", f"the disk of {STORAGE} is full: {FREE_SPACE}"),
    (
        "database is locked",
        f"{STORAGE} is locked by another process: end the process that uses its files, then run again",
    ),
    (
        "not a database|malformed",
        f"{STORAGE} is damaged: move this folder away, then run again; it holds the history of runs, not the tables",
    ),
    ("readonly database|unable to open database file", f"the rights on {STORAGE} are missing: {RIGHTS}"),
    ("disk i/o error", f"the disk of {STORAGE} has an error, or is full: {FREE_SPACE}"),
)
POSTGRES_STORAGE: Final = "the PostgreSQL server of Dagster's storage"
# Messages of libpq and PostgreSQL about Dagster's storage: the cause and the remedy.
POSTGRES: Final = (
    (
        "timeout expired|timed out|closed the connection|terminating connection|could not receive data",
        f"{POSTGRES_STORAGE} does not answer: start it again, or let it continue if it is paused, then run again",
    ),
    (
        "connection refused|no such file or directory|the database system is",
        f"{POSTGRES_STORAGE} is not running: start it, or correct its address (DAGSTER_POSTGRES_HOST), then run again",
    ),
    (
        "could not translate host name|name or service not known",
        f"the host of {POSTGRES_STORAGE} is unknown: correct its address (DAGSTER_POSTGRES_HOST)",
    ),
    (
        "password authentication failed|no password supplied|no pg_hba.conf entry",
        f"{POSTGRES_STORAGE} refuses this user: check its password (PGPASSFILE) and pg_hba.conf of the server",
    ),
    (
        "too many clients|remaining connection slots",
        f"{POSTGRES_STORAGE} has no connection left: raise max_connections there, or end other programs",
    ),
    ("no space left on device", f"the disk of {POSTGRES_STORAGE} is full: free space there, then run again"),
    (
        "permission denied|read-only transaction",
        f"the user of {POSTGRES_STORAGE} may not write there: let its administrator make it the owner of the database",
    ),
)


class ChuError(Exception):
    """An error that the user can resolve. Its message is one line, without secrets or personal data."""


class TransientError(ChuError):
    """An error that a retry may resolve: a lost connection, a dead engine, two concurrent writers."""


class PermanentError(ChuError):
    """An error that stays until a delivery, a declaration or the code is another: waiting does not help."""


def known_cause(error: BaseException) -> str | None:
    """Cause and remedy of an error of the machine (a full disk, missing rights, ...); None for any other error.

    Looks at the error and at those that caused it.
    """
    return next(filter(None, (_cause(e) for e in _chain(error))), None)


def _cause(error: BaseException) -> str | None:
    if isinstance(error, OSError) and error.errno in SYSTEM:
        return _of_system(error.errno, error.filename)
    return cause_in_text(type(error).__name__, str(error))


def cause_in_text(class_name: str, message: str) -> str | None:
    """See `known_cause`: for an error of which only the names of its class and its message are known."""
    text = message.lower()
    if "psycopg2." in text:
        return next((cause for pattern, cause in POSTGRES if re.search(pattern, text)), None)
    if "sqlite3." in text or class_name in ("OperationalError", "DatabaseError"):
        return next((cause for pattern, cause in SQLITE if re.search(pattern, text)), None)
    if class_name == "UnicodeEncodeError" and "surrogates not allowed" in text:
        return "the name of a file or folder is not valid UTF-8: rename it (convmv -f latin1 -t utf8), then run again"
    return next((_of_system(number) for pattern, number in AS_SYSTEM if pattern.search(text)), None)


def reason_of(error: OSError) -> str:
    """What a file could not be used for, with the remedy if it is known; the file itself is named by the caller."""
    return _of_system(error.errno) if error.errno in SYSTEM else error.strerror or type(error).__name__


def _of_system(number: int, file: object = None) -> str:
    cause, remedy = SYSTEM[number]
    place = f" ({os.fsencode(file).decode(errors='backslashreplace')})" if isinstance(file, str | bytes) else ""
    return f"{cause.format(place)}: {remedy}"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and those that caused it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def without_values(message: str) -> str:
    """The technical words of a message of a library; what may be a value of a row is replaced by an ellipsis."""
    words = re.findall(r"[A-Za-z]+|[^A-Za-z\s]+", message)
    kept = [word if word.lower() in TECHNICAL_WORDS else "…" for word in words]
    return re.sub(r"…( …)+", "…", " ".join(kept))


def log_traceback(error: BaseException, folder: Path) -> str:
    """Append the traceback of an error and of its causes to `errors.log` in `folder`.

    Returns the path of the log, or a text that says why it could not be written. Of the messages, it has only the
    technical words (see `without_values`), and the number of an error of the system.
    """
    lines = [f"{datetime.now():%Y-%m-%d %H:%M:%S}\n"]
    for cause in _chain(error):
        number = errno.errorcode.get(cause.errno or 0, "") if isinstance(cause, OSError) else ""
        lines += traceback.format_tb(cause.__traceback__)
        message = " ".join(filter(None, [number, without_values(str(cause))]))
        lines.append(f"{type(cause).__module__}.{type(cause).__name__}: {message}\n\n")
    log = folder / "errors.log"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="utf-8") as stream:
            stream.writelines(lines)
    except OSError:
        return "no file: the log could not be written"
    return str(log)
