"""Rejected rows over time: open while the delivery holds them, and history once a corrected one does not.

Here: what becomes of the rejects of before when a delivery was read. Not here: why a row is rejected (row_sql,
csv_records), and the table (delivered).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from chu_platform.ingest.delivered import REJECT_COLUMNS
from chu_platform.tables.columns import arrow_schema

# File, line, column, reason, shape of the value, whole row.
Reject = tuple[str, int, str | None, str, str | None, str]
WITHDRAWN: Final = "withdrawn"
# Of a row that was rejected before the platform kept that.
UNKNOWN: Final = "unknown"


def with_history(
    before: Sequence[Mapping[str, Any]], rejects: Sequence[Reject], deliveries: Mapping[str, str], now: str
) -> list[dict[str, Any]]:
    """The rows of the table of rejects: those of `before` that are mended, and the `rejects` of the delivery, open.

    A row is the one of before when file, column, reason and text are the same, wherever it stands now; of several
    such rows each is one. `deliveries` are the fingerprints of the files that were read, by name.
    """
    history = [row for row in before if row["mended_by"] is not None]
    known: dict[tuple[Any, ...], list[Mapping[str, Any]]] = defaultdict(list)
    for row in sorted((r for r in before if r["mended_by"] is None), key=lambda r: -r["line"]):
        known[row["file"], row["column"], row["reason"], row["row"]].append(row)
    rows = [dict(row) for row in history]
    for file, line, column, reason, shape, text in rejects:
        same = known[file, column, reason, text]
        old = same.pop() if same else None
        # A snapshot of a server has a name of its own each time: a row that stays where it was keeps the first.
        stays = old is not None and old["line"] == line and old["delivery"]
        rows.append(
            {
                "file": file,
                "delivery": old["delivery"] if old and stays else deliveries[file],
                "line": line,
                "column": column,
                "reason": reason,
                "shape": shape,
                "row": text,
                "first_seen": (old and old["first_seen"]) or now,
                "mended_by": None,
            }
        )
    for row in (row for left in known.values() for row in left):
        mended = {"mended_by": deliveries.get(row["file"], WITHDRAWN)}
        rows.append({**row, **mended, "delivery": row["delivery"] or UNKNOWN, "first_seen": row["first_seen"] or now})
    return rows


def write_rejects(rows: Sequence[Mapping[str, Any]], staged: Path) -> None:
    """Rejects as one Parquet file below `staged`."""
    pq.write_table(pa.Table.from_pylist(list(rows), arrow_schema(REJECT_COLUMNS)), staged / "rejects.parquet")
