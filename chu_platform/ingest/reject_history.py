"""History of rejects: a reject is open while the delivery contains the row. Afterwards it is corrected or withdrawn.

The column `mended_by` names the delivery that corrected the row. Existing lakes hold a column of this name.
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
# Delivery of rows that were rejected before the table recorded deliveries.
UNKNOWN: Final = "unknown"


def with_history(
    before: Sequence[Mapping[str, Any]], rejects: Sequence[Reject], deliveries: Mapping[str, str], now: str
) -> list[dict[str, Any]]:
    """The new rows of the table of rejects: the current `rejects`, which are open, and the closed rows of `before`.

    A closed row is corrected or withdrawn. A reject is the same as a row of `before` when file, column, reason and text
    are equal, even if its line number has changed; equal rows are matched one to one. `deliveries` are the fingerprints
    of the files that were read, by name. `now` is the time of the reading: UTC, ISO 8601.
    """
    closed_before = [row for row in before if row["mended_by"] is not None]
    open_before: dict[tuple[Any, ...], list[Mapping[str, Any]]] = defaultdict(list)
    for row in sorted((r for r in before if r["mended_by"] is None), key=lambda r: -r["line"]):
        open_before[row["file"], row["column"], row["reason"], row["row"]].append(row)
    rows = [dict(row) for row in closed_before]
    for file, line, column, reason, shape, text in rejects:
        matches = open_before[file, column, reason, text]
        old = matches.pop() if matches else None
        # Every reading of a database server is a new delivery, also if no row changed. To keep the history stable, a
        # reject at an unchanged line number keeps the delivery that first had it there.
        first_delivery = old["delivery"] if old is not None and old["line"] == line else None
        rows.append(
            {
                "file": file,
                "delivery": first_delivery or deliveries[file],
                "line": line,
                "column": column,
                "reason": reason,
                "shape": shape,
                "row": text,
                "first_seen": (old and old["first_seen"]) or now,
                "mended_by": None,
            }
        )
    for row in (row for left in open_before.values() for row in left):
        closing = {"mended_by": deliveries.get(row["file"], WITHDRAWN)}
        rows.append({**row, **closing, "delivery": row["delivery"] or UNKNOWN, "first_seen": row["first_seen"] or now})
    return rows


def write_rejects(rows: Sequence[Mapping[str, Any]], file: Path) -> None:
    """Write the rejects as a Parquet file."""
    pq.write_table(pa.Table.from_pylist(list(rows), arrow_schema(REJECT_COLUMNS)), file)
