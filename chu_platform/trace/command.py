"""`chu trace` as a whole: from its words to its lines and whether all is equal.

Here: the order of things. Not here: any of them.
"""

from collections.abc import Callable, Sequence

from chu_platform.lake.lake import Lake
from chu_platform.settings import Settings
from chu_platform.trace.access import log_access
from chu_platform.trace.cells import find_cell
from chu_platform.trace.lines import Deliveries
from chu_platform.trace.report import rows_shown, told, told_differences
from chu_platform.trace.trace import described, trace


def run_trace(
    settings: Settings,
    table: str,
    words: Sequence[str],
    rows: bool,
    as_of: int | None,
    say: Callable[[str], None],
) -> bool:
    """Trace a cell and say what was found; whether its figures are their recomputation.

    An earlier version is also compared with now. With `rows`, delivered rows are shown, and who saw them is logged first.
    """
    lake = Lake(settings.lake_folder)
    cell = find_cell(lake, table, words, as_of)
    deliveries = Deliveries(settings)
    found = trace(lake, settings, cell, rows, deliveries)
    if rows:
        tables, count = rows_shown(found)
        log_access(lake, f"chu trace {described(cell.table, cell.key)} version {cell.version}", tables, count)
    for line in told(lake, found, rows):
        say(line)
    equal = bool(found.equal)
    if cell.version != lake.version(cell.table):
        now = trace(lake, settings, find_cell(lake, table, [f"{k}={v}" for k, v in cell.key.items()], None), False, deliveries)
        for line in told_differences(found, now):
            say(line)
        equal = equal and bool(now.equal)
    return equal
