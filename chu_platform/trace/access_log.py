"""The log of who has looked at delivered rows: `restricted/.access.log`, a line each, JSON.

Here: writing it. Not here: what is shown.
"""

import getpass
import json
import os
from collections.abc import Sequence
from datetime import datetime

from chu_platform.errors import ChuError
from chu_platform.storage.lake import Lake
from chu_platform.tables.table import Zone

LOG = ".access.log"


def log_access(lake: Lake, what: str, tables: Sequence[str], rows: int) -> None:
    """Tell that whoever runs this is about to see rows. Raises ChuError when that cannot be written down."""
    try:
        who = getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in some containers
        who = "-"
    said = {
        "time": f"{datetime.now().astimezone():%Y-%m-%dT%H:%M:%S%z}",
        "user": who,
        "uid": os.getuid(),
        "what": what,
        "tables": list(tables),
        "rows": rows,
    }
    file = lake.root / Zone.RESTRICTED / LOG
    try:
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="utf-8") as stream:
            stream.write(json.dumps(said, ensure_ascii=False) + "\n")
    except OSError as error:
        raise ChuError(f"no rows are shown, since {file} cannot be written: {error.strerror}") from None
