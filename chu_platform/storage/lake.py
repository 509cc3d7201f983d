"""Places and reading: the three zones, the Delta table of a declaration, its rows for DuckDB and Arrow.

Here: everything that reads the lake from Python. Not here: writing (publish), and the engines' own reading.
"""

import fcntl
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from chu_platform.errors import ChuError, Transient
from chu_platform.storage.provenance import last_data_commit
from chu_platform.tables.columns import sql_type
from chu_platform.tables.duckdb_sql import sql_path
from chu_platform.tables.table import StoredTable, Table, Zone

STAGING = ".staging"
# Seconds: longer than any step of a full-size pack.
LOCK_TIMEOUT_SECONDS = 600.0


class BeingWritten(Transient):
    """Another process holds the table."""

    def __init__(self, table: Table) -> None:
        super().__init__(f"{table.folder} is being written by another process: try again when that has ended")


class Lake:
    """The lake below one root folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def prepare(self) -> None:
        """Create the zones: only the owner enters `restricted`, only owner and group `pseudonymised`.

        Raises ChuError when the folder cannot be written.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            for zone, mode in (
                (Zone.RESTRICTED, 0o700),
                (Zone.PSEUDONYMISED, 0o750),
                (Zone.PUBLISHED, 0o755),
            ):
                folder = self.root / zone
                folder.mkdir(exist_ok=True)
                folder.chmod(mode)
        except OSError as error:
            raise ChuError(
                f"the lake {self.root} cannot be written ({error.strerror}): "
                "set CHU_LAKE or CHU_HOME to a folder of yours"
            ) from None

    def path(self, table: StoredTable) -> Path:
        """Folder of the table."""
        return self.root / table.folder

    def open(self, table: StoredTable) -> DeltaTable | None:
        """The Delta table as it is now, or None when it was never written."""
        path = self.path(table)
        if not (path / "_delta_log").is_dir():
            return None
        try:
            return DeltaTable(path)
        except TableNotFoundError:
            return None

    def require(self, table: StoredTable) -> DeltaTable:
        """The Delta table as it is now. Raises ChuError when it was never written."""
        delta = self.open(table)
        if delta is None:
            raise ChuError(f"{table.folder} is not in the lake yet: materialise {table.layer}/{table.name} first")
        return delta

    def version(self, table: Table) -> int:
        """Version of the table now. Raises ChuError when it was never written."""
        return self.require(table).version()

    def provenance(self, table: Table) -> dict[str, Any]:
        """What the last publication of the table says of itself; empty when there is none."""
        delta = self.open(table)
        return last_data_commit(delta) if delta else {}

    def relation(self, table: StoredTable, version: int | None = None) -> str:
        """DuckDB relation (an expression for FROM) of the table's rows at `version`, or now.

        The files are those of the Delta log; the platform's tables have no deletion vectors and no column mapping.
        """
        delta = self.require(table)
        if version is not None:
            delta.load_as_version(version)
        return files_relation(table, active_paths(self.path(table), delta))

    def arrow(self, table: StoredTable, columns: Sequence[str] = (), version: int | None = None) -> pa.Table:
        """The table's rows as Arrow: `columns`, or all of them, in the declared order and types."""
        listed = ", ".join(f'"{c}"' for c in columns) or "*"
        rows: pa.Table = duckdb.connect().sql(f"SELECT {listed} FROM {self.relation(table, version)}").to_arrow_table()
        return rows

    def before(self, table: Table) -> pa.Table:
        """The rows of the table as it is, none when it was never written: in the declared columns, null in those that
        it was written without.
        """
        delta = self.open(table)
        if delta is None:
            return table.schema.empty_table()
        there = {field.name for field in delta.schema().fields}
        found = self.arrow(replace(table, columns=[c for c in table.columns if c.name in there]))
        columns = [
            found[c.name] if c.name in there else pa.nulls(len(found), c.type).cast(c.type) for c in table.columns
        ]
        return pa.table(columns, names=[c.name for c in table.columns])

    def markdown(self, table: Table, query: str) -> str:
        """The rows of a query over `{this}`, the table now, as a Markdown table."""
        found = duckdb.connect().sql(query.format(this=self.relation(table)))
        lines = [found.columns, ["---"] * len(found.columns), *found.fetchall()]
        return "\n".join("| " + " | ".join("" if v is None else str(v) for v in line) + " |" for line in lines)

    def staging_folder(self, table: Table) -> Path:
        """Where rows of the table wait before they are published: on its own file system."""
        return self.root / table.zone / STAGING / f"{table.layer}.{table.name}"

    @contextmanager
    def writing(self, table: Table, wait: bool = True) -> Iterator[None]:
        """Hold the table: one process at a time writes it, whatever has started that one.

        Delta's own check is not enough: a publication computed from the version of before an OPTIMIZE would leave the
        rewritten rows beside its own. The kernel frees the lock with the process. Raises BeingWritten when another
        holds it; with `wait`, only after a long time.
        """
        folder = self.staging_folder(table)
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with folder.with_name(f"{folder.name}.lock").open("w") as lock:
            deadline = time.monotonic() + (LOCK_TIMEOUT_SECONDS if wait else 0)
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= deadline:
                        raise BeingWritten(table) from None
                    time.sleep(0.1)
            yield

    @contextmanager
    def staging(self, table: Table) -> Iterator[Path]:
        """The table's lock, and an empty folder, gone afterwards; what a killed run left is removed."""
        folder = self.staging_folder(table)
        with self.writing(table):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True, mode=0o700)
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)


def active_files(delta: DeltaTable) -> list[dict[str, Any]]:
    """The files of the table at its loaded version: `path`, `size_bytes`, `num_records`, `partition`, and more."""
    files: list[dict[str, Any]] = pa.table(delta.get_add_actions()).to_pylist()
    return files


def active_paths(path: Path, delta: DeltaTable) -> list[Path]:
    """Where the files of the table in the folder `path` lie, at its loaded version."""
    return [path / f["path"] for f in active_files(delta)]


def files_relation(table: StoredTable, files: Sequence[Path]) -> str:
    """DuckDB relation of the table's columns over Parquet files; partition columns come from the folders' names."""
    if not files:
        nothing = ", ".join(f'CAST(NULL AS {sql_type(c.type)}) AS "{c.name}"' for c in table.columns)
        return f"(SELECT {nothing} WHERE false)"
    listed = ", ".join(sql_path(f) for f in files)
    types = ", ".join(f"'{c.name}': {sql_type(c.type)}" for c in table.columns if c.name in table.partition_by)
    hive = f", hive_partitioning = true, hive_types = {{{types}}}" if types else ", hive_partitioning = false"
    columns = ", ".join(f'CAST("{c.name}" AS {sql_type(c.type)}) AS "{c.name}"' for c in table.columns)
    return f"(SELECT {columns} FROM read_parquet([{listed}]{hive}))"
