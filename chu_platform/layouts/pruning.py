"""Which files of a Delta table its log leaves for a query: by partition values, and by the bounds of the columns."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from chu_platform.layouts.queries import Chosen, Range, Value


def kept_files(files: Sequence[Mapping[str, Any]], ranges: Sequence[Range]) -> int:
    """How many of `storage.lake.active_files` may have rows in all of the ranges. Rows that are null are in none."""
    return sum(all(_may_hold(file, wanted) for wanted in ranges) for file in files)


def _may_hold(file: Mapping[str, Any], wanted: Range) -> bool:
    partition = file.get("partition") or {}
    if wanted.column in partition:
        value = partition[wanted.column]
        low = high = value
        if value is None:
            return False
    else:
        low, high = ((file.get(name) or {}).get(wanted.column) for name in ("min", "max"))
        if low is None or high is None:
            return True
    first, last = (_comparable(v, wanted.first) for v in (wanted.first, wanted.last))
    return bool(_comparable(low, wanted.first) <= last and first <= _comparable(high, wanted.first))


def _comparable(value: Any, like: Value | Chosen) -> Any:
    """A bound as the log gives it, in the form in which it is compared with a value of a filter."""
    if isinstance(like, date):
        return str(value)[:10]
    return int(value) if isinstance(like, int) else str(value)
