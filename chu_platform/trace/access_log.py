"""The log of accesses to delivered rows: `restricted/.access.log`, with one JSON object per line."""

import getpass
import json
import os
from collections.abc import Sequence
from datetime import datetime
from uuid import uuid4

from chu_platform.errors import ChuError, reason_of
from chu_platform.storage.lake import Lake
from chu_platform.storage.store_path import StorePath
from chu_platform.tables.table import Zone

LOG = ".access.log"


def log_access(lake: Lake, command: str, tables: Sequence[str], rows: int) -> None:
    """Record that rows of these tables will be shown to the user. Raises ChuError when the log cannot be written."""
    try:
        who = getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in some containers
        who = "-"
    entry = {
        "time": f"{datetime.now().astimezone():%Y-%m-%dT%H:%M:%S%z}",
        "user": who,
        "uid": os.getuid(),
        "what": command,
        "tables": list(tables),
        "rows": rows,
    }
    file = lake.place / Zone.RESTRICTED / LOG
    if isinstance(file, StorePath):
        # An object cannot be extended: each access has its own.
        (file / f"{entry['time']}-{uuid4().hex}.json").write_bytes(json.dumps(entry, ensure_ascii=False).encode())
        return
    try:
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="utf-8") as stream:
            stream.write(json.dumps(entry, ensure_ascii=False) + "\n")
    except OSError as error:
        raise ChuError(f"no rows are shown, because {file} cannot be written: {reason_of(error)}") from None
