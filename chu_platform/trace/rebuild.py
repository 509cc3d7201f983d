"""`chu rebuild`: a past version of a table, made again from what is recorded of it and compared, beside the lake.

Here: the table as it was declared, its inputs, the comparison. Not here: making rows (graph.step).
"""

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
from chu_platform.storage.restore import readable
from chu_platform.tables.columns import BOOLEAN, DATE, DOUBLE, INTEGER, LONG, STRING, Column, sql_type
from chu_platform.tables.duckdb_sql import sql_name, sql_text
from chu_platform.tables.partitions import PartitionRange
from chu_platform.tables.table import Layer, Table
from chu_platform.trace.delivered_lines import Deliveries
from chu_platform.trace.scratch_folder import MEMORY_LIMIT
from chu_platform.trace.version_chain import find_table, tables_by_folder, version_of

TYPES: Mapping[str, pa.DataType] = {sql_type(t): t for t in (STRING, INTEGER, LONG, DOUBLE, BOOLEAN, DATE)}


@dataclass(frozen=True)
class Rebuilt:
    """A comparison of a stored version with its rebuilding: numbers of rows, and, by column, how many rows of the same
    key differ in it. `notes` say what could not be as it was then.
    """

    stored: int
    rebuilt: int
    only_stored: int
    only_rebuilt: int
    columns: Mapping[str, int]
    notes: Sequence[str]

    @property
    def equal(self) -> bool:
        """Whether the same rows came out."""
        return not self.only_stored and not self.only_rebuilt


def rebuild(settings: Settings, name: str, version: int | None, say: Callable[[str], None]) -> Rebuilt:
    """Make a version of a table again, in a place of its own, and compare it.

    Raises ChuError when it cannot be: a version past the retention, a delivered file that is another one now, or a
    table that tells of a moment.
    """
    lake = Lake(settings.lake_folder)
    table = find_table(name)
    if table.layer is Layer.REJECTS:
        raise ChuError(f"{table.folder} is made with its source: rebuild sources/{table.name}")
    at = version_of(lake, table, version)
    said = list(data_commits(lake.path(table), at))
    if not said:
        raise ChuError(f"{table.folder}@{at} has no recorded publication: there is nothing to rebuild it from")
    delta = readable(lake.path(table), at)
    if delta is None:
        raise ChuError(f"{table.folder}@{at} does not read any more: its files or its commit are past the retention")
    notes: list[str] = []
    covered: list[str] = []
    with RunResources(settings, say) as platform, _place(lake, table) as place, duckdb.connect() as connection:
        spill = sql_text(str(place / "spill"))
        connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'; SET temp_directory = {spill}")
        connection.execute("SET preserve_insertion_order = false")
        then = table
        for number, publication in enumerate(said):
            then, found = _as_it_was(lake, table, publication)
            notes += found
            partition_range = _slices(then, publication)
            own = "true" if partition_range is None or partition_range.whole else partition_range.predicate()
            # What a newer publication made again is not of this one.
            wanted = " AND ".join([own, *(f"NOT coalesce({c}, false)" for c in covered)])
            staged = place / f"rows{number}"
            _make(platform, then, partition_range, publication, staged, say)
            files = sorted(staged.rglob("*.parquet"))
            part = f"SELECT * FROM {files_relation(then, files)} WHERE {wanted}"
            connection.execute(f"INSERT INTO again {part}" if number else f"CREATE TABLE again AS {part}")
            covered.append(own)
        # PartitionRange that no publication of the log tells of are left out on both sides.
        lying = active_paths(lake.path(table), delta)
        stored = f"SELECT * FROM {files_relation(then, lying)} WHERE {' OR '.join(covered)}"
        connection.execute(f"CREATE VIEW stored AS {stored}")
        return _compared(connection, then, list(dict.fromkeys(notes)))


@contextmanager
def _place(lake: Lake, table: Table) -> Iterator[Path]:
    """An empty folder in the table's own zone, gone afterwards."""
    folder = lake.root / table.zone / STAGING
    folder.mkdir(exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=folder, prefix="rebuild-") as place:
        yield Path(place)


def _as_it_was(lake: Lake, table: Table, publication: Mapping[str, Any]) -> tuple[Table, Sequence[str]]:
    """The declaration that a publication was made by, as far as the lake keeps it, and what is of today instead."""
    code_version = publication.get("code_version", "")
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
        raise ChuError(f"{table.folder} was made of {gone[0]}, which is not declared any more: go back to that code")
    reads = {n: folders[f] for n, f in code["reads"].items()}
    python, today = code["python"], table.code
    other = [n for n in {**python, **today} if python.get(n) != today.get(n)]
    notes = [f"its Python has changed since, and today's was used: {', '.join(sorted(other)[:5])}"] if other else []
    return replace(table, columns=columns, rows=table.rows.as_recorded(code), reads=reads), notes


def _type(name: str) -> pa.DataType:
    decimal = re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", name)
    return pa.decimal128(int(decimal[1]), int(decimal[2])) if decimal else TYPES[name]


def _slices(table: Table, publication: Mapping[str, Any]) -> PartitionRange | None:
    """The partitions that a publication made; all of them when it was all there were."""
    if table.partition_scheme is None or not publication.get("slices"):
        return None
    if publication.get("whole"):
        return table.partition_scheme.every()
    first, _, last = publication["slices"].partition("...")
    return table.partition_scheme.between(first, last)


def _make(
    platform: RunResources,
    table: Table,
    partition_range: PartitionRange | None,
    publication: Mapping[str, Any],
    staged: Path,
    say: Callable[[str], None],
) -> None:
    """Make the rows of a publication again, below `staged`."""
    if not table.rows.repeatable:
        raise ChuError(f"{table.folder} tells of the moment it was made at: it cannot be made again")
    read = publication.get("read", {})
    versions: dict[Table, int] = {}
    for needed in table.reads.values():
        if needed.folder not in read:
            raise ChuError(f"{table.folder}: the version of {needed.folder} that it read is not recorded")
        versions[needed] = read[needed.folder]
        if not os.access(platform.lake.path(needed), os.R_OK | os.X_OK):
            raise ChuError(f"{table.folder} was made of {needed.folder}, which you may not read")
        if readable(platform.lake.path(needed), versions[needed]) is None:
            raise ChuError(
                f"{table.folder} was made of {needed.folder}@{versions[needed]}, which does not read any more: "
                "its files or its commit are past the retention"
            )
    _require_files(platform, table, publication)
    listed = ", ".join(f"{t.folder}@{v}" for t, v in versions.items())
    files = ", ".join(f["name"] for f in publication.get("files", ()))
    say(f"making it again from {listed or files or 'the code alone'}, code {publication.get('code_version', '?')}")
    staged.mkdir()
    reading = stage(platform, table, partition_range, versions, {table: staged}, None)
    if reading is not None:
        now = {(d.origin.name, d.origin.fingerprint) for d in reading.deliveries}
        if now != {(f["name"], f["sha256"]) for f in publication.get("files", ())}:
            raise ChuError(f"{table.folder}: other files are delivered now than those that were read then")


def _require_files(platform: RunResources, table: Table, publication: Mapping[str, Any]) -> None:
    for file in Deliveries(platform.settings).recorded(publication):
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


def told(found: Rebuilt, name: str) -> Iterator[str]:
    """The lines that say how a rebuilding went."""
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
