"""The care database, read in one snapshot: all tables have the state of the same moment.

It is the PostgreSQL server of CHU_POSTGRES_URL. If this setting is not set, it is an embedded server, into which each
delivered dump is restored once.
"""

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TypeVar

import adbc_driver_postgresql.dbapi as postgres
import pyarrow as pa

from chu_platform.care_database.embedded_postgres import DUMP_ROLE, EmbeddedPostgres, embedded_server
from chu_platform.care_database.encryption import require_encryption
from chu_platform.care_database.opposed_persons import COPY_PREFIX, delete_opposed, embedded_name
from chu_platform.care_database.restore import without_values
from chu_platform.errors import ChuError, TransientError
from chu_platform.ingest.dump_files import dump_fingerprint, parts, the_dump
from chu_platform.ingest.markers import require_checksum
from chu_platform.ingest.oppositions import Oppositions
from chu_platform.postgres_probe import server_answers
from chu_platform.settings import Settings
from chu_platform.tables.duckdb_sql import sql_name
from chu_platform.watchdog import watched

Result = TypeVar("Result")

CONNECT_TIMEOUT_SECONDS = 10
MAX_CAUSE_LENGTH = 200
# The server would verify the bytes of a database without an encoding; `valid_text` reads them.
ENCODING = """SELECT set_config('client_encoding',
    CASE current_setting('server_encoding') WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END, false)"""
# Values as text must not depend on the configuration of the server, and moments have the day of a French hospital. A
# pause must not end the snapshot. Where row-level security would hide rows, the server refuses to read.
SESSION = (
    "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
    "SET row_security = off",
    "SET search_path = pg_catalog",
    ENCODING,
    "SET timezone = 'Europe/Paris'",
    "SET datestyle = 'ISO, YMD'",
    "SET intervalstyle = 'postgres'",
    "SET statement_timeout = 0",
    "SET idle_in_transaction_session_timeout = 0",
)
# A statement that fails is undone up to here, and the snapshot stays.
SAVEPOINT = "chu_reading"
# The position in the log: of the server, or of a standby, which writes none of its own. PostgreSQL 10 and later.
SNAPSHOT = """SELECT txid_current_snapshot()::text || '@' || coalesce(
    CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, '0/0')::text"""
# Tables, partitioned tables, views, materialised views and foreign tables.
TABLE_KINDS = "'r', 'p', 'v', 'm', 'f'"
NUMBERS = ("numeric", "double precision", "real")
CONNECTION_LOST = (
    "closed the connection|terminating connection|connection to server was lost|could not receive data|"
    "no connection to the server|the database system is|not currently connected|SSL SYSCALL"
)
# On a standby (a read-only copy of the server), changes of the primary are more important than readers.
RECOVERY_CONFLICT = "conflict with recovery"
HIDDEN_ROWS = (
    "row-level security hides rows from this user, and a part of the rows would give wrong figures; let the "
    "administrator of the server give the user the attribute BYPASSRLS, or set CHU_POSTGRES_URL to a user that sees "
    "every row"
)
NO_RIGHT = (
    "the user of CHU_POSTGRES_URL may not read it; let the administrator of the server give it the right to read this "
    "table: GRANT SELECT"
)
CONFLICT_CAUSE = (
    "the standby ended the reading, because it had to apply changes of its primary; run again, or let its "
    "administrator set hot_standby_feedback = on or a longer max_standby_streaming_delay"
)
CHECK = "check CHU_POSTGRES_URL"
# Patterns of the driver's messages, and the cause and remedy for the operator.
CAUSES = (
    (r"password authentication failed|no password supplied", f"wrong user or password; {CHECK}"),
    (r"connection refused|no such file or directory", f"nothing listens there; start the server or {CHECK}"),
    (r"could not translate host name|name or service not known", f"its host is unknown; {CHECK}"),
    (r"timeout expired|timed out", f"it does not answer; {CHECK} and the network"),
    (RECOVERY_CONFLICT, CONFLICT_CAUSE),
    (r"affected by row-level security", HIDDEN_ROWS),
    (r"permission denied", NO_RIGHT),
    (CONNECTION_LOST, "the server stopped or cut the connection; run again when it is up"),
    (r"no space left on device", "its disk is full"),
)


@dataclass(frozen=True)
class _Place:
    """A table of the server: its name with its schema, as SQL, and the type of each column, in order.

    `types` has the columns that the user may read, `hidden` the others.
    """

    name: str
    types: Mapping[str, str]
    hidden: Sequence[str] = ()


class CareDatabase:
    """One repeatable-read snapshot of the care database, opened at the first use.

    After a failure every use fails again, because a new snapshot would have the state of another moment. A failure of
    one statement, such as the reading of a table without the right to do so, concerns only this table.
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
        self._url = ""
        # Whether a thread uses the connection, which must not be closed then.
        self._in_use = False
        self._failure: ChuError | None = None
        self._is_to_undo = False
        self._places: dict[str, _Place | None] = {}
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
        """Column names of a table, in order; empty when there is no such table.

        Columns that the user may not read are left out, with a warning. Raises ChuError when the user may read none,
        when row-level security would hide rows, or when several schemas have such a table.
        """
        place = self._place(table)
        if place and place.hidden:
            self._warn(
                f"the user of CHU_POSTGRES_URL may not read the columns {', '.join(place.hidden)} of {place.name}; if "
                f"they are needed, let the administrator of the server run: GRANT SELECT ON {place.name} TO this user"
            )
        return list(place.types) if place else []

    def count(self, table: str) -> int:
        """Number of rows of a table in the snapshot."""
        found = self._table(f"counting table {table!r}", f"SELECT count(*) FROM {self._name(table)}")
        return int(found[0][0].as_py())

    def stream(self, table: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The rows of a table in the snapshot, every column as text, in batches as the server sends them.

        A whole number has no decimal places, whatever the type of its column.
        """
        place = self._place(table)
        types = place.types if place else {}
        listed = ", ".join(f"{_as_text(c, types.get(c, ''))} AS {sql_name(c)}" for c in columns)
        action = f"reading table {table!r}"
        query = f"SELECT {listed} FROM {self._name(table)}"
        cursor = self._open().cursor()
        reader: pa.RecordBatchReader | None = None
        try:
            self._call(action, lambda: cursor.execute(query))
            reader = self._call(action, cursor.fetch_record_batch)
            while (batch := self._call(action, lambda: next(reader, None))) is not None:
                yield pa.RecordBatch.from_arrays([valid_text(c) for c in batch.columns], names=batch.schema.names)
        finally:
            if not self._in_use:
                # A statement that failed is undone after its rows are let go.
                if reader is not None:
                    reader.close()
                cursor.close()

    def close(self) -> None:
        """End the snapshot and stop using the embedded server."""
        connection, self._connection = self._connection, None
        if connection is not None and not self._in_use:
            with suppress(postgres.Error):
                connection.close()
        if self._server is not None:
            self._server.stop()
            self._server = None

    def _name(self, table: str) -> str:
        place = self._place(table)
        return place.name if place else f"public.{sql_name(table)}"

    def _place(self, table: str) -> "_Place | None":
        """Where a table is: in schema public, or else in the one schema that has it; None if there is no such table.

        The letter case of its name does not matter if no table has exactly this name.
        """
        if table not in self._places:
            self._places[table] = self._found(table)
        return self._places[table]

    def _found(self, table: str) -> "_Place | None":
        query = f"""
            SELECT nspname::text AS schema, relname::text AS name, pg_class.oid::int8 AS id,
                row_security_active(pg_class.oid) AS hides_rows,
                has_schema_privilege(pg_namespace.oid, 'USAGE') AS may_enter,
                CASE WHEN nspname = 'public' THEN 0 ELSE 2 END + CASE WHEN relname = $1 THEN 0 ELSE 1 END AS rank
            FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
            WHERE lower(relname) = lower($1) AND relkind IN ({TABLE_KINDS})
                AND nspname !~ '^pg_' AND nspname <> 'information_schema'
            ORDER BY rank, nspname, relname"""
        action = f"reading the columns of {table!r}"
        found = self._table(action, query, [table]).to_pylist()
        nearest = [f for f in found if f["rank"] == found[0]["rank"]]
        if not nearest:
            return None
        names = [f"{f['schema']}.{f['name']}" for f in nearest]
        if len(names) > 1:
            raise ChuError(
                f"the care database has several tables for {table!r}: {', '.join(names)}; set CHU_POSTGRES_URL to a "
                "user who may read only one of them, or ask for a dump of one schema"
            )
        if nearest[0]["hides_rows"]:
            raise ChuError(f"the table {names[0]} of CHU_POSTGRES_URL cannot be read: {HIDDEN_ROWS}")
        columns = """
            SELECT attname::text AS name, format_type(coalesce(nullif(typbasetype, 0), pg_type.oid), NULL) AS type,
                has_column_privilege(attrelid, attnum, 'SELECT') AS may_read
            FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid
            WHERE attrelid = $1::int8::oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum"""
        rows = self._table(action, columns, [str(nearest[0]["id"])]).to_pylist()
        name = f"{sql_name(nearest[0]['schema'])}.{sql_name(nearest[0]['name'])}"
        readable = {r["name"]: r["type"] for r in rows if r["may_read"]}
        if not nearest[0]["may_enter"] or (rows and not readable):
            schema = "" if nearest[0]["may_enter"] else f"GRANT USAGE ON SCHEMA {sql_name(nearest[0]['schema'])} and "
            raise ChuError(
                f"the table {name} of CHU_POSTGRES_URL cannot be read: its user has not the right to; let the "
                f"administrator of the server run {schema}GRANT SELECT ON {name} TO this user"
            )
        return _Place(name, readable, [r["name"] for r in rows if not r["may_read"]])

    def _table(self, action: str, query: str, parameters: Sequence[str] | None = None) -> pa.Table:
        connection = self._open()

        def read() -> pa.Table:
            with connection.cursor() as cursor:
                cursor.execute(query, parameters)
                return cursor.fetch_arrow_table()

        table = self._call(action, read)
        texts = [valid_text(c.combine_chunks()) for c in table.columns]
        return pa.table(texts, names=table.column_names)

    def _open(self) -> postgres.Connection:
        if self._failure:
            raise self._failure
        if self._is_to_undo:
            self._call("undoing a statement that failed", self._undo)
            self._is_to_undo = False
        if self._connection is None:
            given = self._settings.postgres_url
            url = given.get_secret_value() if given else self._restored()
            if not url.startswith(("postgresql://", "postgres://")) and "=" not in url:
                raise ChuError(
                    "CHU_POSTGRES_URL is no PostgreSQL address: write postgresql://user:password@host:port/database"
                )
            if given:
                require_encryption(url, self._settings)
            self._url = _with_timeout(url)
            self._connection, snapshot = self._call("connecting", self._connect)
            self.fingerprint = self.fingerprint or snapshot
        return self._connection

    def _connect(self) -> tuple[postgres.Connection, str]:
        """A connection with a snapshot, and the position of the snapshot."""
        # The transaction is begun in SQL: one that the driver begins is lost with the first error.
        connection = postgres.connect(self._url, autocommit=True)
        try:
            with connection.cursor() as cursor:
                for statement in SESSION:
                    cursor.execute(statement)
                cursor.execute(SNAPSHOT)
                snapshot = str(cursor.fetch_arrow_table()[0][0].as_py())
                cursor.execute(f"SAVEPOINT {SAVEPOINT}")
                return connection, snapshot
        except postgres.Error:
            connection.close()
            raise

    def _call(self, action: str, call: Callable[[], Result]) -> Result:
        """The result of a call of the driver, which has no timeout and ignores signals.

        It runs in a thread. If the server does not answer meanwhile, the thread and the connection are abandoned.
        """
        results: SimpleQueue[Result | Exception] = SimpleQueue()

        def run() -> None:
            try:
                results.put(call())
            except Exception as error:
                results.put(error)

        def give_up() -> None:
            patience = f"{self._settings.engine_patience:g} s"
            self._failure = TransientError(
                f"the care database {self._where} did not answer for {patience} while {action}"
            )
            results.put(self._failure)

        self._in_use = True
        threading.Thread(target=run, name="care-database", daemon=True).start()
        with self._errors(action), watched(self._answers, give_up, self._settings.engine_patience):
            result = results.get()
            self._in_use = self._failure is not None
            if isinstance(result, Exception):
                raise result
            return result

    def _answers(self, seconds: float) -> bool:
        return server_answers(self._url, seconds)

    def _restored(self) -> str:
        """The URL of the embedded database with the delivered dump, which is restored if it does not exist yet."""
        dump = the_dump(self._settings.sources_folder)
        require_checksum(dump)
        self.fingerprint = dump_fingerprint(dump)
        self._server = embedded_server(self._settings)
        self._server.start()
        database = embedded_name(self.fingerprint)
        if not self._server.has_database(database):
            megabytes = sum(part.stat().st_size for part in parts(dump)) / 1e6
            self._report(f"restoring {dump.name} ({megabytes:.0f} MB) into the embedded PostgreSQL")
            for warning in self._server.restore(dump, database):
                self._warn(warning)
        # Of former dumps, also when the last restore was killed.
        if in_use := self._server.drop_others(COPY_PREFIX, database):
            self._report(f"{len(in_use)} copies of former dumps are being read, and are dropped the next time")
        delete_opposed(self._server, database, Oppositions(self._settings.secrets_folder), self._report)
        return self._server.url(database, DUMP_ROLE)

    @contextmanager
    def _errors(self, action: str) -> Iterator[None]:
        """Raise ChuError for an error of the driver: what was done and why it failed, without the address.

        A lost connection raises TransientError, because a new connection may succeed. If the statement can be undone,
        the snapshot stays, and other tables can be read.
        """
        try:
            yield
        except (postgres.Error, pa.ArrowException, OSError) as error:
            is_transient = re.search(f"{CONNECTION_LOST}|{RECOVERY_CONFLICT}", str(error), re.IGNORECASE)
            kind = TransientError if is_transient else ChuError
            failure = kind(
                f"the care database {self._where} failed while {action}: {self._cause(str(error), _state(error))}"
            )
            if is_transient or self._connection is None or self._is_to_undo:
                self._failure = failure
            self._is_to_undo = True
            raise failure from None

    def _undo(self) -> None:
        """Undo the statement that failed, so that the snapshot can be read again."""
        assert self._connection
        with self._connection.cursor() as cursor:
            cursor.execute(f"ROLLBACK TO SAVEPOINT {SAVEPOINT}")

    @property
    def _where(self) -> str:
        return "of CHU_POSTGRES_URL" if self._settings.postgres_url else "(embedded)"

    def _cause(self, message: str, state: str) -> str:
        """What happened and what to do, without any part of the address, and without any value of a row."""
        known = next((cause for pattern, cause in CAUSES if re.search(pattern, message, re.IGNORECASE)), None)
        if known:
            return known
        found = re.search(r"(?:FATAL|ERROR):\s*([^\n]*)", message)
        # Only the message of the server: that of the driver may contain the address.
        return without_values(found[1], state)[:MAX_CAUSE_LENGTH] if found else f"no known reason; {CHECK}"


def _state(error: Exception) -> str:
    """The SQLSTATE of an error of the server; "" for another error."""
    return str(getattr(error, "sqlstate", None) or "")


def valid_text(values: pa.Array) -> pa.Array:
    """The texts of a column; those that are not valid UTF-8 are read as CP1252.

    A database without an encoding (SQL_ASCII) sends the bytes that programs have written. Other columns are unchanged.
    """
    if not pa.types.is_string(values.type):
        return values
    try:
        values.validate(full=True)
    except pa.ArrowInvalid:
        read = [None if v is None else _decoded(v) for v in values.cast(pa.binary()).to_pylist()]
        return pa.array(read, pa.string())
    return values


def _decoded(text: bytes) -> str:
    for encoding in ("utf-8", "cp1252"):
        try:
            return text.decode(encoding)
        except UnicodeDecodeError:
            continue
    # Five bytes are no letter in CP1252.
    return text.decode("latin-1")


def _as_text(column: str, type_: str) -> str:
    """SQL of the text of a column."""
    name = sql_name(column)
    if type_ in NUMBERS:
        return f"CASE WHEN {name} = trunc({name}) THEN trunc({name})::text ELSE {name}::text END"
    return f"{name}::text"


def _with_timeout(url: str) -> str:
    """The address with a connection timeout, unless it has one."""
    if "connect_timeout" in url or not url.startswith(("postgresql://", "postgres://")):
        return url
    return f"{url}{'&' if '?' in url else '?'}connect_timeout={CONNECT_TIMEOUT_SECONDS}"
