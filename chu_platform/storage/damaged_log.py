"""Delta logs that cannot be read, after a power failure or a damaged disk: recognise them, and set them aside."""

import os
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Final
from uuid import uuid4

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from chu_platform.storage.commit_log import UnreadableLogError, actions_in, log_of
from chu_platform.storage.provenance import data_commits
from chu_platform.storage.store import LakePath, delta_table, rename
from chu_platform.storage.store_path import StorePath

UNREADABLE: Final = "unreadable"


def open_table(path: LakePath) -> DeltaTable | None:
    """The Delta table in folder `path` at its current version; None if it has no log. Do not load other versions of it.

    Raises UnreadableLogError also if the newest commit is empty: delta-rs reads it as one without changes.
    """
    if not log_of(path).is_dir():
        return None
    try:
        return _read(path) if isinstance(path, StorePath) else _opened(path, _state(path))
    except TableNotFoundError:
        return None
    except DeltaError:
        raise UnreadableLogError(path) from None


@lru_cache(maxsize=512)
def _opened(path: Path, _log: frozenset[tuple[str, int, int, int]]) -> DeltaTable:
    """The Delta table whose log has these files. Opening one takes about 10 ms, and a run looks at each several times.

    Two threads may both open it.
    """
    return _read(path)


def _read(path: LakePath) -> DeltaTable:
    newest = _newest(log_of(path))
    if newest is not None and newest.stat().st_size == 0:
        raise UnreadableLogError(path)
    return delta_table(path)


def _state(path: Path) -> frozenset[tuple[str, int, int, int]]:
    """Name, size, time of change and inode of each file of the log of a table."""
    found = set()
    with os.scandir(str(log_of(path))) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):  # a clean-up has just deleted it
                state = entry.stat()
                found.add((entry.name, state.st_size, state.st_mtime_ns, state.st_ino))
    return frozenset(found)


def open_readable(path: LakePath) -> DeltaTable | None:
    """As `open_table`, but also raises UnreadableLogError if a commit that made the rows cannot be read."""
    delta = open_table(path)
    if delta is not None:
        for _ in data_commits(path, delta.version()):
            pass
    return delta


def was_set_aside(path: LakePath) -> bool:
    """Whether the whole log of the table in folder `path` was set aside, and the table was not made again."""
    return not log_of(path).is_dir() and any(path.glob(f"{log_of(path).name}.{UNREADABLE}-*"))


def set_aside(path: LakePath) -> Sequence[str]:
    """Rename what cannot be read of a log, until the rest can be read; returns the names of the renamed files.

    First the newest commit; then checkpoints, because the commits may say the same; then older commits that a
    checkpoint replaces; at last the whole log: the table then does not exist, and its files remain.
    """
    log = log_of(path)
    renamed: list[str] = []
    while True:
        try:
            open_readable(path)
        except UnreadableLogError:
            damaged = _damaged_file(log)
        else:
            return renamed
        if damaged is None:
            rename(log, f"{log.name}.{UNREADABLE}-{uuid4().hex}")
            return [*renamed, log.name]
        rename(damaged, f"{damaged.name}.{UNREADABLE}")
        # It may point to a checkpoint that was set aside. Readers find checkpoints by listing the log.
        (log / "_last_checkpoint").unlink(missing_ok=True)
        renamed.append(damaged.name)


def _damaged_file(log: LakePath) -> LakePath | None:
    """The file of an unreadable log to set aside next; None if the whole log must be set aside."""
    newest = _newest(log)
    if newest is not None and not _is_commit(newest):
        return newest
    checkpoints: list[LakePath] = sorted(log.glob("*.checkpoint*.parquet"), key=_name)
    try:
        open_table(log.parent)
    except UnreadableLogError:
        return checkpoints[-1] if checkpoints else None
    replaced = checkpoints[-1].name[:20] if checkpoints else ""
    return next((f for f in _commit_files(log) if f.stem <= replaced and not _is_commit(f)), None)


def _name(place: LakePath) -> str:
    return place.name


def _newest(log: LakePath) -> LakePath | None:
    return max(_commit_files(log), key=_name, default=None)


def _commit_files(log: LakePath) -> list[LakePath]:
    return [f for f in log.glob("*.json") if f.stem.isdigit()]


def _is_commit(file: LakePath) -> bool:
    """Whether each line of a file is a JSON object, and there is at least one."""
    try:
        actions = list(actions_in(file))
    except ValueError:
        return False
    return bool(actions) and all(isinstance(action, dict) for action in actions)
