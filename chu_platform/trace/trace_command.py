"""`chu trace`: finds a cell, traces it and reports the result."""

from collections.abc import Callable, Sequence
from contextlib import closing

from chu_platform.settings import Settings
from chu_platform.trace.published_cells import find_cell
from chu_platform.trace.trace import Tracer, command_arguments
from chu_platform.trace.trace_text import difference_lines, trace_lines


def run_trace(
    settings: Settings,
    table: str,
    conditions: Sequence[str],
    rows: bool,
    lines: bool,
    as_of: int | None,
    report: Callable[[str], None],
) -> bool:
    """Trace the cell that meets the conditions (`column=value`) and report it, line by line.

    Returns whether its figures equal their recomputation. An earlier edition or version `as_of` is also compared with
    the current one. With `rows`, the delivered rows are shown, and the access journal says so. With `lines`, lists of
    line numbers are complete, and lines of large files are searched, too.
    """
    with closing(Tracer(settings)) as tracer:
        lake = tracer.lake
        cell = find_cell(lake, table, conditions, as_of)
        trace = tracer.trace(cell, rows, lines)
        if rows:
            command = f"chu trace {command_arguments(cell.table, cell.key)} {cell.name_of_version}"
            tracer.note_rows(trace, command)
        for line in trace_lines(lake, trace, rows, lines):
            report(line)
        equal = bool(trace.equal)
        key = [f"{column}={value}" for column, value in cell.key.items()]
        seen = find_cell(lake, table, key, None) if as_of is not None else cell
        if seen.name_of_version != cell.name_of_version:
            current = tracer.trace(seen, lines=lines)
            for line in difference_lines(trace, current):
                report(line)
            equal = equal and bool(current.equal)
        return equal
