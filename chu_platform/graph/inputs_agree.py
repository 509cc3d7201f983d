"""Whether the inputs of a step were made from the same rows: of two inputs, one may be older than what both stem from.

That happens when runs overlap, or when only a part of what follows from a change was made. A mask of two indicators of
different facts would fail, or hide the wrong figures. The records of the steps (`up_to_date`) say which rows each table
was made from.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from chu_platform.graph.up_to_date import recorded_step
from chu_platform.storage.changed_partitions import changed_partitions, identities
from chu_platform.storage.lake import Lake
from chu_platform.tables.table import Table


@dataclass(frozen=True)
class _Read:
    """A table, the version that a step has read or reads, and the step. `rows` are identities, if they are recorded."""

    table: Table
    version: int
    by: Table
    rows: Mapping[str, str] | None = None

    def differs(self, other: "_Read", lake: Lake) -> bool:
        """Whether the other step has read other rows. False if that is not known."""
        if self.version == other.version:
            return False
        these, those = (r.rows or identities(lake, r.table, r.version) for r in (self, other))
        return these is not None and those is not None and bool(changed_partitions(these, those))


def disagreement(lake: Lake, table: Table, versions: Mapping[Table, int]) -> str:
    """Why the inputs of a table, at these versions, do not fit together, in words; empty if they do.

    Tables whose record is not that of the version that was read are not followed further.
    """
    found: dict[Table, _Read] = {}
    pending = [_Read(needed, versions[needed], table) for needed in reversed(table.needs)]
    while pending:
        read = pending.pop()
        if (before := found.setdefault(read.table, read)) is read:
            pending += _inputs(lake, read)
        elif read.differs(before, lake):
            names = sorted({_name(before.by), _name(read.by)})
            return (
                f"{' and '.join(names)} were made from different rows of {_name(read.table)}; it is made when they "
                "agree: by the next automatic run, or by `chu materialize`"
                if table not in (before.by, read.by)
                else f"{next(n for n in names if n != _name(table))} was made from other rows of {_name(read.table)} "
                "than there are now; it is made when it agrees: by the next automatic run, or by `chu materialize`"
            )
    return ""


def _inputs(lake: Lake, read: _Read) -> Iterator[_Read]:
    """What the last step of a table has read, if it made the version that was read."""
    made = recorded_step(lake, read.table)
    if made is None or made["commits"][read.table.folder]["version"] != read.version:
        return
    for needed in read.table.needs:
        if (version := made["inputs"]["read"].get(needed.folder)) is not None:
            yield _Read(needed, version, read.table, made.get("rows_read", {}).get(needed.folder))


def _name(table: Table) -> str:
    return f"{table.layer}/{table.name}"
