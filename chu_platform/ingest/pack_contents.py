"""Contents of the delivered folder: which source tables read each file, or why none does."""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from chu_platform.errors import ChuError
from chu_platform.ingest.delivered import delivered_rows, delivered_tables, is_delivered
from chu_platform.ingest.dump_files import is_part
from chu_platform.ingest.files import NEVER_DELIVERED, PackScan, scan_pack, size_of
from chu_platform.tables.table import Table

# States of a file of the pack: read by a table, or the reason why no table reads it.
TAKEN: Final = "taken"
COPY: Final = "copy_of_a_file_that_is_read"
PART: Final = "part_of_a_dump"
REFUSED: Final = "source_refused"
NOT_A_DELIVERY: Final = "not_a_delivery"
EMPTY: Final = "empty"
UNUSED: Final = "care_database_is_given"
UNKNOWN: Final = "unknown"
UNREADABLE: Final = "unreadable"


@dataclass(frozen=True)
class FileStatus:
    """State of a file, and the names of the source tables whose file pattern it matches."""

    state: str
    tables: Sequence[str] = ()


def file_statuses(pack: Path, tables: Sequence[Table], database_is_given: bool) -> Mapping[Path, FileStatus]:
    """Status of every file of the pack, in order of path, and of links, folders and pipes that are no readable files.

    Raises ChuError when the pack does not exist or cannot be searched.
    """
    readers: dict[Path, list[str]] = defaultdict(list)
    states: dict[Path, str] = {}
    # The tables of one database are read from the same dump.
    unit_states: dict[str, Mapping[Path, str]] = {}
    for table in delivered_tables(tables):
        reader = delivered_rows(table).reader
        unit = reader.database or table.name
        if unit not in unit_states:
            copies = reader.copies(pack)
            unused = reader.database and database_is_given
            select = partial(reader.files, pack)
            unit_states[unit] = dict.fromkeys(copies, UNUSED) if unused else _copy_states(copies, select)
            states |= unit_states[unit]
        for file in unit_states[unit]:
            readers[file].append(table.name)
    scan = scan_pack(pack)
    found = {f: FileStatus(states[f], readers[f]) if f in states else FileStatus(_unread_state(f)) for f in scan.files}
    found |= {path: FileStatus(NOT_A_DELIVERY) for path in scan.pipes}
    unreadable = [*scan.folders, *(link for link in scan.links if not NEVER_DELIVERED.fullmatch(link.name))]
    return found | {path: FileStatus(UNREADABLE) for path in unreadable}


def _copy_states(copies: Sequence[Path], select: Callable[[], Sequence[Path]]) -> Mapping[Path, str]:
    """States of the files that match a source; `select` gives those that it reads."""
    try:
        taken = select()
    except ChuError:
        # The run of the source table reports the cause.
        return dict.fromkeys(copies, REFUSED)
    return {file: (PART if is_part(file) else TAKEN) if file in taken else COPY for file in copies}


def _unread_state(file: Path) -> str:
    """State of a file that matches no table."""
    if NEVER_DELIVERED.fullmatch(file.name):
        return NOT_A_DELIVERY
    return UNKNOWN if size_of(file) else EMPTY


def delivered_files(scan: PackScan) -> Sequence[Path]:
    """Files of the pack that may be deliveries, in order of path."""
    return [f for f in scan.files if not NEVER_DELIVERED.fullmatch(f.name)]


def pattern_of(table: Table) -> str | None:
    """Regular expression of the file names of a source table; None for other tables."""
    return delivered_rows(table).reader.pattern if is_delivered(table) else None


def tables_for_file(name: str, tables: Sequence[Table]) -> Sequence[str]:
    """Names of the source tables that read files with this name."""
    return [t.name for t in tables if (p := pattern_of(t)) and re.fullmatch(p, name, re.IGNORECASE)]


def delivery_keys(name: str, tables: Sequence[Table]) -> frozenset[tuple[str, ...]]:
    """What a file with this name is a delivery of: source table, and values of the groups of its file pattern.

    Of two files with a common key, a source reads only one. The tables of a database are read from one file.
    """
    keys = set()
    for table in tables:
        match = re.fullmatch(pattern, name, re.IGNORECASE) if (pattern := pattern_of(table)) else None
        if match:
            database = delivered_rows(table).reader.database
            groups = () if database else tuple((value or "").lower() for value in match.groups())
            keys.add((database or table.name, *groups))
    return frozenset(keys)
