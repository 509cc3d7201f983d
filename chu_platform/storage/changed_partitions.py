"""Which partitions of a table have other rows in one version than in another, as its commits record it."""

from collections.abc import Mapping
from functools import lru_cache

from deltalake import Schema

from chu_platform.storage.commit import has_schema
from chu_platform.storage.commit_log import UnreadableLogError, log_of
from chu_platform.storage.lake import Lake, active_files, are_present, partition_of
from chu_platform.storage.partition_contents import recorded_contents
from chu_platform.storage.partition_folders import Values, folder_of, values_of
from chu_platform.storage.provenance import CONTENTS, data_commits, foreign_commits
from chu_platform.storage.store import LakePath
from chu_platform.tables.table import Table


def identities(lake: Lake, table: Table, version: int) -> Mapping[str, str] | None:
    """The identity of the rows of each partition of a version, by folder.

    None if the log does not tell: the commit has left it, it is older than identities, or another tool wrote the table.
    """
    path = lake.place_of(table)
    try:
        written = (log_of(path) / f"{version:020}.json").stat().st_mtime
    except FileNotFoundError:
        return None
    return _identities(path, version, written)


@lru_cache(maxsize=1024)
def _identities(path: LakePath, version: int, _written: float) -> Mapping[str, str] | None:
    """See `identities`. A version never changes; a log that was lost and begun again has other times of writing."""
    try:
        commit = next(data_commits(path, version), {})
        if CONTENTS not in commit or foreign_commits(path, version):
            return None
    except UnreadableLogError:
        return None
    return {folder: contents.identity for folder, contents in recorded_contents(commit).items()}


def sound_identities(lake: Lake, table: Table) -> Mapping[str, str] | None:
    """The identities of the current version, if its files exist with their sizes and have the declared columns."""
    delta = lake.open(table)
    if delta is None or not has_schema(delta, Schema.from_arrow(table.schema), table):
        return None
    files = active_files(delta)
    if not are_present(lake.place_of(table), files):
        return None
    found = identities(lake, table, delta.version())
    present = {folder_of(partition_of(f), table.partition_by) for f in files}
    return found if found is not None and found.keys() == present else None


def changed_partitions(before: Mapping[str, str], after: Mapping[str, str]) -> list[Values]:
    """The partition values of the partitions whose identities differ, sorted by folder.

    Identities that were computed by another version of DuckDB differ too.
    """
    folders = sorted(f for f in before.keys() | after.keys() if before.get(f) != after.get(f))
    return [values_of(folder) for folder in folders]
