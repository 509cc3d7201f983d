"""`chu rebuild`: makes a past version of a table again from what its commits record, and compares the rows."""

import os
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
from chu_platform.graph.step import stage
from chu_platform.settings import Settings
from chu_platform.storage.lake import STAGING, Lake, active_paths, files_relation
from chu_platform.storage.provenance import data_commits
from chu_platform.storage.recorded_code import recorded_code
from chu_platform.storage.restore import open_if_readable
from chu_platform.tables.columns import BOOLEAN, DATE, DOUBLE, INTEGER, LONG, STRING, Column, sql_type
from chu_platform.tables.duckdb_sql import sql_name, sql_text
from chu_platform.tables.partitions import PartitionRange
from chu_platform.tables.table import Layer, Table
from chu_platform.trace.delivered_lines import Deliveries
from chu_platform.trace.scratch_folder import MEMORY_LIMIT
from chu_platform.trace.version_chain import find_table, require_version, tables_by_folder

TYPES: Mapping[str, pa.DataType] = {sql_type(t): t for t in (STRING, INTEGER, LONG, DOUBLE, BOOLEAN, DATE)}


@dataclass(frozen=True)
class Rebuilt:
    """The comparison of a stored version with the rows made again, in numbers of rows.

    `columns` gives, by column, how many rows of the same key differ in it. `notes` say what could not be restored to
    its state of then.
    """

    stored: int
    rebuilt: int
    only_stored: int
    only_rebuilt: int
    columns: Mapping[str, int]
    notes: Sequence[str]

    @property
    def equal(self) -> bool:
        """Whether the same rows were made."""
        return not self.only_stored and not self.only_rebuilt


def rebuild(settings: Settings, name: str, version: int | None, say: Callable[[str], None]) -> Rebuilt:
    """Make a version of a table again in a temporary folder, and compare it.

    `say` reports the progress. Raises ChuError when that is impossible: a version past the retention, a delivered file
    that has changed, or a table that depends on the time at which it was made.
    """
    lake = Lake(settings.lake_folder)
    table = find_table(name)
    if table.layer is Layer.REJECTS:
        raise ChuError(f"{table.folder} is made with its source: rebuild sources/{table.name}")
    at = require_version(lake, table, version)
    recorded = list(data_commits(lake.path(table), at))
    if not recorded:
        raise ChuError(f"{table.folder}@{at} has no recorded commit: there is nothing to rebuild it from")
    delta = open_if_readable(lake.path(table), at)
    if delta is None:
        raise ChuError(f"{table.folder}@{at} can no longer be read: its files or its commit are past the retention")
    notes: list[str] = []
    covered: list[str] = []
    with (
        RunResources(settings, say) as resources,
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
            own = "true" if partition_range is None or partition_range.whole else partition_range.predicate()
            # Rows that a newer commit has replaced do not come from this one.
            wanted = " AND ".join([own, *(f"NOT coalesce({c}, false)" for c in covered)])
            staged = temporary / f"rows{number}"
            _make(resources, declared, partition_range, commit, staged, say)
            files = sorted(staged.rglob("*.parquet"))
            part = f"SELECT * FROM {files_relation(declared, files)} WHERE {wanted}"
            connection.execute(f"INSERT INTO again {part}" if number else f"CREATE TABLE again AS {part}")
            covered.append(own)
        # Partitions of which the log has no commit are left out on both sides.
        current = active_paths(lake.path(table), delta)
        stored = f"SELECT * FROM {files_relation(declared, current)} WHERE {' OR '.join(covered)}"
        connection.execute(f"CREATE VIEW stored AS {stored}")
        return _compared(connection, declared, list(dict.fromkeys(notes)))


@contextmanager
def _temporary_folder(lake: Lake, table: Table) -> Iterator[Path]:
    """An empty folder in the zone of the table, removed at the end."""
    folder = lake.root / table.zone / STAGING
    folder.mkdir(exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=folder, prefix="rebuild-") as name:
        yield Path(name)


def _recorded_declaration(lake: Lake, table: Table, commit: Mapping[str, Any]) -> tuple[Table, Sequence[str]]:
    """The declaration of a table as the lake keeps it for a commit, and notes on what is taken from today's code."""
    code_version = commit.get("code_version", "")
    if code_version == table.code_version:
        return table, []
    code = recorded_code(lake, table, code_version)
    if code is None:
        return table, [f"its code {code_version or '?'} was not kept: made by that of today"]
    columns = [
        Column(c["name"], _type(c["type"]), c["name"], c["name"], nullable=not c["required"]) for c in code["columns"]
    ]
    known = {c.name: c for c in table.columns}
    columns = [known[c.name] if c.name in known and known[c.name].type == c.type else c for c in columns]
    folders = tables_by_folder()
    gone = [f for f in code["reads"].values() if f not in folders]
    if gone:
        raise ChuError(f"{table.folder} was made of {gone[0]}, which is no longer declared: go back to that code")
    reads = {n: folders[f] for n, f in code["reads"].items()}
    python, today = code["python"], table.code
    other = [n for n in {**python, **today} if python.get(n) != today.get(n)]
    notes = [f"its Python has changed since, and today's was used: {', '.join(sorted(other)[:5])}"] if other else []
    return replace(table, columns=columns, rows=table.rows.as_recorded(code), reads=reads), notes


def _type(name: str) -> pa.DataType:
    decimal = re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", name)
    return pa.decimal128(int(decimal[1]), int(decimal[2])) if decimal else TYPES[name]


def _partition_range(table: Table, commit: Mapping[str, Any]) -> PartitionRange | None:
    """The partitions that a commit made; None for a table without partitions."""
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
    staged: Path,
    say: Callable[[str], None],
) -> None:
    """Make the rows of a commit again, below `staged`."""
    if not table.rows.repeatable:
        raise ChuError(f"{table.folder} depends on the time at which it was made: it cannot be made again")
    read = commit.get("read", {})
    versions: dict[Table, int] = {}
    for needed in table.reads.values():
        if needed.folder not in read:
            raise ChuError(f"{table.folder}: the version of {needed.folder} that it read is not recorded")
        versions[needed] = read[needed.folder]
        if not os.access(resources.lake.path(needed), os.R_OK | os.X_OK):
            raise ChuError(f"{table.folder} was made of {needed.folder}, which you may not read")
        if open_if_readable(resources.lake.path(needed), versions[needed]) is None:
            raise ChuError(
                f"{table.folder} was made of {needed.folder}@{versions[needed]}, which can no longer be read: "
                "its files or its commit are past the retention"
            )
    _require_files(resources, table, commit)
    listed = ", ".join(f"{t.folder}@{v}" for t, v in versions.items())
    files = ", ".join(f["name"] for f in commit.get("files", ()))
    say(f"making it again from {listed or files or 'the code alone'}, code {commit.get('code_version', '?')}")
    staged.mkdir()
    reading = stage(resources, table, partition_range, versions, {table: staged}, None)
    if reading is not None:
        now = {(d.origin.name, d.origin.fingerprint) for d in reading.deliveries}
        if now != {(f["name"], f["sha256"]) for f in commit.get("files", ())}:
            raise ChuError(f"{table.folder}: other files are delivered now than those that were read then")


def _require_files(resources: RunResources, table: Table, commit: Mapping[str, Any]) -> None:
    for file in Deliveries(resources.settings).recorded_files(commit):
        if file.problem:
            raise ChuError(
                f"{table.folder} was made of {file.name}, which is {file.problem}; set CHU_SOURCES to a folder that "
                "has it as it was"
            )


def _compared(connection: duckdb.DuckDBPyConnection, table: Table, notes: Sequence[str]) -> Rebuilt:
    def count(rest: str) -> int:
        return int(connection.execute(f"SELECT count(*) FROM {rest}").fetchall()[0][0])

    # Equal rows cancel out. (EXCEPT ALL, twice, would number the copies of every row in memory.)
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
    return Rebuilt(count("stored"), count("again"), only_stored, only_rebuilt, columns, notes)


def result_lines(found: Rebuilt, name: str) -> Iterator[str]:
    """The lines that report a comparison to the user."""
    yield from (f"NOTE {note}" for note in found.notes)
    if found.equal:
        yield f"EQUAL: {name} has {found.stored} rows, and the same ones came out"
        return
    yield (
        f"NOT EQUAL: of {found.stored} rows of {name}, {found.only_stored} did not come out; of {found.rebuilt} made "
        f"again, {found.only_rebuilt} are not in it"
    )
    for column, number in found.columns.items():
        yield f"  {column} differs in {number} rows of the same key"
