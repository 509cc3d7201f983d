"""`chu rebuild`: makes an earlier version of a table again from the metadata of its commits, and compares the rows."""

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from chu_platform.errors import ChuError
from chu_platform.graph.run_resources import RunResources
from chu_platform.graph.step import write_rows
from chu_platform.settings import Settings
from chu_platform.storage.duckdb_session import MEMORY_LIMIT
from chu_platform.storage.lake import SCRATCH, Lake, Write, active_paths, files_relation
from chu_platform.storage.lake_format import require_known_format
from chu_platform.storage.provenance import data_commits, version_with_same_rows
from chu_platform.storage.recorded_code import recorded_code
from chu_platform.storage.restore import open_if_readable
from chu_platform.storage.store import lake_root, may_read
from chu_platform.tables.columns import BOOLEAN, DATE, DOUBLE, INTEGER, LONG, STRING, Column, sql_type
from chu_platform.tables.duckdb_sql import sql_name, sql_text
from chu_platform.tables.partitions import PartitionRange
from chu_platform.tables.table import Layer, Table
from chu_platform.trace.delivered_lines import Deliveries
from chu_platform.trace.version_chain import find_table, require_version, tables_by_folder

TYPES: Mapping[str, pa.DataType] = {sql_type(t): t for t in (STRING, INTEGER, LONG, DOUBLE, BOOLEAN, DATE)}


@dataclass(frozen=True)
class RebuildResult:
    """The comparison of a stored version with the rebuilt rows, in numbers of rows.

    `columns` gives, by column, the number of rows with the same key that differ in this column. `notes` describe what
    differs from the original run, such as code that has changed.
    """

    stored: int
    rebuilt: int
    only_stored: int
    only_rebuilt: int
    columns: Mapping[str, int]
    notes: Sequence[str]

    @property
    def equal(self) -> bool:
        """Whether the rebuilt rows are the stored rows."""
        return not self.only_stored and not self.only_rebuilt


def rebuild(settings: Settings, name: str, version: int | None, report: Callable[[str], None]) -> RebuildResult:
    """Rebuild a version of a table in a temporary folder, and compare the rows.

    Raises ChuError when this is impossible: the version is past the retention, a delivered file has changed, or the
    table depends on the time at which it was made.
    """
    lake = Lake(lake_root(settings))
    require_known_format(lake.place)
    table = find_table(name)
    if table.layer is Layer.REJECTS:
        raise ChuError(f"{table.folder} is made together with its source: rebuild sources/{table.name}")
    at = require_version(lake, table, version)
    if table.edition is not None and at != lake.version(table):
        kept = f"{table.edition.layer}/{table.edition.name}"
        raise ChuError(f"{table.folder} has its current version only: rebuild {kept}, which keeps the editions")
    recorded = list(data_commits(lake.place_of(table), at))
    if not recorded:
        raise ChuError(f"{table.folder}@{at} has no commit of the platform in its log: it cannot be rebuilt")
    delta = open_if_readable(lake.place_of(table), at)
    if delta is None:
        raise ChuError(f"{table.folder}@{at} can no longer be read: its files or its commit are past the retention")
    notes: list[str] = []
    covered: list[str] = []
    with (
        RunResources(settings, report) as resources,
        _temporary_folder(lake, table) as temporary,
        duckdb.connect() as connection,
    ):
        spill = sql_text(str(temporary / "spill"))
        connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'; SET temp_directory = {spill}")
        connection.execute("SET preserve_insertion_order = false")
        declared = table
        for number, commit in enumerate(recorded):
            declared, new_notes = _recorded_declaration(lake, table, commit)
            notes += new_notes
            partition_range = _partition_range(declared, commit)
            in_range = "true" if partition_range is None or partition_range.whole else partition_range.predicate()
            # Without the partitions that a newer commit has replaced.
            wanted = " AND ".join([in_range, *(f"NOT coalesce({c}, false)" for c in covered)])
            written = temporary / f"rows{number}"
            _make(resources, declared, partition_range, commit, written, report)
            files = sorted(written.rglob("*.parquet"))
            part = f"SELECT * FROM {files_relation(declared, files)} WHERE {wanted}"
            connection.execute(f"INSERT INTO again {part}" if number else f"CREATE TABLE again AS {part}")
            covered.append(in_range)
        # Partitions without a commit in the log are left out on both sides.
        current = active_paths(lake.place_of(table), delta)
        stored = f"SELECT * FROM {files_relation(declared, current)} WHERE {' OR '.join(covered)}"
        connection.execute(f"CREATE VIEW stored AS {stored}")
        return _compared(connection, declared, list(dict.fromkeys(notes)))


@contextmanager
def _temporary_folder(lake: Lake, table: Table) -> Iterator[Path]:
    """An empty folder in the zone of the table, removed at the end."""
    folder = lake.local(table.zone) / SCRATCH
    folder.mkdir(exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=folder, prefix="rebuild-") as name:
        yield Path(name)


def _recorded_declaration(lake: Lake, table: Table, commit: Mapping[str, Any]) -> tuple[Table, Sequence[str]]:
    """The declaration of a table as recorded for a commit, and notes on what is taken from the current code."""
    code_version = commit.get("code_version", "")
    if code_version == table.code_version:
        return table, []
    code = recorded_code(lake, table, code_version)
    if code is None:
        return table, [f"its code {code_version or '?'} is not recorded in the lake: the current code was used"]
    columns = [
        Column(c["name"], _type(c["type"]), c["name"], c["name"], nullable=not c["required"]) for c in code["columns"]
    ]
    known = {c.name: c for c in table.columns}
    columns = [known[c.name] if c.name in known and known[c.name].type == c.type else c for c in columns]
    folders = tables_by_folder()
    undeclared = [f for f in code["reads"].values() if f not in folders]
    if undeclared:
        raise ChuError(
            f"{table.folder} was made from {undeclared[0]}, which is no longer declared: use the code of that time"
        )
    reads = {n: folders[f] for n, f in code["reads"].items()}
    recorded, current = code["python"], table.code
    changed = [n for n in {**recorded, **current} if recorded.get(n) != current.get(n)]
    notes = (
        [f"its Python code has changed, the current one was used: {', '.join(sorted(changed)[:5])}"] if changed else []
    )
    return replace(table, columns=columns, rows=table.rows.as_recorded(code), reads=reads), notes


def _type(name: str) -> pa.DataType:
    decimal = re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", name)
    return pa.decimal128(int(decimal[1]), int(decimal[2])) if decimal else TYPES[name]


def _partition_range(table: Table, commit: Mapping[str, Any]) -> PartitionRange | None:
    """The partitions that a commit wrote; None for a table without partitions."""
    if table.partition_scheme is None or not commit.get("slices"):
        return None
    if commit.get("whole"):
        return table.partition_scheme.every()
    first, _, last = commit["slices"].partition("...")
    return table.partition_scheme.between(first, last)


def _make(
    resources: RunResources,
    table: Table,
    partition_range: PartitionRange | None,
    commit: Mapping[str, Any],
    written: Path,
    report: Callable[[str], None],
) -> None:
    """Make the rows of a commit again, in the folder `written`."""
    if not table.rows.repeatable:
        raise ChuError(f"{table.folder} depends on the time at which it was made: it cannot be rebuilt")
    read = commit.get("read", {})
    versions: dict[Table, int] = {}
    for needed in table.reads.values():
        if needed.folder not in read:
            raise ChuError(f"{table.folder}: its commit does not record which version of {needed.folder} was read")
        versions[needed] = read[needed.folder]
        if not may_read(resources.lake.place_of(needed)):
            raise ChuError(f"{table.folder} was made from {needed.folder}, which you may not read")
        versions[needed] = _readable(resources, table, needed, versions[needed])
    if (table.rows.follows_editions or table.rows.continues) and table.folder in read:
        versions[table] = _readable(resources, table, table, read[table.folder])
    _require_files(resources, table, commit)
    listed = ", ".join(f"{t.folder}@{v}" for t, v in versions.items())
    files = ", ".join(f["name"] for f in commit.get("files", ()))
    report(f"rebuilding it from {listed or files or 'the code only'}, code {commit.get('code_version', '?')}")
    scratch = written.with_name(f"{written.name}-scratch")
    for folder in (written, scratch):
        folder.mkdir()
    reading = write_rows(resources, table, partition_range, versions, {table: Write(written, scratch, written)}, None)
    if reading is not None:
        current = {(d.origin.name, d.origin.fingerprint) for d in reading.deliveries}
        if current != {(f["name"], f["sha256"]) for f in commit.get("files", ())}:
            raise ChuError(f"{table.folder}: the delivered files are not those from which it was made")


def _readable(resources: RunResources, table: Table, read: Table, recorded: int) -> int:
    """The version of a table to read instead of the recorded one. Raises ChuError if it can no longer be read."""
    version = version_with_same_rows(resources.lake.place_of(read), recorded)
    if open_if_readable(resources.lake.place_of(read), version) is None:
        raise ChuError(
            f"{table.folder} was made from {read.folder}@{version}, which can no longer be read: "
            "its files or its commit are past the retention"
        )
    return version


def _require_files(resources: RunResources, table: Table, commit: Mapping[str, Any]) -> None:
    for file in Deliveries(resources.settings).recorded_files(commit):
        if file.problem:
            raise ChuError(
                f"{table.folder} was made from {file.name}, which is {file.problem}; set CHU_SOURCES to a folder that "
                "contains the original file"
            )


def _compared(connection: duckdb.DuckDBPyConnection, table: Table, notes: Sequence[str]) -> RebuildResult:
    def count(rest: str) -> int:
        return int(connection.execute(f"SELECT count(*) FROM {rest}").fetchall()[0][0])

    # Equal rows cancel out. EXCEPT ALL in both directions would number the copies of every row in memory.
    listed = ", ".join(sql_name(c.name) for c in table.columns)
    sides = " UNION ALL ".join(f"SELECT {listed}, {n} AS n FROM {side}" for side, n in (("stored", 1), ("again", -1)))
    only_stored, only_rebuilt = connection.execute(
        "SELECT coalesce(sum(greatest(n, 0)), 0)::BIGINT, coalesce(sum(greatest(-n, 0)), 0)::BIGINT "
        f"FROM (SELECT sum(n) AS n FROM ({sides}) GROUP BY {listed} HAVING sum(n) <> 0)"
    ).fetchall()[0]
    columns: dict[str, int] = {}
    if (only_stored or only_rebuilt) and table.key:
        same = " AND ".join(f"s.{sql_name(c)} = a.{sql_name(c)}" for c in table.key)
        for column in (c.name for c in table.columns if not c.key):
            differ = f"s.{sql_name(column)} IS DISTINCT FROM a.{sql_name(column)}"
            if number := count(f"stored s JOIN again a ON {same} WHERE {differ}"):
                columns[column] = number
    return RebuildResult(count("stored"), count("again"), only_stored, only_rebuilt, columns, notes)


def result_lines(result: RebuildResult, name: str) -> Iterator[str]:
    """The result as lines for the user."""
    yield from (f"NOTE {note}" for note in result.notes)
    if result.equal:
        yield f"EQUAL: {name} has {result.stored} rows, and the rebuilt rows are the same"
        return
    yield (
        f"NOT EQUAL: {result.only_stored} of the {result.stored} stored rows of {name} are not among the rebuilt rows; "
        f"{result.only_rebuilt} of the {result.rebuilt} rebuilt rows are not stored"
    )
    for column, number in result.columns.items():
        yield f"  {column} differs in {number} rows of the same key"
