"""Content-addressed files: equal rows give equal bytes, for any engine and any order of the rows.

The rows of each Delta partition are sorted by the Z-order columns and then by the key (by all columns if there is no
key). One writer with fixed settings writes them. The name of a file is a hash of its content, so that unchanged
partitions are recognised without comparing rows.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb
import pyarrow.parquet as pq

from chu_platform.tables.columns import sql_type
from chu_platform.tables.duckdb_sql import sql_path, sql_text
from chu_platform.tables.table import Table

MEMORY_LIMIT: Final = "3GB"
# Readers skip whole row groups. A file of ROWS_PER_FILE rows has 16 to 32 MB in most tables.
ROWS_PER_GROUP: Final = 122_880
ROWS_PER_FILE: Final = 8 * ROWS_PER_GROUP
NAME: Final = re.compile(r"part-(\d{5}-[0-9a-f]{40})[^/]*\.parquet")


@dataclass(frozen=True)
class ContentAddressedFile:
    """One file: partition folder relative to the table, current path, and hash of its content."""

    folder: str
    path: Path
    content: str


def content_of(path: str) -> str | None:
    """Content hash in the name of a file of the table. None for a file that another tool wrote."""
    match = NAME.fullmatch(path.rsplit("/", 1)[-1])
    return match.group(1) if match else None


def content_addressed_files(
    table: Table, root: Path, files: Sequence[Path], target: Path
) -> list[ContentAddressedFile]:
    """Rewrite the rows of Parquet files below `root` as content-addressed files below `target`.

    `files` are in Hive-style folders of the table's partition columns. Partitions without rows have no output file.
    """
    groups: dict[str, list[Path]] = defaultdict(list)
    for file in files:
        if pq.read_metadata(file).num_rows:
            groups[file.parent.relative_to(root).as_posix()].append(file)
    with duckdb.connect() as connection:
        connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
        connection.execute(f"SET temp_directory = {sql_text(str(target / 'spill'))}")
        return [f for folder in sorted(groups) for f in _partition(connection, table, groups[folder], folder, target)]


def _partition(
    connection: duckdb.DuckDBPyConnection, table: Table, files: Sequence[Path], folder: str, target: Path
) -> list[ContentAddressedFile]:
    output_folder = target / folder
    output_folder.mkdir(parents=True, exist_ok=True)
    inside = [c for c in table.columns if c.name not in table.partition_by]
    columns = ", ".join(f'CAST("{c.name}" AS {sql_type(c.type)}) AS "{c.name}"' for c in inside)
    order = ", ".join(f'"{name}" NULLS FIRST' for name in _order(table))
    listed = ", ".join(sql_path(f) for f in sorted(files))
    rows = f"SELECT {columns} FROM read_parquet([{listed}], hive_partitioning = false) ORDER BY {order}"
    whole = output_folder / "sorted.parquet"
    count = _copy(connection, rows, whole)
    if count <= ROWS_PER_FILE:
        return [_named(whole, folder, 0)]
    names = ", ".join(f'"{c.name}"' for c in inside)
    parts = []
    for number, first in enumerate(range(0, count, ROWS_PER_FILE)):
        part = output_folder / "sorted-part.parquet"
        between = f"file_row_number BETWEEN {first} AND {first + ROWS_PER_FILE - 1}"
        _copy(
            connection,
            f"SELECT {names} FROM read_parquet({sql_path(whole)}, file_row_number = true) WHERE {between} "
            "ORDER BY file_row_number",
            part,
        )
        parts.append(_named(part, folder, number))
    whole.unlink()
    return parts


def _order(table: Table) -> list[str]:
    """Sort columns of a partition. Rows that are equal in all of them are interchangeable."""
    all_columns = [c.name for c in table.columns]
    wanted = dict.fromkeys([*table.layout.z_order_by, *(table.key or all_columns)])
    return [name for name in wanted if name not in table.partition_by] or all_columns[:1]


def _copy(connection: duckdb.DuckDBPyConnection, rows: str, file: Path) -> int:
    options = f"FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROWS_PER_GROUP}"
    return int(connection.execute(f"COPY ({rows}) TO {sql_text(str(file))} ({options})").fetchall()[0][0])


def _named(file: Path, folder: str, number: int) -> ContentAddressedFile:
    with file.open("rb") as stream:
        content = f"{number:05}-{hashlib.file_digest(stream, 'sha256').hexdigest()[:40]}"
    return ContentAddressedFile(
        "" if folder == "." else folder, file.replace(file.with_name(f"part-{content}.parquet")), content
    )
