"""The one exception whose message is meant for the person who runs the platform, and the trace of all others.

Here: errors and what may be told of them. Not here: who tells it.
"""

import os
import traceback
from datetime import datetime
from pathlib import Path


class ChuError(Exception):
    """Something the user can act upon: one message, in clear, without secrets or personal data."""


class TransientError(ChuError):
    """Something that may well go right the next time: a lost connection, a dead engine, two writers at once."""


def keep_trace(error: BaseException, folder: Path) -> str:
    """Append where an error and its causes happened to a log in `folder`; gives the log's path, or why there is none.

    Messages are left out: libraries put values of rows into them.
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
