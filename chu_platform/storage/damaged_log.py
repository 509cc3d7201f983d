"""Delta logs that cannot be read, after a power failure or a damaged disk: recognise them, and set them aside."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from uuid import uuid4

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from chu_platform.storage.commit_log import log_of

UNREADABLE: Final = "unreadable"


class UnreadableLogError(Exception):
    """The log of a table cannot be read."""


def open_table(path: Path) -> DeltaTable | None:
    """The Delta table in folder `path` at its current version; None if it has no log.

    Raises UnreadableLogError also if the newest commit is empty: delta-rs reads it as one without changes.
    """
    log = log_of(path)
    if not log.is_dir():
        return None
    newest = _newest(log)
    try:
        if newest is not None and newest.stat().st_size == 0:
            raise UnreadableLogError
        return DeltaTable(path)
    except TableNotFoundError:
        return None
    except DeltaError:
        raise UnreadableLogError from None


def set_aside(path: Path) -> Sequence[str]:
    """Rename unreadable commits, the newest first, until the log can be read; returns their names.

    If an older commit is damaged, the whole log is renamed: the table then does not exist, and its files remain.
    """
    log = log_of(path)
    renamed: list[str] = []
    while True:
        try:
            open_table(path)
        except UnreadableLogError:
            newest = _newest(log)
        else:
            return renamed
        if newest is None or _is_commit(newest):
            log.rename(path / f"{log.name}.{UNREADABLE}-{uuid4().hex}")
            return [*renamed, log.name]
        newest.rename(newest.with_name(f"{newest.name}.{UNREADABLE}"))
        renamed.append(newest.name)


def _newest(log: Path) -> Path | None:
    return max((f for f in log.glob("*.json") if f.stem.isdigit()), default=None)


def _is_commit(file: Path) -> bool:
    """Whether each line of a file is a JSON object, and there is at least one."""
    try:
        actions = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    except ValueError:
        return False
    return bool(actions) and all(isinstance(action, dict) for action in actions)
