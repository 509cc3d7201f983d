"""`chu trace` as a whole: from its words to its lines and whether all is equal.

Here: the order of things. Not here: any of them.
"""

from collections.abc import Callable, Sequence
from contextlib import closing

from chu_platform.settings import Settings
from chu_platform.trace.access_log import log_access
from chu_platform.trace.published_cells import find_cell
from chu_platform.trace.trace import Tracer, described
from chu_platform.trace.trace_text import rows_shown, told, told_differences


def run_trace(
    settings: Settings,
    table: str,
    words: Sequence[str],
    rows: bool,
    lines: bool,
    as_of: int | None,
    say: Callable[[str], None],
) -> bool:
    """Trace a cell and say what was found; whether its figures are their recomputation.

    An earlier version is also compared with now. With `rows`, delivered rows are shown; who sees them is logged first.
    With `lines`, no list of line numbers is cut short.
    """
    with closing(Tracer(settings)) as tracer:
        lake = tracer.lake
        cell = find_cell(lake, table, words, as_of)
        found = tracer.trace(cell, rows)
        if rows:
            tables, count = rows_shown(found)
            log_access(lake, f"chu trace {described(cell.table, cell.key)} version {cell.version}", tables, count)
        for line in told(lake, found, rows, lines):
            say(line)
        equal = bool(found.equal)
        if cell.version != lake.version(cell.table):
            key = [f"{column}={value}" for column, value in cell.key.items()]
            now = tracer.trace(find_cell(lake, table, key, None))
            for line in told_differences(found, now):
                say(line)
            equal = equal and bool(now.equal)
        return equal
