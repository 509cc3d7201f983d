"""The tables that are older than the rows of their inputs, and those of them that have to wait.

Only rows count, as the commits of the lake record them: a table that was made again with equal rows, or compacted, is
no change, and neither is another declaration. Delivered tables, reports and tables of editions are not among them: what
arrives, runs and releases make these.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from chu_platform.catalogue import catalogue
from chu_platform.graph.up_to_date import WHOLE, recorded_step
from chu_platform.ingest.delivered import is_delivered
from chu_platform.storage.changed_partitions import changed_partitions, identities
from chu_platform.storage.commit_log import log_of
from chu_platform.storage.lake import DamagedLog, Lake
from chu_platform.tables.table import Layer, Table


@dataclass(frozen=True)
class LakeState:
    """The versions of the tables in a lake at one moment."""

    lake: Lake

    @cached_property
    def versions(self) -> Mapping[Table, int]:
        """The version of each table that is in the lake and can be read."""
        found = {}
        for table in catalogue():
            try:
                delta = self.lake.open(table)
            except DamagedLog:
                continue  # `chu verify` names it
            if delta is not None:
                found[table] = delta.version()
        return found

    def written_at(self, table: Table) -> float:
        """When the version of a table was committed, in seconds since 1970; 0 if its commit has left the log."""
        try:
            return (log_of(self.lake.place_of(table)) / f"{self.versions[table]:020}.json").stat().st_mtime
        except FileNotFoundError:
            return 0.0

    def has_new_inputs(self, table: Table) -> bool:
        """Whether an input has other rows than those that the table was made from, or whether that is not known."""
        made = recorded_step(self.lake, table)
        return (
            table not in self.versions
            or made is None
            or not made.get(WHOLE, True)
            or any(self._has_other_rows(made, needed) for needed in table.needs)
        )

    def _has_other_rows(self, made: Mapping[str, Any], needed: Table) -> bool:
        if made["inputs"]["read"].get(needed.folder) == self.versions[needed]:
            return False
        before = made.get("rows_read", {}).get(needed.folder)
        after = identities(self.lake, needed, self.versions[needed])
        return before is None or after is None or bool(changed_partitions(before, after))

    def is_as_made(self, table: Table) -> bool:
        """Whether a table has the rows that its last step committed: no restore and no other tool has changed it."""
        made, version = recorded_step(self.lake, table), self.versions[table]
        if made is None or (committed := made["commits"][table.folder]["version"]) == version:
            return True
        then, now = identities(self.lake, table, committed), identities(self.lake, table, version)
        return then is not None and then == now


@dataclass
class Outdated:
    """The tables to make, sorted by dependency, and why others wait."""

    tables: list[Table] = field(default_factory=list)
    waiting: dict[Table, str] = field(default_factory=dict)

    def is_outdated(self, table: Table) -> bool:
        """Whether the table is to be made or waits."""
        return table in self.tables or table in self.waiting


def followers() -> Sequence[Table]:
    """The tables that follow from others, sorted by dependency."""
    return [t for t in catalogue() if not (is_delivered(t) or t.layer is Layer.REPORTS or t.in_editions)]


def outdated(state: LakeState, changing: Iterable[Table] = (), failed: Mapping[Table, float] | None = None) -> Outdated:
    """The tables that are older than their inputs, and those that need them.

    `changing` are delivered tables that will be read before. `failed` says when, in seconds since 1970, the last run of
    a table ended without making it: it waits until one of its inputs is newer.
    """
    found = Outdated()
    coming = {*changing}
    for table in followers():
        made_before = [n for n in table.needs if n not in coming]
        if missing := [n for n in made_before if n not in state.versions]:
            found.waiting[table] = f"it needs {_name(missing[0])}, which is not in the lake"
        elif blocking := [n for n in made_before if n in found.waiting]:
            found.waiting[table] = f"it needs {_name(blocking[0])}, which waits"
        elif len(made_before) < len(table.needs) or state.has_new_inputs(table):
            if changed := [n for n in made_before if not state.is_as_made(n)]:
                found.waiting[table] = f"{_name(changed[0])} was changed outside of its step: verify it, then make it"
            elif len(made_before) == len(table.needs) and _failed_since(state, table, failed or {}):
                found.waiting[table] = "its last run failed, and nothing that it needs has changed since"
            else:
                found.tables.append(table)
                coming.add(table)
    return found


def _failed_since(state: LakeState, table: Table, failed: Mapping[Table, float]) -> bool:
    ended = failed.get(table)
    return ended is not None and all(state.written_at(n) < ended for n in table.needs)


def _name(table: Table) -> str:
    return f"{table.layer}/{table.name}"
