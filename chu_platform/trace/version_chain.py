"""The chain of a table version: the versions of all tables from which it was made, as recorded in the commits."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from chu_platform.catalogue import catalogue
from chu_platform.errors import ChuError
from chu_platform.storage.commit_log import commits
from chu_platform.storage.lake import Lake
from chu_platform.storage.provenance import data_commits, version_with_same_rows
from chu_platform.storage.store import may_read
from chu_platform.tables.table import Layer, Table


@dataclass(frozen=True)
class TableVersion:
    """A table at a version, with the metadata of the commits that made its rows, the newest first.

    `time` is the time of the commit of the version, as text. `unreadable`: the user may not read the zone of the table.
    """

    table: Table
    version: int
    data_commits: Sequence[Mapping[str, Any]]
    time: str
    unreadable: bool = False

    @property
    def name(self) -> str:
        """Folder and version."""
        return f"{self.table.folder}@{self.version}"


@dataclass(frozen=True)
class VersionChain:
    """A table version and all versions from which it was made, each after a version that was made from it."""

    versions: Sequence[TableVersion]

    def has(self, table: Table) -> bool:
        """Whether a table is in the chain."""
        return any(s.table is table for s in self.versions)

    def version_of(self, table: Table) -> int:
        """The version of a table in the chain. Raises ChuError when it is not in the chain.

        If there are several, the newest that was read for a fact. A dimension may have been made from a newer version,
        with rows that no figure counts yet.
        """
        found = [s.version for s in self.versions if s.table is table]
        if not found:
            raise ChuError(f"the commits of {self.versions[0].name} do not record that it was made from {table.folder}")
        facts = [s for s in self.versions if s.table.layer is Layer.FACTS and table in s.table.reads.values()]
        reads = [commit.get("read", {}) for s in facts for commit in s.data_commits]
        counted = [read[table.folder] for read in reads if table.folder in read]
        return max(counted or found)

    def table_version_of(self, table: Table) -> TableVersion:
        """The version of a table in the chain that `version_of` chooses, with its commits."""
        version = self.version_of(table)
        return next(s for s in self.versions if s.table is table and s.version == version)


@cache
def tables_by_folder() -> Mapping[str, Table]:
    """Every table of the platform, rejects included, by its folder in the lake."""
    return {t.folder: t for table in catalogue() for t in table.outputs}


def find_table(name: str) -> Table:
    """The table with this folder in the lake or with this asset key. Raises ChuError when there is none."""
    folders = tables_by_folder()
    name = name.strip("/")
    found = folders.get(name) or next((t for t in folders.values() if f"{t.layer}/{t.name}" == name), None)
    if found is None:
        similar = sorted(f for f in folders if name.rpartition("/")[2] in f.rpartition("/")[2])[:3]
        hint = f"; is it {' or '.join(similar)}?" if similar else ": write it as published/kpis/kpi_deaths_by_region"
        raise ChuError(f"there is no table {name!r}{hint}")
    return found


def require_version(lake: Lake, table: Table, requested: int | None) -> int:
    """The requested version, or the current one. Raises ChuError when the version does not exist."""
    current = lake.version(table)
    if requested is not None and not 0 <= requested <= current:
        raise ChuError(f"{table.folder} has no version {requested}: its versions are 0 to {current}")
    return current if requested is None else requested


def version_chain(lake: Lake, table: Table, version: int) -> VersionChain:
    """The chain of a table version. Tables that only checks read are left out: no row was made from them."""
    found: dict[tuple[Table, int], TableVersion] = {}
    pending = deque([(table, version)])
    while pending:
        at = pending.popleft()
        if at in found:
            continue
        current = found[at] = table_version(lake, *at)
        for commit in current.data_commits:
            for read in current.table.reads.values():
                if (number := commit.get("read", {}).get(read.folder)) is not None:
                    pending.append((read, number))
    return VersionChain(list(found.values()))


def table_version(lake: Lake, table: Table, version: int) -> TableVersion:
    """A table version with the metadata of its commits."""
    path = lake.place_of(table)
    if not may_read(path):
        return TableVersion(table, version, [], "", unreadable=True)
    commit = next(commits(path, version), None)
    time = f"{commit.time:%Y-%m-%d %H:%M:%S}" if commit and commit.time and commit.version == version else ""
    recorded = [_with_repaired_inputs(lake, commit) for commit in data_commits(path, version)]
    return TableVersion(table, version, recorded, time)


def _with_repaired_inputs(lake: Lake, commit: Mapping[str, Any]) -> Mapping[str, Any]:
    """The metadata of a commit; an input version that was damaged and repaired is replaced by the repaired one."""
    read = {folder: version_with_same_rows(lake.place / folder, v) for folder, v in commit.get("read", {}).items()}
    return {**commit, "read": read} if read else commit
