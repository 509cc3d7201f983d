"""Counts of rows as the Dagster UI and its logs show them.

Operators and auditors see them, who may not see exact figures: the rows of a month of a fact are a figure, and so is
the difference of two counts of its table. So they are as coarse as those of the reports (`tables.side_figures`), except
for tables that are public. The lines of a delivery are exact: whoever operates the platform has to compare them.
"""

from typing import Any, Final

from chu_platform.tables.side_figures import LARGEST_SMALL_COUNT, published_count
from chu_platform.tables.table import Table, Zone

FEW: Final = f"1 to {LARGEST_SMALL_COUNT}"
# Bytes are rounded up to a multiple of it: of a few rows they tell the number.
SIZE_STEP: Final = 100_000


def row_count(table: Table, name: str, rows: int) -> dict[str, Any]:
    """Metadata with the number of rows of a table, or of a partition of it, under a name that Dagster draws."""
    shown = rows if is_exact(table) else published_count(rows)
    return {"rows": FEW} if shown is None else {name: shown}


def row_count_in_words(table: Table, rows: int) -> str:
    """The same in a line of a log."""
    if is_exact(table):
        return f"{rows:,} rows"
    shown = published_count(rows)
    return f"{FEW} rows" if shown is None else f"about {shown:,} rows" if shown else "0 rows"


def size(table: Table, size_bytes: int) -> int:
    """The bytes of a partition."""
    return size_bytes if is_exact(table) else -(-size_bytes // SIZE_STEP) * SIZE_STEP


def is_exact(table: Table) -> bool:
    """Whether counts of a table are shown as they are."""
    return table.zone is Zone.PUBLISHED or table.public_source is not None
