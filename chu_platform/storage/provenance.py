"""Provenance of the rows of a table, from the user metadata of its commits.

A data commit makes rows; its metadata records the inputs (written by `graph.step`). A commit of maintenance or of a
restore has the key "operation". Under "publication", it repeats the metadata of the data commit that made the current
rows, because that commit may have left the log.
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
    """Metadata of the data commit that made the rows of the loaded version; empty if there is none.

    Commits of other tools are ignored.
    """
    return next(data_commits(Path(unquote(urlsplit(delta.table_uri).path)), delta.version()), {})


def data_commits(path: Path, version: int) -> Iterator[dict[str, Any]]:
    """Metadata of the data commits that made the rows of a version, newest first.

    Stops at a commit that made the whole table: the rows of earlier commits were replaced. After a restore, the search
    continues from the restored version.
    """
    below = version
    last: dict[str, Any] = {}
    for commit in commits(path, version):
        if commit.version > below or not (metadata := commit_metadata(commit)):
            continue
        data_commit = metadata.get("publication", {}) if "operation" in metadata else metadata
        below = metadata.get("restored_version", below)
        if data_commit and data_commit != last:
            yield data_commit
            last = data_commit
            if replaced_whole_table(data_commit):
                return


def operation_metadata(
    table: Table, operation: str, run: str, data_commit: Mapping[str, Any], restored_version: int | None = None
) -> str:
    """User metadata, as JSON, of a commit of maintenance or of a restore. `run` is the run that makes the commit."""
    metadata: dict[str, Any] = {
        "run": run,
        "asset": f"{table.layer}/{table.name}",
        "operation": operation,
        # The metadata of the data commit. Existing lakes hold it under this key, so the key keeps its name.
        "publication": data_commit,
    }
    if restored_version is not None:
        metadata["restored_version"] = restored_version
    return json.dumps(metadata, ensure_ascii=False)


def with_metadata(metadata: str) -> CommitProperties:
    """Properties of a delta-rs commit with this user metadata."""
    return CommitProperties(custom_metadata={"userMetadata": metadata})


def replaced_whole_table(data_commit: Mapping[str, Any]) -> bool:
    """Whether a data commit replaced the whole table. Commits of old versions have no "whole", only "slices"."""
    return bool(data_commit.get("whole", data_commit.get("slices") is None))


def is_database_table(name: str) -> bool:
    """Whether this name of a source in commit metadata is a table of the care database (see `ingest.care_tables`)."""
    return name.startswith("PostgreSQL table ")


def source_files(data_commit: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    """Name and SHA-256 of the source files that a data commit read, without tables of the care database."""
    return [(f["name"], f["sha256"]) for f in data_commit.get("files", ()) if not is_database_table(f["name"])]


def commit_metadata(commit: Commit) -> dict[str, Any]:
    """User metadata of a commit of the platform; empty for a commit of another tool."""
    try:
        metadata = json.loads(commit.user_metadata or "{}")
    except ValueError:
        return {}
    return metadata if isinstance(metadata, dict) and "run" in metadata else {}
