"""The PostgreSQL server of the marts: that of CHU_MARTS_URL, or a second embedded one for this machine alone.

It is never the server of the care database, which holds identities. Every query is in its log.
"""

import socket
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Final

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 the name of a class
from psycopg2.extensions import parse_dsn

from chu_platform.care_database.embedded_postgres import EmbeddedPostgres
from chu_platform.care_database.encryption import require_encryption
from chu_platform.care_database.restore import without_values
from chu_platform.errors import ChuError, TransientError
from chu_platform.postgres_probe import server_answers
from chu_platform.settings import Settings

DATABASE: Final = "chu_marts"
HOST: Final = "127.0.0.1"
OFF: Final = "CHU_MARTS is not set"
CONNECT_SECONDS: Final = 10
# Unlike the copy of the care database, a mart is not made again by the next reader: it must outlive a power failure.
OPTIONS: Final[Mapping[str, str]] = {
    "listen_addresses": HOST,
    "password_encryption": "scram-sha-256",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "autovacuum": "on",
    "timezone": "Europe/Paris",
    # Who asked what: a file for each day of the year, which the same day of the next year replaces.
    "log_statement": "all",
    "log_connections": "on",
    "log_line_prefix": "%m %u@%d %h ",
    "logging_collector": "on",
    "log_directory": "log",
    "log_filename": "queries-%j.log",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    "log_truncate_on_rotation": "on",
}


def require_marts(settings: Settings) -> None:
    """Raise ChuError if the marts are off."""
    if not settings.marts:
        raise ChuError(f"{OFF}: set CHU_MARTS=1 to fill the marts for BI tools")


def embedded_marts(settings: Settings) -> EmbeddedPostgres:
    """The embedded server of the marts."""
    return EmbeddedPostgres(settings.work_folder / "marts", OPTIONS, settings.marts_port)


@contextmanager
def mart_server(settings: Settings) -> Iterator[str]:
    """The address of the database of the marts, for its superuser; the embedded server runs meanwhile.

    Raises ChuError if the marts are off, if the address of the server is not safe, or if the embedded one does not
    start.
    """
    require_marts(settings)
    if settings.marts_url:
        url = settings.marts_url.get_secret_value()
        require_encryption(url, settings, "CHU_MARTS_URL")
        yield url
        return
    server = embedded_marts(settings)
    with _free(settings.marts_port):
        server.start()
    try:
        if not server.has_database(DATABASE):
            server.create_database(DATABASE)
        yield server.url(DATABASE)
    finally:
        server.stop()


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """A connection of the superuser. Its statements are not in the log of queries, which is that of the readers.

    Raises ChuError with the cause, without any part of the address or value of a row.
    """
    with explained(), closing(psycopg2.connect(url, connect_timeout=CONNECT_SECONDS)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
            if cursor.fetchall() != [(True,)]:
                raise ChuError(
                    "the user of CHU_MARTS_URL is no superuser: the marts need a server of their own, whose roles "
                    "the platform makes; name its superuser"
                )
            cursor.execute("SET log_statement = 'none'")
            cursor.execute("SET client_min_messages = warning")
        yield connection


@contextmanager
def explained() -> Iterator[None]:
    """Raise ChuError for an error of the server: what failed, and what to do."""
    import adbc_driver_postgresql.dbapi as adbc  # imports pandas

    try:
        yield
    except psycopg2.OperationalError as error:
        raise TransientError(
            f"the PostgreSQL server of the marts failed ({_cause(error)}): start it, or check CHU_MARTS_URL; readers "
            "keep what was loaded before"
        ) from None
    except psycopg2.Error as error:
        raise ChuError(f"the PostgreSQL server of the marts refused a statement: {_cause(error)}") from None
    except adbc.Error as error:
        state = str(error.sqlstate or "")
        raise TransientError(
            f"the PostgreSQL server of the marts did not take rows ({state or 'no SQLSTATE'}): look at its log and its "
            "disk; readers keep what was loaded before"
        ) from None


def _cause(error: psycopg2.Error) -> str:
    """The message of the server without values; of the driver nothing but its kind: it may hold the address."""
    state = error.pgcode or ""
    if error.diag.message_primary:
        return f"{without_values(error.diag.message_primary, state)} ({state})"
    text = str(error).lower()
    known = ("connection refused", "password authentication failed", "timeout", "does not exist", "certificate", "ssl")
    return next((cause for cause in known if cause in text), "it does not answer")


@contextmanager
def _free(port: int) -> Iterator[None]:
    """Explain the failure of a server whose port another program has."""
    try:
        yield
    except ChuError:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                raise ChuError(
                    f"port {port} of {HOST} is taken: the marts need another one, set CHU_MARTS_PORT"
                ) from None
        raise


@dataclass(frozen=True)
class ReaderAddress:
    """The address of the marts for readers, without a user and without any secret."""

    host: str
    port: int
    database: str
    encrypted: bool

    def __str__(self) -> str:
        return f"{self.host}:{self.port}, database {self.database}"


def reader_address(settings: Settings) -> ReaderAddress:
    """Where readers connect. The embedded server has no TLS, because it listens on this machine alone."""
    if settings.marts_url is None:
        return ReaderAddress(HOST, settings.marts_port, DATABASE, encrypted=False)
    given = parse_dsn(settings.marts_url.get_secret_value())
    host, port = given.get("host", "localhost"), int(given.get("port", "5432"))
    return ReaderAddress(host, port, given.get("dbname", DATABASE), given.get("sslmode", "") not in ("", "disable"))


def embedded_answers(settings: Settings, seconds: float) -> bool:
    """Whether the embedded server answers within a number of seconds."""
    return server_answers(embedded_marts(settings).url(DATABASE), seconds)
