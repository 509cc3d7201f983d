"""The published tables as readers see them: those of editions at the versions that the manifest names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chu_platform.editions.tables import DECISIONS
from chu_platform.errors import ChuError
from chu_platform.storage.edition_manifest import Edition, editions, published_edition
from chu_platform.storage.lake import Lake
from chu_platform.storage.store import LakePath
from chu_platform.tables.table import Table


def readable_version(lake: Lake, table: Table) -> int:
    """The version of a published table that readers see. Raises ChuError if there is none yet."""
    if not table.in_editions:
        return lake.version(table)
    edition = published_edition(lake.place)
    version = edition.version(table) if edition else None
    if version is None:
        raise ChuError(
            f"{table.folder} is in no edition yet: run `chu {'release' if edition else 'materialize'}` first"
        )
    return version


def released_relation(lake: Lake, table: Table) -> str:
    """DuckDB relation of the rows of a published table that readers see. Raises ChuError if there are none yet."""
    return lake.relation(table, readable_version(lake, table))


def edition(lake: Lake, number: int) -> Edition:
    """The edition of this number, with the versions of its tables in the pseudonymised zone.

    Raises ChuError if there is none.
    """
    found = editions(lake.place)
    if not 1 <= number <= len(found):
        known = f"its editions are 1 to {len(found)}" if found else "it has none yet"
        raise ChuError(f"the lake has no edition {number}: {known}")
    return found[number - 1]


def kept_version(past: Edition, table: Table) -> int:
    """The version of a table of the editions in an edition. Raises ChuError if it was not part of it."""
    version = past.version(table)
    if version is None:
        raise ChuError(f"{table.folder} is not in edition {past.number} of {past.date}")
    return version


@dataclass(frozen=True)
class ReleasedTable:
    """A table as an edition showed it: the place of the Delta table that keeps it, and its version there."""

    place: LakePath
    version: int


def released_tables(lake: Lake) -> Sequence[tuple[Edition, Mapping[str, ReleasedTable]]]:
    """Every edition, the oldest first, with its tables by the name that they have in the published zone.

    The tables are read from the pseudonymised zone, of the current edition too: their rows and columns are those that
    were published.
    """
    found = []
    for one in editions(lake.place):
        tables = {folder.rpartition("/")[2]: ReleasedTable(lake.place / folder, v) for folder, v in one.tables.items()}
        found.append((one, {name: table for name, table in tables.items() if not name.endswith(DECISIONS)}))
    return found
