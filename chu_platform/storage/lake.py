"""Access to the lake from Python: zones, folders, locks, and the rows of a table for DuckDB and Arrow."""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

import duckdb
import pyarrow as pa
from deltalake import DeltaTable

from chu_platform.errors import ChuError, TransientError
from chu_platform.storage.commit_log import UnreadableLogError
from chu_platform.storage.damaged_log import open_table, set_aside
from chu_platform.storage.duckdb_session import SMALL, small_connection
from chu_platform.storage.durable import flush
from chu_platform.storage.file_lock import Locked
from chu_platform.storage.lake_format import require_format
from chu_platform.storage.partition_folders import escaped
from chu_platform.storage.provenance import last_data_commit
from chu_platform.storage.store import LakePath, delta_table, local_files, lock, sizes_of, store_errors
from chu_platform.storage.store_path import StorePath
from chu_platform.tables.columns import sql_type
from chu_platform.tables.duckdb_sql import sql_path
from chu_platform.tables.table import StoredTable, Table, Zone

# Folder in each zone with locks and temporary files. Its name on disk is kept for existing lakes.
SCRATCH = ".staging"
# Folder in the folder of a table into which Spark writes; at the end, it moves the files into the folder of the table.
UNFINISHED = "_temporary"
# Longer than any step of a full-size pack.
LOCK_TIMEOUT_SECONDS = 600.0


class TableLocked(TransientError):
    """Another process holds the write lock of the table."""

    def __init__(self, table: Table) -> None:
        super().__init__(f"{table.folder} is being written by another process: try again after it has ended")


@dataclass(frozen=True)
class Write:
    """One write of a table: the folder `rows` for its Parquet files, and `scratch`.

    `rows` is the folder of the table; for a lake in an object store, a local folder whose files a commit uploads. The
    engine writes to `target`, which is the place of the table: `fetch` then copies its files to `rows` if need be.

    `before` are the files that were in `rows` before the write. File names must be new: `new_name` gives some.
    `scratch` is for temporary files.
    """

    rows: Path
    scratch: Path
    target: LakePath
    before: frozenset[Path] = frozenset()
    remote_before: frozenset[str] = frozenset()
    token: str = field(default_factory=lambda: uuid4().hex)

    def new_name(self, name: str) -> str:
        """A name for a file of this write that no other write uses."""
        return f"part-{self.token}-{name}"

    def fetch(self) -> None:
        """Copy the files of this write that are in the object store only, so that they can be checked.

        Folders get their escaped names: DuckDB cannot read all names that engines give.
        """
        if isinstance(self.target, StorePath):
            for name in self.remote_names():
                (self.target / name).download(self._place_of(name))
            return
        for file in self.files:
            place = self._place_of(file.relative_to(self.rows).as_posix())
            if place != file:
                place.parent.mkdir(parents=True, exist_ok=True)
                file.rename(place)

    def _place_of(self, name: str) -> Path:
        """Where a written file of this relative name belongs in `rows`."""
        folder, _, file = name.rpartition("/")
        return self.rows / escaped(folder) / file

    def remote_names(self) -> Sequence[str]:
        """The files of this write in the object store."""
        return (
            [n for n in self.target.names() if _is_data(n) and n not in self.remote_before]
            if isinstance(self.target, StorePath)
            else []
        )

    @property
    def files(self) -> Sequence[Path]:
        """The Parquet files that were written."""
        return [path for path in _files(self.rows) if path.suffix == ".parquet" and path not in self.before]


class DamagedLog(ChuError):
    """The log of a table cannot be read."""

    def __init__(self, table: StoredTable) -> None:
        super().__init__(
            f"the log of {table.folder} cannot be read: it is damaged; materialise {table.layer}/{table.name} again"
        )


class Lake:
    """The lake below one root."""

    def __init__(self, place: LakePath) -> None:
        self.place = place

    @property
    def root(self) -> Path:
        """The folder of the lake. Raises TypeError for a lake in an object store."""
        if isinstance(self.place, StorePath):
            raise TypeError(f"{self.place} is not a folder")
        return self.place

    def prepare(self) -> None:
        """Create the zones. Only the owner may enter `restricted`; only owner and group may enter `pseudonymised`.

        A new lake gets the number of the present format. Raises ChuError if the folder cannot be written, or if the
        lake has another format.
        """
        if isinstance(self.place, StorePath):
            for zone in Zone:
                (self.place / zone / SCRATCH / "prepared").write_bytes(b"")
            require_format(self.place)
            return
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
            require_format(self.root)
        except OSError as error:
            raise ChuError(
                f"the lake {self.root} cannot be written ({error.strerror}): "
                "set CHU_LAKE or CHU_HOME to a folder that you can write"
            ) from None

    def place_of(self, table: StoredTable) -> LakePath:
        """Place of the table."""
        return self.place / table.folder

    def path(self, table: StoredTable) -> Path:
        """Folder of the table. Raises TypeError for a lake in an object store."""
        return self.root / table.folder

    def open(self, table: StoredTable, version: int | None = None) -> DeltaTable | None:
        """The Delta table at `version` (default: current version); None if the table does not exist yet.

        Raises DamagedLog if its log cannot be read.
        """
        try:
            delta = open_table(self.place_of(table))
        except UnreadableLogError:
            raise DamagedLog(table) from None
        if delta is not None and version not in (None, delta.version()):
            return delta_table(self.place_of(table), version)
        return delta

    def recover(self, table: Table) -> Sequence[str]:
        """Set aside what cannot be read of the log of a table, so that it can be made again; returns the file names."""
        with self.write_lock(table):
            return set_aside(self.place_of(table))

    def require(self, table: StoredTable, version: int | None = None) -> DeltaTable:
        """The Delta table at `version` (default: current version). Raises ChuError if the table does not exist yet."""
        delta = self.open(table, version)
        if delta is None:
            raise ChuError(f"{table.folder} is not in the lake yet: materialise {table.layer}/{table.name} first")
        return delta

    def version(self, table: Table) -> int:
        """Current version of the table. Raises ChuError if the table does not exist yet."""
        return self.require(table).version()

    def provenance(self, table: Table) -> dict[str, Any]:
        """Metadata of the commit that made the current rows of the table; empty if there is none."""
        delta = self.open(table)
        return last_data_commit(self.place_of(table), delta) if delta else {}

    def relation(self, table: StoredTable, version: int | None = None) -> str:
        """DuckDB relation (an expression for FROM) of the table's rows at `version` (default: current version).

        It reads the Parquet files that the Delta log lists: tables of the platform have no deletion vectors and no
        column mapping. Raises ChuError if the table does not exist yet.
        """
        return files_relation(table, active_paths(self.place_of(table), self.require(table, version)))

    def arrow(
        self, table: StoredTable, columns: Sequence[str] = (), version: int | None = None, condition: str = "true"
    ) -> pa.Table:
        """Rows of the table as Arrow, in declared order and types: all columns, or those in `columns`.

        `condition` is DuckDB SQL over the columns of the table.
        """
        listed = ", ".join(f'"{c}"' for c in columns) or "*"
        files = active_files(self.require(table, version))
        relation = files_relation(table, [self.place_of(table) / f["path"] for f in files])
        with small_connection() if sum(f["size_bytes"] for f in files) <= SMALL else duckdb.connect() as connection:
            rows: pa.Table = connection.sql(f"SELECT {listed} FROM {relation} WHERE {condition}").to_arrow_table()
        return rows

    def copy_rows(self, table: StoredTable, version: int, write: Write) -> None:
        """Copy the files of a version of a table as the files of a write of another table. Each appears as a whole."""
        place = self.place_of(table)
        for number, name in enumerate(f["path"] for f in active_files(self.require(table, version))):
            folder, part = (write.rows / name).parent, write.scratch / f"{number}.parquet"
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(local_files([place / name])[0], part)
            part.replace(folder / write.new_name(f"{number}.parquet"))

    def current_rows(self, table: Table, version: int | None = None) -> pa.Table:
        """Rows of the table at `version` (default: current version) in its declared columns.

        No rows if the table does not exist yet. Declared columns that the committed table does not have are null.
        """
        delta = self.open(table, version)
        if delta is None:
            return table.schema.empty_table()
        committed = {field.name for field in delta.schema().fields}
        present = [c for c in table.columns if c.name in committed]
        found = self.arrow(replace(table, columns=present), version=version)
        columns = [
            found[c.name] if c.name in committed else pa.nulls(len(found), c.type).cast(c.type) for c in table.columns
        ]
        return pa.table(columns, names=[c.name for c in table.columns])

    def markdown(self, table: Table, query: str) -> str:
        """Rows of a query over `{this}`, the current version of the table, as a Markdown table."""
        with small_connection() as connection:
            found = connection.sql(query.format(this=self.relation(table)))
            lines = [found.columns, ["---"] * len(found.columns), *found.fetchall()]
        return "\n".join("| " + " | ".join("" if v is None else str(v) for v in line) + " |" for line in lines)

    def local(self, zone: Zone) -> Path:
        """Folder for local files of a zone: the zone itself; for an object store, a private folder."""
        if not isinstance(self.place, StorePath):
            return self.root / zone
        folder = self.place.root.work / zone
        folder.mkdir(exist_ok=True)
        return folder

    def make_durable(self, table: Table, names: Sequence[str], write: Write | None = None) -> None:
        """Write files of a table, by relative name, to the disk; to an object store, upload those of a write."""
        path = self.place_of(table)
        if isinstance(path, StorePath):
            there = set(write.remote_names()) if write else set(names)
            for name in names:
                if write and name not in there:
                    (path / name).upload(write.rows / name)
        else:
            flush(self.root, [f"{table.folder}/{name}" for name in names])

    def make_durable_commit(self, table: Table, version: int) -> None:
        """Write the commit of a version to the disk."""
        self.make_durable(table, [f"_delta_log/{version:020}.json"])

    def require_lock(self, table: Table) -> None:
        """Raise LeaseLost if this process has lost the write lock of the table, which only leases can be."""
        lock = self._lock(table)
        if isinstance(lock, StorePath):
            lock.require_lease()

    def _lock(self, table: Table) -> LakePath:
        return self.place / table.zone / SCRATCH / f"{table.layer}.{table.name}.lock"

    def scratch_folder(self, table: Table) -> Path:
        """Folder for temporary files of a write of the table."""
        return self.local(table.zone) / SCRATCH / f"{table.layer}.{table.name}"

    @contextmanager
    def write_lock(self, table: Table, wait: bool = True) -> Iterator[None]:
        """Hold the write lock of the table, so that only one process writes it at a time.

        Delta's conflict check is not enough: a commit computed from the version before an OPTIMIZE would add its rows
        to the rewritten ones. The kernel releases the lock when the process ends; a lease expires (`lease`).
        Raises TableLocked if another process holds the lock: at once without `wait`, otherwise after
        LOCK_TIMEOUT_SECONDS.
        """
        try:
            with (
                store_errors(self.place),
                lock(self._lock(table), LOCK_TIMEOUT_SECONDS if wait else 0),
            ):
                yield
        except Locked:
            raise TableLocked(table) from None

    @contextmanager
    def writing(self, table: Table, wait: bool = True) -> Iterator[Write]:
        """Hold the write lock (see `write_lock`) for one write of the table.

        At the end, the written files are deleted that the current version of the table does not name. After a kill,
        they remain; no version names them, and VACUUM deletes them.
        """
        scratch, target = self.scratch_folder(table), self.place_of(table)
        rows = scratch / "rows" if isinstance(target, StorePath) else target
        with self.write_lock(table, wait):
            self._delete_unfinished(target)
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir(parents=True, mode=0o700)
            rows.mkdir(parents=True, exist_ok=True)
            remote = frozenset(target.names()) if isinstance(target, StorePath) else frozenset()
            write = Write(rows, scratch, target, frozenset(_files(rows)), remote)
            try:
                yield write
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
                self._delete_unnamed(table, write)

    def _delete_unfinished(self, target: LakePath) -> None:
        """Delete what a killed write by Spark has left: VACUUM ignores its folder."""
        if isinstance(target, StorePath):
            for name in (target / UNFINISHED).names():
                (target / UNFINISHED / name).unlink(missing_ok=True)
        else:
            shutil.rmtree(target / UNFINISHED, ignore_errors=True)

    def _delete_unnamed(self, table: Table, write: Write) -> None:
        """Delete the files of a write that the current version of the table does not name, and empty folders."""
        delta = self.open(table)
        if isinstance(write.target, StorePath):
            named = {f["path"] for f in active_files(delta)} if delta else set()
            for name in set(write.remote_names()) - named:
                (write.target / name).unlink()
            return
        kept = write.before.union([write.rows / f["path"] for f in active_files(delta)] if delta else ())
        for file in set(_files(write.rows)) - kept:
            file.unlink()
        for folder, _, _ in os.walk(write.rows, topdown=False):
            if not any(Path(folder).iterdir()):
                Path(folder).rmdir()


def _is_data(name: str) -> bool:
    """Whether a file of a table, by relative name, is not one of its log."""
    return not name.startswith("_delta_log")


def _files(folder: Path) -> list[Path]:
    """The files of a table, in order of path, without those of its log."""
    found = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith("_delta_log")]
        found += [Path(parent, name) for name in names]
    return sorted(found)


def active_files(delta: DeltaTable) -> list[dict[str, Any]]:
    """Files of the table at its loaded version: `path`, `size_bytes`, `num_records`, `partition` and others."""
    # Not `pa.table`, which imports pandas: that takes a third of a second.
    files: list[dict[str, Any]] = pa.RecordBatchReader.from_stream(delta.get_add_actions()).read_all().to_pylist()
    # delta-rs gives the paths as they are in the log.
    return [{**file, "path": unquote(file["path"])} for file in files]


def size_of(delta: DeltaTable) -> int:
    """Bytes of the files of the table at its loaded version."""
    return sum(f["size_bytes"] for f in active_files(delta))


def are_present(path: LakePath, files: Sequence[Mapping[str, Any]]) -> bool:
    """Whether files of `active_files` of the table in the folder `path` exist and have their sizes."""
    return sizes_of(path, [f["path"] for f in files]) == [f["size_bytes"] for f in files]


def partition_of(file: Mapping[str, Any]) -> dict[str, str | None]:
    """The values of the partition columns of a file of `active_files`, as texts."""
    return {name: None if value is None else str(value) for name, value in (file.get("partition") or {}).items()}


def active_paths(path: LakePath, delta: DeltaTable) -> list[LakePath]:
    """Paths of the files of the table in the folder `path`, at its loaded version."""
    return [path / f["path"] for f in active_files(delta)]


def files_relation(table: StoredTable, files: Sequence[LakePath]) -> str:
    """DuckDB relation of the table's columns over Parquet files. Folder names give the partition columns."""
    if not files:
        nothing = ", ".join(f'CAST(NULL AS {sql_type(c.type)}) AS "{c.name}"' for c in table.columns)
        return f"(SELECT {nothing} WHERE false)"
    local = local_files(files)
    listed = ", ".join(sql_path(f) for f in local)
    # A table from before a change of its partition columns has other folders.
    in_folders = {part.partition("=")[0] for part in local[0].parts if "=" in part}
    folder_columns = [c for c in table.columns if c.name in table.partition_by and c.name in in_folders]
    types = ", ".join(f"'{c.name}': {sql_type(c.type)}" for c in folder_columns)
    hive = f", hive_partitioning = true, hive_types = {{{types}}}" if types else ", hive_partitioning = false"
    columns = ", ".join(f'CAST("{c.name}" AS {sql_type(c.type)}) AS "{c.name}"' for c in table.columns)
    return f"(SELECT {columns} FROM read_parquet([{listed}]{hive}))"
