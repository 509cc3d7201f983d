"""Every file of the delivered pack: which tables read it, or why none does.

Here: the declaration of this one table. Not here: reading any of the files.
"""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa

from chu_platform.care_database.database import DUMP_PATTERN
from chu_platform.errors import ChuError
from chu_platform.settings import Settings
from chu_platform.sources.delivered import Delivered
from chu_platform.sources.delivered_files import DeliveredFiles
from chu_platform.sources.files import NEVER_DELIVERED, every_file, find
from chu_platform.tables.columns import LONG, STRING, Column
from chu_platform.tables.rules import one_of
from chu_platform.tables.table import DECLARATIONS, PACK, Computed, Layer, Table, Zone

READ: Final = "read"
COPY: Final = "copy_of_a_file_that_is_read"
REFUSED: Final = "source_refused"
NOT_A_DELIVERY: Final = "not_a_delivery"
EMPTY: Final = "empty"
UNUSED: Final = "care_database_is_given"
UNKNOWN: Final = "unknown"


def _rows(settings: Settings, tables: Sequence[Table]) -> pa.Table:
    pack = settings.sources_folder
    readers: dict[Path, list[str]] = defaultdict(list)
    states: dict[Path, str] = {}
    for table in tables:
        if not isinstance(table.rows, Delivered) or not isinstance(table.rows.reader, DeliveredFiles):
            continue
        reader = table.rows.reader
        copies = reader.copies(pack)
        try:
            read, other = reader.files(pack), COPY
        except ChuError:
            # The source itself tells what is wrong.
            read, other = [], REFUSED
        for file in copies:
            states[file] = READ if file in read else other
            readers[file].append(table.name)
    for file in find(pack, DUMP_PATTERN, required=False):
        states[file] = UNUSED if settings.postgres_url else READ
        readers[file].append("PostgreSQL")
    files = every_file(pack)
    return pa.table(
        {
            "path": pa.array([f.relative_to(pack).as_posix() for f in files], pa.string()),
            "bytes": pa.array([f.stat().st_size for f in files], pa.int64()),
            "state": pa.array([states.get(f) or _why_not(f) for f in files], pa.string()),
            "read_by": pa.array([", ".join(sorted(readers[f])) or None for f in files], pa.string()),
        }
    )


def _why_not(file: Path) -> str:
    """Why no table reads a file."""
    if NEVER_DELIVERED.fullmatch(file.name):
        return NOT_A_DELIVERY
    return UNKNOWN if file.stat().st_size else EMPTY


pack_file = Table(
    name="pack_file",
    layer=Layer.SOURCES,
    zone=Zone.RESTRICTED,
    grain="one file of the delivered pack",
    label="Fichiers du pack livré",
    owner="team:registers",
    columns=[
        Column("path", STRING, "path below the pack", "Fichier", key=True),
        Column("bytes", LONG, "size", "Taille (octets)", nullable=False),
        Column("state", STRING, "read, or why it is not", "État", nullable=False),
        Column("read_by", STRING, "the source tables that read it, or would", "Tables sources"),
    ],
    rows=Computed(
        _rows,
        given=("settings", "tables"),
        from_columns={
            "path": [PACK],
            "bytes": [PACK],
            "state": [PACK, DECLARATIONS],
            "read_by": [PACK, DECLARATIONS],
        },
    ),
    rules=[one_of("state", [READ, COPY, REFUSED, NOT_A_DELIVERY, EMPTY, UNUSED, UNKNOWN])],
)
