"""What lies in the delivered folder, and which source tables take it.

Here: the listing and the matching of names. Not here: reading files (delivered_files), acting on them (automation).
"""

import re
from collections.abc import Sequence
from pathlib import Path

from chu_platform.care_database.database import DUMP_PATTERN
from chu_platform.sources.care_tables import CareTable
from chu_platform.sources.delivered import Delivered
from chu_platform.sources.delivered_files import DeliveredFiles
from chu_platform.sources.files import NEVER_DELIVERED, every_file
from chu_platform.tables.table import Table


def delivered_files(pack: Path) -> Sequence[Path]:
    """Every file of the pack that may be a delivery, in order of path. Raises ChuError when there is no pack."""
    return [f for f in every_file(pack) if not NEVER_DELIVERED.fullmatch(f.name)]


def pattern_of(table: Table) -> str | None:
    """Regular expression of the names of the files that a source table takes; None for tables that take none."""
    reader = table.rows.reader if isinstance(table.rows, Delivered) else None
    if isinstance(reader, DeliveredFiles):
        return reader.pattern
    return DUMP_PATTERN if isinstance(reader, CareTable) else None


def known_as(name: str, tables: Sequence[Table]) -> Sequence[str]:
    """Names of the source tables that take a file of this name."""
    return [t.name for t in tables if (p := pattern_of(t)) and re.fullmatch(p, name, re.IGNORECASE)]
