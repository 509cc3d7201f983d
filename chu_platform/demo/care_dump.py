"""Dump of the care database: fills a temporary PostgreSQL server and dumps it, with reproducible bytes."""

import struct
import tempfile
from pathlib import Path

import psycopg2

from chu_platform.care_database.embedded_postgres import EmbeddedPostgres
from chu_platform.demo import care_rows
from chu_platform.demo.shared_tables import SharedTables
from chu_platform.tables.duckdb_sql import sql_text

DATABASE = "data2023"
# tm_sec, tm_min, tm_hour, tm_mday, tm_mon (from 0), tm_year (from 1900), tm_isdst
CREATED = (0, 0, 12, 3, 3, 123, 0)


def write(shared: SharedTables, path: Path) -> None:
    """Write the thirteen tables as a custom-format dump (pg_dump -Fc).

    A new server is needed each time: the dump contains object identifiers, which increase while a server is used.
    """
    care_rows.create_helpers(shared)
    with (
        tempfile.TemporaryDirectory(prefix="chu-demo-") as work,
        EmbeddedPostgres(Path(work) / "server") as server,
    ):
        server.create_database(DATABASE)
        _load(shared, server, Path(work))
        server.dump(DATABASE, path)
    freeze_creation_time(path)


def _load(shared: SharedTables, server: EmbeddedPostgres, work: Path) -> None:
    cursor = shared.connection.cursor()
    connection = psycopg2.connect(server.url(DATABASE))
    try:
        for table in care_rows.tables(shared):
            rows = work / "rows.csv"
            cursor.execute(f"COPY ({table.query}) TO {sql_text(rows.as_posix())} (FORMAT csv, HEADER false)")
            # If a table is created and filled in one transaction, PostgreSQL writes no log of the rows.
            with connection, connection.cursor() as postgres, open(rows, "rb") as file:
                postgres.execute(table.definition)
                postgres.copy_expert(f'COPY "{table.name}" FROM STDIN (FORMAT csv)', file)
            rows.unlink()
    finally:
        connection.close()


def freeze_creation_time(path: Path) -> None:
    """Overwrite the creation time in the header of a custom-format dump with a constant.

    Header of archive version 1.15 and later (pg_backup_archiver.c, ReadHead): magic, version (3 bytes), size
    of an integer, size of an offset, format, compression, then the seven fields of struct tm, each a sign
    byte and a little-endian integer.
    """
    with open(path, "r+b") as file:
        magic, _major, minor, _revision, integer, _offset, _format, _compression = struct.unpack("5s7B", file.read(12))
        if magic != b"PGDMP" or minor < 15 or integer != 4:
            raise ValueError(f"{path} does not have the expected header of a custom-format dump")
        file.write(b"".join(struct.pack("<bi", 0, field) for field in CREATED))
