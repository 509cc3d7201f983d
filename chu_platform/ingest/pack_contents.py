"""Contents of the delivered folder: which source tables read each file, or why none does."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chu_platform.errors import ChuError
from chu_platform.ingest.delivered import delivered_rows, delivered_tables
from chu_platform.ingest.dump_files import is_part
from chu_platform.ingest.file_names import DOCUMENT, TEXT_SUFFIXES, plain_groups
from chu_platform.ingest.files import NEVER_DELIVERED, PackScan, is_copy, scan_pack, size_of
from chu_platform.tables.table import Table

# States of a file of the pack: read by a table, or the reason why no table reads it.
TAKEN: Final = "taken"
COPY: Final = "copy_of_a_file_that_is_read"
OTHER: Final = "another_file_of_this_name_is_read"
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
            unit_states[unit] = dict.fromkeys(copies, UNUSED) if unused else _copy_states(pack, copies, table)
            states |= unit_states[unit]
        for file in unit_states[unit]:
            readers[file].append(table.name)
    scan = scan_pack(pack)
    found = {f: FileStatus(states[f], readers[f]) if f in states else FileStatus(_unread_state(f)) for f in scan.files}
    found |= {path: FileStatus(NOT_A_DELIVERY) for path in scan.pipes}
    unreadable = [*scan.folders, *(link for link in scan.links if not NEVER_DELIVERED.fullmatch(link.name))]
    return found | {path: FileStatus(UNREADABLE) for path in unreadable}


def _copy_states(pack: Path, copies: Sequence[Path], table: Table) -> Mapping[Path, str]:
    """States of the files that match a source. Other dumps are always copies.

    Files that contradict each other are refused, also if the source reads others.
    """
    reader = delivered_rows(table).reader
    try:
        taken = reader.files(pack)
        read = {key for file in taken for key in delivery_keys(file.name, [table])}
        others = {
            f: COPY
            if reader.database is not None or is_copy(f, taken)
            else OTHER
            if read & delivery_keys(f.name, [table])
            else REFUSED
            for f in copies
            if f not in taken
        }
    except ChuError:
        # The run of the source table reports the cause.
        return dict.fromkeys(copies, REFUSED)
    return {file: others.get(file) or (PART if is_part(file) else TAKEN) for file in copies}


def _unread_state(file: Path) -> str:
    """State of a file that matches no table."""
    if NEVER_DELIVERED.fullmatch(file.name) or DOCUMENT.fullmatch(file.name):
        return NOT_A_DELIVERY
    return UNKNOWN if size_of(file) else EMPTY


def delivered_files(scan: PackScan) -> Sequence[Path]:
    """Files of the pack that may be deliveries, in order of path."""
    return [f for f in scan.files if not NEVER_DELIVERED.fullmatch(f.name)]


def unread_files(scan: PackScan, tables: Sequence[Table]) -> Sequence[Path]:
    """Files with data that no source table reads, in order of path."""
    unknown = [f for f in delivered_files(scan) if not tables_for_file(f.name, tables)]
    return [f for f in unknown if _unread_state(f) == UNKNOWN]


def has_other_ending(name: str, tables: Sequence[Table]) -> bool:
    """Whether source tables read files of this name with another ending."""
    return any(tables_for_file(Path(name).stem + suffix, tables) for suffix in TEXT_SUFFIXES)


def ambiguous_files(scan: PackScan, tables: Sequence[Table]) -> Mapping[Path, Sequence[str]]:
    """Files whose name means several sources, which all read them, with the names of these.

    The tables of a database are one source.
    """
    found = {f: sorted({key[0] for key in delivery_keys(f.name, tables)}) for f in delivered_files(scan)}
    return {file: names for file, names in found.items() if len(names) > 1}


def tables_for_file(name: str, tables: Sequence[Table]) -> Sequence[str]:
    """Names of the source tables that read files with this name."""
    return [t.name for t in delivered_tables(tables) if delivered_rows(t).reader.match(name)]


def delivery_keys(name: str, tables: Sequence[Table]) -> frozenset[tuple[str, ...]]:
    """What a file with this name is a delivery of: source table, and values of the groups of its file pattern.

    Of two files with a common key, a source reads only one. The tables of a database are read from one file.
    """
    keys = set()
    for table in delivered_tables(tables):
        reader = delivered_rows(table).reader
        if match := reader.match(name):
            database = reader.database
            groups = () if database else plain_groups(match.groups())
            keys.add((database or table.name, *groups))
    return frozenset(keys)
