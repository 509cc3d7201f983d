"""The care database, read in one snapshot: all tables have the state of the same moment.

It is the PostgreSQL server of CHU_POSTGRES_URL. If this setting is not set, it is an embedded server, into which each
delivered dump is restored once.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import adbc_driver_postgresql.dbapi as postgres
import pyarrow as pa

from chu_platform.care_database.embedded_postgres import DUMP_ROLE, EmbeddedPostgres
from chu_platform.errors import ChuError, TransientError
from chu_platform.ingest.dump_files import dump_fingerprint, parts, the_dump
from chu_platform.ingest.markers import require_checksum
from chu_platform.settings import Settings
from chu_platform.tables.duckdb_sql import sql_name

FINGERPRINT_LENGTH = 16
CONNECT_TIMEOUT_SECONDS = 10
MAX_CAUSE_LENGTH = 200
# Values as text must not depend on the configuration of the server. A pause must not end the snapshot.
SESSION = (
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
    "SET datestyle = 'ISO, YMD'",
    "SET intervalstyle = 'postgres'",
    "SET statement_timeout = 0",
    "SET idle_in_transaction_session_timeout = 0",
)
CONNECTION_LOST = (
    "closed the connection|terminating connection|connection to server was lost|could not receive data|"
    "no connection to the server|the database system is|not currently connected|SSL SYSCALL"
)
CHECK = "check CHU_POSTGRES_URL"
# Patterns of the driver's messages, and the cause and remedy for the operator.
CAUSES = (
    (r"password authentication failed|no password supplied", f"wrong user or password; {CHECK}"),
    (r"connection refused|no such file or directory", f"nothing listens there; start the server or {CHECK}"),
    (r"could not translate host name|name or service not known", f"its host is unknown; {CHECK}"),
    (r"timeout expired|timed out", f"it does not answer; {CHECK} and the network"),
    (CONNECTION_LOST, "the server stopped or cut the connection; run again when it is up"),
    (r"invalid utf-?8", "it contains bytes that are no text in UTF-8; ask for a database encoded in UTF-8"),
    (r"no space left on device", "its disk is full"),
)


class CareDatabase:
    """One repeatable-read snapshot of the care database, opened at the first use.

    After a failure every use fails again, because a new snapshot would have the state of another moment.
    """

    def __init__(
        self, settings: Settings, report: Callable[[str], None], warn: Callable[[str], None] | None = None
    ) -> None:
        """`report` takes progress lines, `warn` warnings (default: as `report`)."""
        self._settings = settings
        self._report = report
        self._warn = warn or report
        self._server: EmbeddedPostgres | None = None
        self._connection: postgres.Connection | None = None
        self._failure: ChuError | None = None
        self.fingerprint = ""

    @property
    def failed(self) -> bool:
        """Whether the snapshot has failed. A new object opens a new snapshot."""
        return self._failure is not None

    def current_fingerprint(self) -> str:
        """Fingerprint of what a snapshot would read: of the dump, without restoring it, or of the opened snapshot."""
        if self._settings.postgres_url:
            self._open()
        elif not self.fingerprint:
            self.fingerprint = dump_fingerprint(the_dump(self._settings.sources_folder))
        return self.fingerprint

    def columns(self, table: str) -> list[str]:
        """Column names of a table, in order; empty when there is no such table in schema public."""
        query = (
            "SELECT attname::text FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid "
            "WHERE relnamespace = 'public'::regnamespace AND relname = $1 "
            "AND relkind IN ('r', 'p', 'v', 'm', 'f') AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
        )
        found = self._table(f"reading the columns of {table!r}", query, [table])
        return [str(v) for v in found[0].to_pylist()]

    def count(self, table: str) -> int:
        """Number of rows of a table in the snapshot."""
        found = self._table(f"counting table {table!r}", f"SELECT count(*) FROM public.{sql_name(table)}")
        return int(found[0][0].as_py())

    def stream(self, table: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The rows of a table in the snapshot, every column as text, in batches as the server sends them."""
        listed = ", ".join(f"{sql_name(c)}::text AS {sql_name(c)}" for c in columns)
        action = f"reading table {table!r}"
        with self._open().cursor() as cursor:
            with self._errors(action):
                cursor.execute(f"SELECT {listed} FROM public.{sql_name(table)}")
                reader = cursor.fetch_record_batch()
            while True:
                with self._errors(action):
                    batch = next(reader, None)
                    if batch is None:
                        return
                    # A database without an encoding (SQL_ASCII) may send bytes that are not valid text.
                    batch.validate(full=True)
                yield batch

    def close(self) -> None:
        """End the snapshot and stop using the embedded server."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(postgres.Error):
                connection.close()
        if self._server is not None:
            self._server.stop()
            self._server = None

    def _table(self, action: str, query: str, parameters: Sequence[str] | None = None) -> pa.Table:
        connection = self._open()
        with self._errors(action), connection.cursor() as cursor:
            cursor.execute(query, parameters)
            return cursor.fetch_arrow_table()

    def _open(self) -> postgres.Connection:
        if self._failure:
            raise self._failure
        if self._connection is None:
            given = self._settings.postgres_url
            url = given.get_secret_value() if given else self._restored()
            if not url.startswith(("postgresql://", "postgres://")) and "=" not in url:
                raise ChuError(
                    "CHU_POSTGRES_URL is no PostgreSQL address: write postgresql://user:password@host:port/database"
                )
            with self._errors("connecting"):
                connection = postgres.connect(_with_timeout(url))
                self._connection = connection
                with connection.cursor() as cursor:
                    for statement in SESSION:
                        cursor.execute(statement)
                    cursor.execute("SELECT pg_current_snapshot()::text || '@' || pg_current_wal_lsn()::text")
                    self.fingerprint = self.fingerprint or str(cursor.fetch_arrow_table()[0][0].as_py())
        return self._connection

    def _restored(self) -> str:
        """The URL of the embedded database with the delivered dump, which is restored if it does not exist yet."""
        dump = the_dump(self._settings.sources_folder)
        require_checksum(dump)
        self.fingerprint = dump_fingerprint(dump)
        self._server = EmbeddedPostgres(self._settings.work_folder / "postgres")
        self._server.start()
        database = f"dump_{self.fingerprint[:FINGERPRINT_LENGTH]}"
        if not self._server.has_database(database):
            megabytes = sum(part.stat().st_size for part in parts(dump)) / 1e6
            self._report(f"restoring {dump.name} ({megabytes:.0f} MB) into the embedded PostgreSQL")
            for warning in self._server.restore(dump, database):
                self._warn(warning)
        return self._server.url(database, DUMP_ROLE)

    @contextmanager
    def _errors(self, action: str) -> Iterator[None]:
        """Raise ChuError for an error of the driver: what was done and why it failed, without the address.

        A lost connection raises TransientError, because a new connection may succeed.
        """
        try:
            yield
        except (postgres.Error, pa.ArrowException, OSError) as error:
            where = "of CHU_POSTGRES_URL" if self._settings.postgres_url else "(embedded)"
            kind = TransientError if re.search(CONNECTION_LOST, str(error), re.IGNORECASE) else ChuError
            self._failure = kind(f"the care database {where} failed while {action}: {self._cause(str(error))}")
            raise self._failure from None

    def _cause(self, message: str) -> str:
        """What happened and what to do, without any part of the address."""
        known = next((cause for pattern, cause in CAUSES if re.search(pattern, message, re.IGNORECASE)), None)
        if known:
            return known
        found = re.search(r"(?:FATAL|ERROR):\s*([^\n]*)", message)
        # Only the message of the server: that of the driver may contain the address.
        return found.group(1)[:MAX_CAUSE_LENGTH] if found else f"the driver gave no known reason; {CHECK}"


def _with_timeout(url: str) -> str:
    """The address with a connection timeout, unless it has one."""
    if "connect_timeout" in url or not url.startswith(("postgresql://", "postgres://")):
        return url
    return f"{url}{'&' if '?' in url else '?'}connect_timeout={CONNECT_TIMEOUT_SECONDS}"
