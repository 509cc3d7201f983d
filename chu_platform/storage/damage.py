"""Damage of a table: data files and commits that are not as the platform wrote them, and versions without damage."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from chu_platform.storage.commit_log import UnreadableLogError
from chu_platform.storage.damaged_log import open_readable, was_set_aside
from chu_platform.storage.duckdb_session import bounded_connection
from chu_platform.storage.lake import DamagedLog, Lake, active_files, files_relation
from chu_platform.storage.partition_contents import (
    PartitionContents,
    expected_hash,
    is_changed,
    recorded_contents,
    recorded_hashes,
)
from chu_platform.storage.partition_folders import folder_of
from chu_platform.storage.provenance import foreign_commits, last_data_commit
from chu_platform.storage.row_identity import aggregate_partitions
from chu_platform.storage.scratch_folder import scratch
from chu_platform.storage.store import LakePath, delta_table
from chu_platform.tables.table import Table


@dataclass(frozen=True)
class Damage:
    """One damage of a table, in words, and the Delta partition that it concerns (None: the whole table)."""

    finding: str
    folder: str | None


def is_readable(lake: Lake, table: Table) -> bool:
    """Whether a table exists and its log can be read."""
    try:
        return open_readable(lake.place_of(table)) is not None
    except UnreadableLogError:
        return False


def damage_of(lake: Lake, table: Table) -> Sequence[Damage]:
    """All damage of the current version of a table. Reads all its files. A table that was never made has none."""
    path = lake.place_of(table)
    if was_set_aside(path):
        return [Damage(f"table {table.folder}: its log was damaged and is set aside; it was not made again yet", None)]
    try:
        delta = open_readable(path)
        return list(_damage(lake, table, delta)) if delta is not None else []
    except UnreadableLogError:
        return [Damage(str(DamagedLog(table)), None)]


def _damage(lake: Lake, table: Table, delta: DeltaTable) -> Iterator[Damage]:
    path = lake.place_of(table)
    foreign = foreign_commits(path)
    for commit in foreign:
        when = f" at {commit.time:%Y-%m-%d %H:%M:%S}" if commit.time else ""
        yield Damage(
            f"table {table.folder}: its version {commit.version} was committed{when} by another tool "
            f"({commit.operation}), without provenance",
            None,
        )
    foreign_files = {name for commit in foreign for name in commit.added}
    contents = recorded_contents(last_data_commit(path, delta))
    recorded = recorded_hashes(contents)
    rewritten: dict[str, list[LakePath]] = defaultdict(list)
    present: set[str] = set()
    for active in active_files(delta):
        name = active["path"]
        folder = folder_of(active.get("partition") or {}, table.partition_by)
        file, expected = path / name, expected_hash(name, recorded)
        if not file.is_file():
            yield Damage(f"table {table.folder}: its file {name} does not exist", folder)
        elif is_changed(file, expected):
            yield Damage(
                f"table {table.folder}: its file {name} differs from the committed file: its rows were changed", folder
            )
        elif expected is None and name not in foreign_files:
            rewritten[folder].append(file)
        present.add(name)
    for folder, partition in contents.items():
        if folder not in rewritten and not foreign and (lost := set(partition.files) - present):
            yield Damage(
                f"table {table.folder}: {len(lost)} files of {folder or 'it'} are missing in its log, which was cut: "
                f"materialise {table.layer}/{table.name} again",
                folder,
            )
    for folder, files in rewritten.items():
        if folder in contents and (problem := _rewritten_problem(lake, table, folder, files, contents[folder])):
            yield Damage(f"table {table.folder}: {folder or 'its files'}, rewritten by maintenance: {problem}", folder)


def _rewritten_problem(
    lake: Lake, table: Table, folder: str, files: Sequence[LakePath], committed: PartitionContents
) -> str | None:
    """Why files written by maintenance do not have the committed rows; None when they have them."""
    if not committed.comparable:
        return "its rows cannot be compared with those that another version of DuckDB wrote; materialise it again"
    size = sum(f.stat().st_size for f in files)
    try:
        with scratch(lake) as temporary, bounded_connection(temporary, size) as connection:
            found = aggregate_partitions(connection, table, files_relation(table, files))
    except duckdb.Error:
        return "its rows cannot be read"
    same = folder in found and found[folder].identity == committed.identity
    return None if same else "its rows are not the committed rows"


@dataclass(frozen=True)
class FileState:
    """The files of a table version that do not exist, and those without their recorded bytes."""

    lost: Sequence[str]
    changed: Sequence[str]

    @property
    def sound(self) -> bool:
        """Whether all files are as they were committed."""
        return not self.lost and not self.changed


def file_state(path: LakePath, delta: DeltaTable) -> FileState:
    """Compare the files of the loaded version of the table in folder `path` with its records. Reads all files."""
    recorded = recorded_hashes(recorded_contents(last_data_commit(path, delta)))
    lost, changed = [], []
    for active in active_files(delta):
        name = active["path"]
        file = path / name
        if not file.is_file():
            lost.append(name)
        elif file.stat().st_size != active["size_bytes"] or is_changed(file, expected_hash(name, recorded)):
            changed.append(name)
    return FileState(lost, changed)


def newest_sound_version(path: LakePath, last: int) -> int | None:
    """The newest version up to `last` of the table in folder `path` whose files are as they were committed."""
    for version in range(last, -1, -1):
        try:
            delta = delta_table(path, version)
            if file_state(path, delta).sound:
                return version
        except (DeltaError, UnreadableLogError):
            continue
    return None


def version_to_continue(lake: Lake, table: Table, warn: Callable[[str], None]) -> int | None:
    """The version of a table that continues its own rows: the current one, or the newest one without damage.

    None if there is none.
    """
    delta = lake.open(table)
    if delta is None:
        return None
    current = delta.version()
    sound = newest_sound_version(lake.place_of(table), current)
    if sound is None:
        warn(f"WARNING {table.folder}: no version of it is without damage, so its history is lost")
    elif sound < current:
        warn(f"WARNING {table.folder}: version {current} is damaged, so its history continues from version {sound}")
    return sound


def rows_before(lake: Lake, table: Table, warn: Callable[[str], None]) -> pa.Table:
    """The rows of the version to continue; none if there is none."""
    sound = version_to_continue(lake, table, warn)
    return table.schema.empty_table() if sound is None else lake.current_rows(table, sound)
