"""Provenance of the rows of a table, from the user metadata of its commits.

A data commit makes rows; its metadata records the inputs (written by `graph.step`). A commit of maintenance or of a
restore has the key "operation". Under "publication", it repeats the metadata of the data commit that made the current
rows, because that commit may have left the log.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date
from typing import Any, Final

from deltalake import CommitProperties, DeltaTable

from chu_platform.errors import ChuError
from chu_platform.storage.commit_log import Commit, commits
from chu_platform.storage.store import LakePath
from chu_platform.tables.table import Table

# Key of the metadata of a data commit whose rows are those of the version before.
SAME_ROWS: Final = "same_rows"
# Key of the contents of the table (see `storage.partition_contents`).
CONTENTS: Final = "contents"
# Key of the identifier of the pseudonymisation key with which the rows were made.
KEY: Final = "key"


def last_data_commit(path: LakePath, delta: DeltaTable) -> dict[str, Any]:
    """Metadata of the data commit that made the rows of the loaded version of a table; empty if there is none.

    Commits of other tools are ignored.
    """
    return next(data_commits(path, delta.version()), {})


def data_commits(path: LakePath, version: int) -> Iterator[dict[str, Any]]:
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
        # Upgrades added the contents, and the identifier of the key, to a data commit.
        known = {key: value for key, value in data_commit.items() if key not in (CONTENTS, KEY)}
        if data_commit and known != last:
            yield data_commit
            last = known
            if replaced_whole_table(data_commit):
                return


def delivery_day(path: LakePath, version: int) -> date:
    """The day (UTC) of the delivery of which a version of a delivered table has the rows.

    It is the day on which the newest of its files was last changed, and not after the day on which it was read. Of a
    database, only that day is known. If its commit has left the log, one that repeats its metadata tells the day.
    """
    found = [(c, m) for c in commits(path, version) if c.time is not None and (m := commit_metadata(c))]
    read = [(c, m) for c, m in found if "operation" not in m] or [(c, m.get("publication", {})) for c, m in found[-1:]]
    if not read:
        raise ChuError(f"{path}@{version} has no commit of the platform in its log: make it again with --force")
    commit, metadata = read[0]
    assert commit.time is not None
    read_on = commit.time.astimezone(UTC).date()
    changed = [date.fromisoformat(f["modified"][:10]) for f in metadata.get("files", ()) if f.get("modified")]
    return min(max(changed, default=read_on), read_on)


def foreign_commits(path: LakePath, version: int | None = None) -> Sequence[Commit]:
    """The commits by other tools of which rows may be in a version (default: the current one), newest first."""
    found: list[Commit] = []
    for commit in commits(path, version):
        metadata = commit_metadata(commit)
        if not metadata:
            found.append(commit)
        elif "operation" not in metadata and replaced_whole_table(metadata):
            # No row of an earlier commit is in the table any more.
            break
    return found


def version_with_same_rows(path: LakePath, version: int) -> int:
    """The version to read instead of `version` of the table in folder `path`: that of its last repair.

    A repair replaces damaged files, or commits the inputs again after one of them lost its log; the rows stay.
    """
    found = version
    for commit in sorted((c for c in commits(path) if c.version > version), key=lambda c: c.version):
        metadata = commit_metadata(commit)
        if SAME_ROWS in metadata:
            found = commit.version
        elif metadata.get("operation", "restore") == "restore":
            break
    return found


def inputs_are_lost(recorded: Mapping[str, Any], provenance: Mapping[str, Any]) -> bool:
    """Whether recorded versions of inputs cannot exist any more, because an input lost its log and begins again."""
    versions = provenance.get("read", {})
    return any(version > versions.get(folder, version) for folder, version in recorded.get("read", {}).items())


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
