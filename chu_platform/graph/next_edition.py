"""What the next edition would change, and why, in words: by key and reason, without a figure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import duckdb

from chu_platform.editions.decisions import FORMER, PRESENT, State
from chu_platform.indicators.indicator import MaskFamily, indicators
from chu_platform.storage.edition_manifest import editions, released_version
from chu_platform.storage.lake import Lake

# Keys that are listed of each change.
MAX_LISTED: Final = 20
SHOWN: Final = ", ".join(f"'{s}'" for s in (*PRESENT, *FORMER))
# The changes that are listed by key, as a condition on the decisions of the next (n) and of the last edition (o).
LISTED: Final[Mapping[str, str]] = {
    "a correction of less than 1 % waits (revision_pending)": f"n.state = '{State.PENDING}'",
    "the year adds too few: the former figure and its end stay": f"n.state = '{State.KEPT}'",
    "masked, because a correction concerns too few": f"n.state = '{State.MASKED}' AND n.reason = 'correction'",
    "masked from now on, by a rule for single figures": (
        f"n.state = '{State.MASKED}' AND n.reason NOT IN ('secondary', 'correction', 'before') AND o.state IN ({SHOWN})"
    ),
    "masked from now on, to protect others": (
        f"n.state = '{State.MASKED}' AND n.reason = 'secondary' AND o.state IN ({SHOWN})"
    ),
    "shown again": f"n.state IN ({SHOWN}) AND o.state = '{State.MASKED}'",
    "has no events any more": f"n.state = '{State.ABSENT}' AND o.state <> '{State.ABSENT}'",
    "REFUSED: it could be computed from all editions": "n.is_exposed",
}


def changes_of_next_edition(lake: Lake) -> Iterator[str]:
    """The lines of `chu release --dry-run`. Raises ChuError if the tables of the edition cannot be made yet."""
    decided = editions(lake.place)
    last = f"edition {decided[-1].number} of {decided[-1].date}" if decided else None
    yield f"compared with {last}" if last else "there is no edition yet: everything is new"
    nothing = True
    for family in dict.fromkeys(i.release.family for i in indicators() if i.release):
        for line in _changes(lake, family):
            nothing = False
            yield line
    if nothing:
        yield "nothing changes"


def _changes(lake: Lake, family: MaskFamily) -> Iterator[str]:
    table = family.decision
    loaded = {name: lake.arrow(read) for name, read in table.reads.items()}
    version = released_version(lake.place, table)
    before = table.schema.empty_table() if version is None else lake.current_rows(table, version)
    after = family.make_decisions(**loaded, released=before)
    with duckdb.connect() as connection:
        connection.register("after", after)
        connection.register("before", before)
        both = "after n LEFT JOIN before o USING (indicator, cell)"
        yield from _counted(connection, both)
        for words, condition in LISTED.items():
            found = connection.execute(
                f"SELECT n.indicator, n.cell FROM {both} WHERE {condition} ORDER BY ALL"
            ).fetchall()
            yield from _keys(words, found)


def _counted(connection: duckdb.DuckDBPyConnection, both: str) -> Iterator[str]:
    """The numbers of new rows and of rows with other figures, by indicator and grain."""
    for words, condition in (
        ("new rows", f"o.cell IS NULL AND n.state <> '{State.ABSENT}'"),
        ("rows with other figures", f"n.state = '{State.CHANGED}'"),
    ):
        counted = connection.execute(
            f"SELECT n.indicator, n.grain, count(*) FROM {both} WHERE {condition} GROUP BY ALL ORDER BY ALL"
        ).fetchall()
        yield from (f"{indicator}, {grain}: {number} {words}" for indicator, grain, number in counted)


def _keys(words: str, found: Sequence[tuple[str, str]]) -> Iterator[str]:
    if found:
        yield f"{words}: {len(found)}"
        yield from (f"  {indicator} {cell}" for indicator, cell in found[:MAX_LISTED])
        if len(found) > MAX_LISTED:
            yield f"  and {len(found) - MAX_LISTED} more"
