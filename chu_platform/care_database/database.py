"""The care database, as one snapshot: every table read from it is of the same moment.

It is the PostgreSQL of CHU_POSTGRES_URL, or, unset, an embedded one into which the delivered dump is restored once
per fingerprint.

Here: connecting, the snapshot, streaming a table as text. Not here: what the tables mean (sources).
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import adbc_driver_postgresql.dbapi as postgres
import pyarrow as pa

from chu_platform.care_database.server import EmbeddedPostgres
from chu_platform.errors import ChuError
from chu_platform.settings import Settings
from chu_platform.sources.files import fingerprint, one

DUMP_PATTERN = r"DATA2023(\.dump)?"
FINGERPRINT_LENGTH = 16


class CareDatabase:
    """One repeatable-read snapshot of the care database, opened at the first use."""

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        self._settings = settings
        self._say = say
        self._server: EmbeddedPostgres | None = None
        self._connection: postgres.Connection | None = None
        self.fingerprint = ""

    def columns(self, table: str) -> list[str]:
        """Column names of a table, in order; empty when there is no such table in schema public."""
        query = (
            "SELECT column_name::text FROM information_schema.columns "
            "WHERE table_schema = 'public' AND table_name = $1 ORDER BY ordinal_position"
        )
        return [str(v) for v in self._table(query, [table])[0].to_pylist()]

    def count(self, table: str) -> int:
        """Number of rows of a table."""
        return int(self._table(f"SELECT count(*) FROM public.{_quoted(table)}")[0][0].as_py())

    @contextmanager
    def stream(self, table: str, columns: list[str]) -> Iterator[pa.RecordBatchReader]:
        """The rows of a table, every column as text, in the snapshot."""
        listed = ", ".join(f"{_quoted(c)}::text AS {_quoted(c)}" for c in columns)
        with self._errors(f"reading table {table!r}"), self._open().cursor() as cursor:
            cursor.execute(f"SELECT {listed} FROM public.{_quoted(table)}")
            yield cursor.fetch_record_batch()

    def close(self) -> None:
        """End the snapshot and stop using the embedded server."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._server is not None:
            self._server.stop()
            self._server = None

    def _table(self, query: str, parameters: list[str] | None = None) -> pa.Table:
        with self._errors("reading"), self._open().cursor() as cursor:
            cursor.execute(query, parameters)
            return cursor.fetch_arrow_table()

    def _open(self) -> postgres.Connection:
        if self._connection is None:
            given = self._settings.postgres_url
            url = given.get_secret_value() if given else self._restored()
            with self._errors("connecting"):
                connection = postgres.connect(url)
                with connection.cursor() as cursor:
                    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                    cursor.execute("SELECT pg_current_snapshot()::text || '@' || pg_current_wal_lsn()::text")
                    self.fingerprint = self.fingerprint or str(cursor.fetch_arrow_table()[0][0].as_py())
                self._connection = connection
        return self._connection

    def _restored(self) -> str:
        """URL of the embedded database that holds the delivered dump, restored now unless it is there already."""
        dump = one(self._settings.sources_folder, DUMP_PATTERN)
        self.fingerprint = fingerprint(dump)
        self._server = EmbeddedPostgres(self._settings.work_folder / "postgres")
        self._server.start()
        database = f"care_{self.fingerprint[:FINGERPRINT_LENGTH]}"
        if not self._server.has_database(database):
            self._say(f"restoring {dump.name} ({dump.stat().st_size / 1e6:.0f} MB) into the embedded PostgreSQL")
            for warning in self._server.restore(dump, database):
                self._say(warning)
        return self._server.url(database)

    @contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        """Turn the driver's errors into ours: what was being done, PostgreSQL's own words, no address or password."""
        try:
            yield
        except postgres.Error as error:
            where = "of CHU_POSTGRES_URL" if self._settings.postgres_url else "(embedded)"
            raise ChuError(f"the care database {where} failed while {doing}: {self._clean(str(error))}") from None

    def _clean(self, message: str) -> str:
        found = re.search(r"(FATAL|ERROR):\s*([^\n]*)", message) or re.search(r"()(?:\] |: )([^\n]*)$", message.strip())
        words = found.group(2) if found else message.strip().splitlines()[-1]
        given = self._settings.postgres_url
        for secret in re.findall(r"//[^:@/]*:([^@]*)@", given.get_secret_value()) if given else []:
            words = words.replace(secret, "***")
        return words[:200]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


