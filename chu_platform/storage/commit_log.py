"""The commits of a table, read from the files of its Delta log.

The history of delta-rs cannot be used for a table loaded at an older version: `history()` then gives the newest commit
the number of the loaded version.
"""

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from chu_platform.errors import ChuError
from chu_platform.storage.store import LakePath


class UnreadableLogError(ChuError):
    """The log of a table cannot be read. `path` is the folder of the table."""

    def __init__(self, path: LakePath) -> None:
        name = f"{path.parent.name}/{path.name}"
        super().__init__(f"the log of {name} cannot be read: it is damaged; run `chu verify --repair`")


@dataclass(frozen=True)
class Commit:
    """One version of a table: time, operation, user metadata, added and removed files.

    Files are paths relative to the table's folder.
    """

    version: int
    time: datetime | None
    operation: str
    user_metadata: str | None
    added: Sequence[str]
    removed: Sequence[str]


def log_of(path: LakePath) -> LakePath:
    """Folder of the Delta log of the table in folder `path`."""
    return path / "_delta_log"


def actions_in(file: LakePath) -> Iterator[Any]:
    """The JSON values of a commit file, one a line. Texts in them may contain other characters that end lines."""
    return map(json.loads, io.StringIO(file.read_text(encoding="utf-8")))


def commits(path: LakePath, last: int | None = None) -> Iterator[Commit]:
    """The commits in the log of the table in folder `path`, newest first, from version `last` (default: newest).

    Raises UnreadableLogError at a commit that cannot be read.
    """
    files = {int(f.stem): f for f in log_of(path).glob("*.json") if f.stem.isdigit()}
    for version in sorted(files, reverse=True):
        if last is None or version <= last:
            try:
                commit = _commit(version, files[version])
            except (ValueError, TypeError, KeyError, AttributeError):
                raise UnreadableLogError(path) from None
            yield commit


def _commit(version: int, file: LakePath) -> Commit:
    info: dict[str, Any] = {}
    added: list[str] = []
    removed: list[str] = []
    for action in actions_in(file):
        if "commitInfo" in action:
            info = action["commitInfo"]
        elif "add" in action:
            added.append(unquote(action["add"]["path"]))
        elif "remove" in action:
            removed.append(unquote(action["remove"]["path"]))
    stamp = info.get("timestamp")
    return Commit(
        version,
        datetime.fromtimestamp(stamp / 1000) if stamp else None,
        info.get("operation", "unknown"),
        info.get("userMetadata"),
        added,
        removed,
    )
