"""What lies in the delivered folder, which source tables take it, and why none does.

Here: the listing and the matching of names. Not here: reading files (delivered_files), acting on them (automation).
"""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from chu_platform.errors import ChuError
from chu_platform.ingest.delivered import delivered_rows, delivered_tables, is_delivered
from chu_platform.ingest.files import NEVER_DELIVERED, every_file
from chu_platform.tables.table import Table

# What becomes of a file of the pack, or why no table reads it.
TAKEN: Final = "taken"
COPY: Final = "copy_of_a_file_that_is_read"
REFUSED: Final = "source_refused"
NOT_A_DELIVERY: Final = "not_a_delivery"
EMPTY: Final = "empty"
UNUSED: Final = "care_database_is_given"
UNKNOWN: Final = "unknown"


@dataclass(frozen=True)
class FileStatus:
    """What becomes of a file: `state`, and the names of the source tables that take it, or would."""

    state: str
    tables: Sequence[str] = ()


def file_statuses(pack: Path, tables: Sequence[Table], database_is_given: bool) -> Mapping[Path, FileStatus]:
    """The fate of every file of the pack, those too that are no deliveries, in order of path.

    Raises ChuError when there is no pack, or when it may not be searched.
    """
    readers: dict[Path, list[str]] = defaultdict(list)
    states: dict[Path, str] = {}
    # The tables of one database are read from the same dump.
    found: dict[str, Mapping[Path, str]] = {}
    for table in delivered_tables(tables):
        reader = delivered_rows(table).reader
        unit = reader.database or table.name
        if unit not in found:
            copies = reader.copies(pack)
            unused = reader.database and database_is_given
            found[unit] = dict.fromkeys(copies, UNUSED) if unused else _chosen(copies, partial(reader.files, pack))
            states |= found[unit]
        for file in found[unit]:
            readers[file].append(table.name)
    return {f: FileStatus(states[f], readers[f]) if f in states else FileStatus(_why_not(f)) for f in every_file(pack)}


def _chosen(copies: Sequence[Path], choose: Callable[[], Sequence[Path]]) -> Mapping[Path, str]:
    """What becomes of files of which a source chooses those it reads."""
    try:
        taken = choose()
    except ChuError:
        # The source itself tells what is wrong.
        return dict.fromkeys(copies, REFUSED)
    return {file: TAKEN if file in taken else COPY for file in copies}


def _why_not(file: Path) -> str:
    """Why no table takes a file."""
    if NEVER_DELIVERED.fullmatch(file.name):
        return NOT_A_DELIVERY
    return UNKNOWN if file.stat().st_size else EMPTY


def delivered_files(pack: Path) -> Sequence[Path]:
    """Every file of the pack that may be a delivery, in order of path. Raises ChuError when there is no pack."""
    return [f for f in every_file(pack) if not NEVER_DELIVERED.fullmatch(f.name)]


def pattern_of(table: Table) -> str | None:
    """Regular expression of the names of the files that a source table takes; None for tables that take none."""
    return delivered_rows(table).reader.pattern if is_delivered(table) else None


def known_as(name: str, tables: Sequence[Table]) -> Sequence[str]:
    """Names of the source tables that take a file of this name."""
    return [t.name for t in tables if (p := pattern_of(t)) and re.fullmatch(p, name, re.IGNORECASE)]
