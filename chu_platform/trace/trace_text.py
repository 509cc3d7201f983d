"""The text of `chu trace`: figure, version chain, delivered rows, recomputation, differences to the current one."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from textwrap import dedent, indent
from typing import Any, Final

from chu_platform.storage.lake import Lake
from chu_platform.storage.recorded_code import recorded_code
from chu_platform.trace.delivered_lines import is_delivered_as_files, shortened
from chu_platform.trace.trace import (
    SourceChange,
    Trace,
    TracedSource,
    changed_versions,
    command_arguments,
    source_changes,
)
from chu_platform.trace.version_chain import TableVersion

# Columns that say whether figures are shown.
STATUS: Final = ("is_masked", "revision_pending")
GIGABYTE: Final = 1e9
# Number of ranges of lines and keys that are listed without `--lines`.
MAX_RANGES: Final = 40
REASONS: Final = {
    "size": "size: a count behind it is from 1 to 10",
    "contributors": "contributors: it, or a part that can be computed, rests on fewer than 3 professionals, or on one "
    "for more than 85 % of the events",
    "unanimity": "unanimity: all patients of the base are counted",
    "complement": "complement: all patients of the base but 1 to 10 are counted, or one of them has two events",
    "secondary": "secondary: from it, a masked figure could be computed",
    # Masks of versions before the rules on contributors and complements.
    "primary": "primary: a count behind it is from 1 to 10",
    "correction": "correction: it differs by 1 to 10 persons from its last publication",
    "before": "before: it was masked in an earlier edition, and has not changed since",
}
WAITS: Final = {
    "correction": "A CORRECTION of less than 1 % WAITS: shown and traced is the last edition before it",
    "growth": "THE NEXT YEAR ADDS TOO FEW: shown and traced is the last edition before it, with its end",
}
ROLES: Final = {
    "numerator": "rows counted",
    "denominator": "rows of the base",
    "attribution": "rows that attribute the events",
}


def trace_lines(lake: Lake, trace: Trace, rows: bool, lines: bool) -> Iterator[str]:
    """The lines of a trace; with `rows`, the delivered rows; with `lines`, all line numbers."""
    yield f"{command_arguments(trace.cell.table, trace.cell.key)}, {trace.cell.name_of_version}"
    yield from _figures(trace)
    yield ""
    yield "CHAIN, from the figure back to the deliveries"
    for version in trace.chain.versions:
        yield from _version(lake, version)
    if trace.computed is None:
        names = ", ".join(trace.unreadable_zones)
        yield ""
        yield f"NOT RECOMPUTED: you may not read {names}; ask for access, or ask a person who has access"
        return
    yield ""
    yield "DELIVERED ROWS behind the figure"
    if not trace.sources:
        yield "  not shown: this account has no grant on the delivered tables"
    for source in trace.sources:
        yield from _source(source, rows, MAX_RANGES if not lines else None)
    yield ""
    yield from _recomputed(trace)


def difference_lines(earlier: Trace, current: Trace) -> Iterator[str]:
    """The differences between a cell at an earlier version and at the current version, line by line."""
    yield ""
    yield f"WHAT DIFFERS between {earlier.cell.name_of_version} and the current {current.cell.name_of_version}"
    before, after = earlier.exact or {}, current.exact or {}
    figures = [n for n in before if before[n] != after.get(n)]
    for name in figures:
        yield f"  {name}: {_number(before[name])} then, {_number(after.get(name))} now"
    if not figures:
        yield "  no figure differs"
    for old, new in changed_versions(earlier, current):
        yield f"  {old.table.folder}: version {old.version} then, {new.version} now{_changed_code(old, new)}"
        yield from _changed_files(old, new)
    for change in source_changes(earlier, current):
        yield from _change(change)
    yield f"  then: {_equal(earlier)}; now: {_equal(current)}"


def _figures(trace: Trace) -> Iterator[str]:
    values = trace.cell.values
    if values["is_masked"]:
        why = REASONS.get(trace.reason or "", "you may not read its mask")
        yield f"  MASKED: published without figures; {why}"
    if trace.waits:
        yield f"  {WAITS[trace.waits]}"
    if trace.exact is None or not values["is_masked"]:
        shown = {n: v for n, v in values.items() if n not in trace.cell.key and n not in STATUS}
    else:
        shown = dict(trace.exact)
        yield "  exact figures, from the pseudonymised zone: do not pass them on"
    for name, value in shown.items():
        if value is not None:
            yield f"  {name}: {_number(value)}"


def _version(lake: Lake, version: TableVersion) -> Iterator[str]:
    if version.unreadable:
        yield f"  {version.name}: in a zone that you may not read"
        return
    yield f"  {version.name}{f', committed {version.time}' if version.time else ''}"
    if not version.data_commits:
        yield "    the log has no commit of the platform for it"
    for commit in version.data_commits:
        made = f"    made by run {commit['run']}, code {commit.get('code_version', '?')}"
        partitions = f", partitions {commit['slices']}" if commit.get("slices") else ""
        rows = ", ".join(f"{number} {kind}" for kind, number in commit.get("rows", {}).items())
        yield f"{made}{partitions}{f'; rows: {rows}' if rows else ''}"
        read = [f"{folder}@{number}" for folder, number in commit.get("read", {}).items()]
        if read:
            yield f"    read: {', '.join(read)}"
        for file in commit.get("files", ()):
            yield f"    file: {file['name']}, {file['bytes']} bytes, sha256 {file['sha256']}"
        code = recorded_code(lake, version.table, commit.get("code_version", ""))
        if code is None:
            yield "    its code is not recorded in the lake"
        elif "query" in code:
            yield "    query:"
            yield indent(dedent(code["query"]).strip("\n"), " " * 6)
        else:
            yield f"    code: {version.table.zone}/.code/{code['code_version']}.json"


def _source(source: TracedSource, rows: bool, max_ranges: int | None) -> Iterator[str]:
    # A death that is delivered twice has one identifier and counts once.
    repeated = source.count - len(source.rows) if source.source.role == "numerator" else 0
    same = f", {repeated} of them are repetitions and do not count" if repeated else ""
    yield f"  {source.version.name}: {source.count} {ROLES[source.source.role]}{same}"
    for file in source.files:
        if file.problem:
            yield f"    {file.name} (sha256 {shortened(file.sha256)}): {file.problem}; its lines cannot be shown"
        elif file.name in source.unsearched:
            size = f"{source.unsearched[file.name] / GIGABYTE:.1f} GB"
            yield f"    {file.name} (sha256 {shortened(file.sha256)}): {size}; --lines finds the lines in it"
        elif is_delivered_as_files(source.source.table):
            numbers = [line.number for line in source.lines.get(file.name, ())]
            if numbers:
                listed = ranges(numbers, max_ranges)
                yield f"    {file.name} (sha256 {shortened(file.sha256)}): {len(numbers)} lines: {listed}"
        else:
            yield f"    {file.name} (sha256 {shortened(file.sha256)}), a database: rows have keys, but no lines"
    if source.problem:
        yield f"    its lines cannot be shown: {source.problem}"
    for name, lines in source.later_lines.items():
        if lines:
            yield f"    delivered since: {name}: {len(lines)} lines: {ranges([ln.number for ln in lines], max_ranges)}"
    if not is_delivered_as_files(source.source.table) and source.rows:
        column = source.source.match.partition("::")[0].strip('"')
        if not source.is_identifying:
            yield f"    {column}: {_keys(source.rows, max_ranges)}"
        elif not rows:
            yield f"    {column} identifies persons: shown with --rows, which is journalled"
    if rows:
        yield from _texts(source)


def _keys(keys: Collection[str], max_ranges: int | None) -> str:
    """The keys of rows: numbers as ranges, others one by one."""
    if all(key.isdecimal() for key in keys):
        return ranges([int(key) for key in keys], max_ranges)
    shown = sorted(keys)[:max_ranges]
    more = f" and {len(keys) - len(shown)} more (--lines lists all)" if len(shown) < len(keys) else ""
    return f"{', '.join(shown)}{more}"


def _texts(source: TracedSource) -> Iterator[str]:
    if source.lines:
        for name, lines in source.lines.items():
            yield from (f"      {name}:{line.number}: {line.text}" for line in lines)
    else:
        yield from (f"      {text}" for text in source.texts)


def _recomputed(trace: Trace) -> Iterator[str]:
    yield "RECOMPUTED from the delivered rows, without the queries of the platform"
    computed, exact = trace.computed or {}, trace.exact or {}
    wrong = {d.figure for d in trace.differences}
    for name, value in computed.items():
        sign = "NOT EQUAL" if name in wrong or f"{name} as published" in wrong else "equal"
        if value is not None or exact.get(name) is not None:
            yield f"  {name}: {_number(value)}, {sign}"
    for difference in trace.differences:
        yield f"  NOT EQUAL: {difference.figure} is {difference.found}, and should be {difference.expected}"
    yield "NOT EQUAL" if trace.differences else "EQUAL"


def _equal(trace: Trace) -> str:
    texts = {True: "equal to its recomputation", False: "NOT EQUAL to its recomputation", None: "not recomputed"}
    return texts[trace.equal]


def _changed_code(old: TableVersion, new: TableVersion) -> str:
    codes = [s.data_commits[0].get("code_version") if s.data_commits else None for s in (old, new)]
    return f", code {codes[0]} then, {codes[1]} now" if codes[0] != codes[1] else ""


def _changed_files(old: TableVersion, new: TableVersion) -> Iterator[str]:
    earlier, current = (_files(s.data_commits) for s in (old, new))
    for name in sorted({*earlier, *current}):
        sums = earlier.get(name), current.get(name)
        if sums[0] != sums[1]:
            fingerprints = [f"sha256 {shortened(s)}" if s else "not delivered" for s in sums]
            yield f"    {name}: {fingerprints[0]} then, {fingerprints[1]} now"


def _files(data_commits: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    return {f["name"]: f["sha256"] for commit in data_commits[:1] for f in commit.get("files", ())}


def _change(change: SourceChange) -> Iterator[str]:
    folder = change.current.source.table.folder
    yield (
        f"  rows of {folder} ({change.current.source.role}): {len(change.changed)} changed, {len(change.added)} added, "
        f"{len(change.removed)} removed"
    )
    for kind, values, side in (
        ("changed", change.changed, change.current),
        ("added", change.added, change.current),
        ("removed", change.removed, change.earlier),
    ):
        if not values:
            continue
        wanted = set(values)
        lines = {n: [ln.number for ln in found if ln.value in wanted] for n, found in side.lines.items()}
        if any(lines.values()):
            for name, numbers in lines.items():
                if numbers:
                    yield f"    {kind}: {name}, lines {ranges(numbers, MAX_RANGES)}"
        elif not side.is_identifying:
            yield f"    {kind}: {side.source.match.partition('::')[0].strip(chr(34))} {', '.join(values[:MAX_RANGES])}"


def ranges(numbers: Sequence[int], max_ranges: int | None) -> str:
    """Numbers as `3, 7-9, 12`; at most `max_ranges` ranges, or all."""
    found: list[list[int]] = []
    for number in sorted(set(numbers)):
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    listed = ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in found[:max_ranges])
    omitted = len(found) - len(found[:max_ranges])
    return f"{listed} and {omitted} more ranges (--lines lists all)" if omitted else listed


def _number(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.10g}"
    return "-" if value is None else str(value)
