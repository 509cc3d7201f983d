"""Delta statistics of a Parquet file: its rows and, for each column, the number of nulls and bounds of the values.

A column with values always has both bounds. Without them, the datasets of delta-rs compare with null, so that a
filter on the column finds no row of the file.
"""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

import pyarrow.compute as pc
import pyarrow.parquet as pq

# Characters of a text in the log. Longer bounds are cut, as the Delta protocol allows.
MAX_TEXT_LENGTH: Final = 32
LAST_CHARACTER: Final = "\U0010ffff"


def file_statistics(file: Path, footer: Any, columns: Sequence[str]) -> dict[str, Any]:
    """The statistics of `columns`, from the footer of the file as far as it has them."""
    lows: dict[str, Any] = {}
    highs: dict[str, Any] = {}
    nulls: dict[str, int] = {}
    groups = [footer.row_group(i) for i in range(footer.num_row_groups)]
    for index, name in enumerate(footer.schema.to_arrow_schema().names):
        if name not in columns:
            continue
        found = [group.column(index).statistics for group in groups]
        if all(s is not None and s.has_null_count for s in found):
            nulls[name] = sum(s.null_count for s in found)
            filled = [s for s, group in zip(found, groups, strict=True) if s.null_count < group.num_rows]
            if all(s.has_min_max for s in filled):
                if filled:
                    lows[name] = _lower(min(s.min for s in filled))
                    highs[name] = _upper(max(s.max for s in filled))
                continue
        values = pq.ParquetFile(file).read([name])[name]
        nulls[name] = values.null_count
        if nulls[name] < footer.num_rows:
            bounds = pc.min_max(values).as_py()
            lows[name], highs[name] = _lower(bounds["min"]), _upper(bounds["max"])
    return {"numRecords": footer.num_rows, "minValues": lows, "maxValues": highs, "nullCount": nulls}


def _lower(value: Any) -> Any:
    """A lower bound in JSON: the value, or the start of a long text."""
    return value[:MAX_TEXT_LENGTH] if isinstance(value, str) else _as_json(value)


def _upper(value: Any) -> Any:
    """An upper bound in JSON: the value, or a shorter text that is greater than a long one."""
    if not isinstance(value, str):
        return _as_json(value)
    if len(value) <= MAX_TEXT_LENGTH:
        return value
    start = value[:MAX_TEXT_LENGTH]
    # The last character of all is only an upper bound of what follows if that begins with a smaller one.
    rest = value[MAX_TEXT_LENGTH:]
    equal = len(rest) - len(rest.lstrip(LAST_CHARACTER))
    return start + LAST_CHARACTER * (equal + 1)


def _as_json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
