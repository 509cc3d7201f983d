"""What the commits of a table say of themselves, in their user metadata.

A publication says what its rows were made of. Maintenance and restores say "operation", and carry what the
publication said whose rows the table has now: its own commit may have left the log.

Here: the form, and finding data_commits. Not here: what a publication says (graph.step).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from deltalake import CommitProperties, DeltaTable

from chu_platform.storage.commit_log import Commit, commits
from chu_platform.tables.table import Table


def last_data_commit(delta: DeltaTable) -> dict[str, Any]:
    """What the publication says whose rows the table has at its loaded version; empty when none is found.

    Commits of other tools are passed over.
    """
    return next(data_commits(Path(unquote(urlsplit(delta.table_uri).path)), delta.version()), {})


def data_commits(path: Path, version: int) -> Iterator[dict[str, Any]]:
    """What the data_commits say that the rows of a version come from, the newest first.

    One that made only some partitions leaves the others to those before it; one that made the whole table is the last.
    A restore goes on with the version that it restored.
    """
    below = version
    last: dict[str, Any] = {}
    for commit in commits(path, version):
        if commit.version > below or not (said := platform_metadata(commit)):
            continue
        publication = said.get("publication", {}) if "operation" in said else said
        below = said.get("restored_version", below)
        if publication and publication != last:
            yield publication
            last = publication
            if made_whole(publication):
                return


def operation_metadata(
    table: Table, operation: str, run: str, publication: Mapping[str, Any], restored_version: int | None = None
) -> str:
    """User metadata of a commit that makes no rows: `operation` is what it does, `run` who does it."""
    said: dict[str, Any] = {
        "run": run,
        "asset": f"{table.layer}/{table.name}",
        "operation": operation,
        "publication": publication,
    }
    if restored_version is not None:
        said["restored_version"] = restored_version
    return json.dumps(said, ensure_ascii=False)


def with_metadata(metadata: str) -> CommitProperties:
    """Properties of a delta-rs commit with this user metadata."""
    return CommitProperties(custom_metadata={"userMetadata": metadata})


def made_whole(publication: Mapping[str, Any]) -> bool:
    """Whether a publication made all of its table; those of before say so by naming no partitions."""
    return bool(publication.get("whole", publication.get("slices") is None))


def is_database_table(name: str) -> bool:
    """Whether what a publication has read by this name is a table of the care database (`sources.care_tables`)."""
    return name.startswith("PostgreSQL table ")


def files_read(said: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    """Name and fingerprint of the delivered files that a publication has read: database snapshots are none."""
    return [(f["name"], f["sha256"]) for f in said.get("files", ()) if not is_database_table(f["name"])]


def platform_metadata(commit: Commit) -> dict[str, Any]:
    """The user metadata of one of the platform's own commits, or nothing."""
    try:
        said = json.loads(commit.user_metadata or "{}")
    except ValueError:
        return {}
    return said if isinstance(said, dict) and "run" in said else {}
