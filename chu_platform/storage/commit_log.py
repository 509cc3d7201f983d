"""The commits of a table, as its log has them.

The log's files are read directly: delta-rs numbers what `history()` gives downward from the loaded version, so that a
table loaded at an older one calls its newest commit by that number.

Here: commits, newest first. Not here: what the platform's commits say (provenance).
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote


@dataclass(frozen=True)
class Commit:
    """One version of a table: when, by which operation and user metadata, which files it added and removed.

    Files are named by their path below the table.
    """

    version: int
    time: datetime | None
    operation: str
    user_metadata: str | None
    added: Sequence[str]
    removed: Sequence[str]


def commits(path: Path, last: int | None = None) -> Iterator[Commit]:
    """The commits of the table in the folder `path` that its log still has, from version `last` (or now) downward."""
    files = {int(f.stem): f for f in (path / "_delta_log").glob("*.json") if f.stem.isdigit()}
    for version in sorted(files, reverse=True):
        if last is None or version <= last:
            yield _commit(version, files[version])


def _commit(version: int, file: Path) -> Commit:
    info: dict[str, Any] = {}
    added: list[str] = []
    removed: list[str] = []
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            action = json.loads(line)
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
