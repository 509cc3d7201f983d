"""Errors whose message is meant for the user, and a log of the tracebacks of all other errors."""

import os
import traceback
from datetime import datetime
from pathlib import Path


class ChuError(Exception):
    """An error that the user can resolve. Its message is one line, without secrets or personal data."""


class TransientError(ChuError):
    """An error that a retry may resolve: a lost connection, a dead engine, two concurrent writers."""


class PermanentError(ChuError):
    """An error that stays until a delivery, a declaration or the code is another: waiting does not help."""


def log_traceback(error: BaseException, folder: Path) -> str:
    """Append the traceback of an error and of its causes to `errors.log` in `folder`.

    Returns the path of the log, or a text that says why it could not be written. Omits the messages of the errors,
    because messages of libraries may contain values of rows.
    """
    lines = [f"{datetime.now():%Y-%m-%d %H:%M:%S}\n"]
    cause: BaseException | None = error
    while cause is not None:
        lines += [*traceback.format_tb(cause.__traceback__), f"{type(cause).__module__}.{type(cause).__name__}\n\n"]
        cause = cause.__cause__ or cause.__context__
    log = folder / "errors.log"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a") as stream:
            stream.writelines(lines)
    except OSError:
        return "no file: the log could not be written"
    return str(log)
