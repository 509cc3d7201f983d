"""The load of the marts: all tables into new schemas, compared cell by cell with the lake, then shown all at once.

1. The schemas of a load that was killed are removed.
2. The tables are filled in new schemas, by Arrow batches (ADBC, COPY in binary). Nobody may read these schemas yet.
3. What the server holds is read back and compared with the rows of the lake.
4. Keys, axes, comments, views and rights follow.
5. One transaction renames the schemas, so that every reader sees the new edition, and notes what is loaded.
6. The former schemas are removed.

A load that ends at any moment before 5 leaves the former edition as it was.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import duckdb
import psycopg2
import pyarrow as pa
from psycopg2.extensions import connection as Connection  # noqa: N812 the name of a class

from chu_platform.access.gate import own_keys, own_rows
from chu_platform.description.file import code_hash
from chu_platform.editions.readable import readable_version
from chu_platform.errors import ChuError, TransientError
from chu_platform.identity.accounts import Accounts, valid_on
from chu_platform.indicators.small_cells import mask_small_cells
from chu_platform.marts.content import Mart, MartTable, every_mart_table
from chu_platform.marts.roles import RIGHTS, Login, follow_accounts, prepare_roles
from chu_platform.marts.schema import NEW, OLD, finish_sql, new_schema, removal_sql, swap_sql, tables_sql
from chu_platform.marts.server import connected, explained, mart_server
from chu_platform.settings import Settings
from chu_platform.storage.edition_manifest import Edition, published_edition
from chu_platform.storage.lake import Lake
from chu_platform.tables.duckdb_sql import sql_name, sql_text
from chu_platform.tables.table import Zone

# The number of the advisory lock: one load at a time.
LOCK: Final = 75_000_075
# A reader who holds the former edition is not waited for: the next load removes it.
REMOVAL_TIMEOUT: Final = "5s"
# A transaction that keeps one snapshot (REPEATABLE READ) would find the new tables by their names, but none of their
# rows: it is ended, so that it gets an error instead.
END_SNAPSHOTS: Final = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND state = 'idle in transaction' AND backend_xmin IS NOT NULL"""


class OtherCells(ChuError):
    """The server does not hold the rows of the lake."""


@dataclass(frozen=True)
class TableLoad:
    """A loaded table: its rows and cells, and the seconds for writing it, and for comparing it with the lake."""

    name: str
    rows: int
    cells: int
    write_seconds: float
    compare_seconds: float


@dataclass(frozen=True)
class Loaded:
    """What the marts hold: the edition, the tables that were loaded now (none if they were current), the logins."""

    edition: Edition
    tables: Sequence[TableLoad]
    logins: Sequence[Login]
    seconds: float


@dataclass(frozen=True)
class LoadRecord:
    """What the server says of the last load."""

    edition: int
    day: date
    content: str
    rows: int
    seconds: float
    loaded_at: datetime


def load_marts(settings: Settings, lake: Lake, log_progress: Callable[[str], None], force: bool = False) -> Loaded:
    """Load the marts, unless they hold these versions already; the logins follow the accounts in any case.

    Raises ChuError if the marts are off, the server is absent, there is no edition, or another load runs, and
    OtherCells if what the server holds is not what the lake holds. Readers then keep the former edition.
    """
    begun = time.monotonic()
    edition = published_edition(lake.place)
    if edition is None:
        raise ChuError("nothing is published yet that the marts could hold: run `chu materialize` first")
    versions = {_identifier(t): _version(lake, t) for t in every_mart_table()}
    held = _held_keys(settings)
    with mart_server(settings) as url, connected(url) as connection, explained():
        _lock(connection)
        prepare_roles(connection)
        logins = follow_accounts(settings, connection)
        content = _content(edition, versions, held)
        last = last_load(connection)
        if last and last.content == content and not force:
            return Loaded(edition, [], logins, time.monotonic() - begun)
        _remove(connection, NEW)
        tables = _fill(lake, url, connection, versions, held, log_progress)
        text = f"Édition {edition.number} du {edition.date}"
        _run(connection, (statement for mart in Mart for statement in finish_sql(mart, text)))
        for table in every_mart_table():
            _run(connection, [f"ANALYZE {new_schema(table.mart)}.{sql_name(table.name)}"])
        _show(connection, edition, content, tables, begun)
        _remove_former(connection, log_progress)
        return Loaded(edition, tables, logins, time.monotonic() - begun)


def follow_in_marts(settings: Settings) -> Sequence[Login]:
    """Let the logins follow the accounts; what is loaded stays. Returns the logins."""
    with mart_server(settings) as url, connected(url) as connection, explained():
        prepare_roles(connection)
        return follow_accounts(settings, connection)


def last_load(connection: Connection) -> LoadRecord | None:
    """What is loaded; None if nothing is."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", (f"{RIGHTS}.chargement",))
        if cursor.fetchall() != [(True,)]:
            return None
        cursor.execute(f"SELECT edition, jour, contenu, lignes, secondes, charge_le FROM {RIGHTS}.chargement")
        found = cursor.fetchall()
    return LoadRecord(*found[0]) if found else None


def _identifier(table: MartTable) -> str:
    return f"{table.mart}.{table.name}"


def _version(lake: Lake, table: MartTable) -> int:
    """The version of a table that is loaded: of a published table the one that readers see."""
    return readable_version(lake, table.table) if table.table.zone is Zone.PUBLISHED else lake.version(table.table)


def _held_keys(settings: Settings) -> Mapping[str, Sequence[str]]:
    """The sites and professionals that some account holds, by table, where the rows of others are left out.

    Of sites whose small cells are masked, because each is masked by itself, which takes a tenth of a second; of
    professionals, because most of them have no account.
    """
    grants = [
        one
        for account in Accounts(settings.accounts_folder).every()
        for one in valid_on(date.today(), (grant.held for grant in account.grants))
    ]
    return {
        _identifier(table): sorted(
            {
                key
                for one in grants
                for grant in table.grants
                if (grant.profile, grant.purpose) == (one.profile, one.purpose)
                for key in own_keys(one)
            }
        )
        for table in every_mart_table()
        if table.only_held
    }


def _content(edition: Edition, versions: Mapping[str, int], held: Mapping[str, Sequence[str]]) -> str:
    """A text that is the same for the same contents of the marts."""
    known = json.dumps([edition.number, versions, held, code_hash()], sort_keys=True)
    return hashlib.sha256(known.encode()).hexdigest()


def _lock(connection: Connection) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", (LOCK,))
        if cursor.fetchall() != [(True,)]:
            raise TransientError("another process loads the marts: try again after it has ended")


def _fill(
    lake: Lake,
    url: str,
    connection: Connection,
    versions: Mapping[str, int],
    held: Mapping[str, Sequence[str]],
    log_progress: Callable[[str], None],
) -> Sequence[TableLoad]:
    """Make the tables in the new schemas, and compare what they hold with the lake."""
    import adbc_driver_postgresql.dbapi as adbc  # imports pandas

    _run(connection, (statement for mart in Mart for statement in tables_sql(mart)))
    found = []
    with adbc.connect(url, autocommit=True) as writing:
        with writing.cursor() as cursor:
            cursor.execute("SET log_statement = 'none'")
        for table in every_mart_table():
            rows = _rows(lake, table, versions[_identifier(table)], held.get(_identifier(table), ()))
            begun = time.monotonic()
            with writing.cursor() as cursor:
                if rows.num_rows:
                    cursor.adbc_ingest(table.name, rows, mode="append", db_schema_name=new_schema(table.mart))
                written = time.monotonic()
                listed = ", ".join(sql_name(c.name) for c in table.columns)
                cursor.execute(f"SELECT {listed} FROM {new_schema(table.mart)}.{sql_name(table.name)}")
                _require_same(table, rows, cursor.fetch_arrow_table())
            compared = time.monotonic()
            load = TableLoad(
                _identifier(table), rows.num_rows, rows.num_rows * rows.num_columns, written - begun, compared - written
            )
            log_progress(f"marts: {load.name} written in {load.write_seconds:.1f} s, every cell compared")
            found.append(load)
    return found


def _rows(lake: Lake, table: MartTable, version: int, held: Sequence[str]) -> pa.Table:
    """The rows of a table that some account may be given, in the columns of the mart."""
    conditions = [own_rows(grant) for grant in table.grants if grant.own]
    if table.only_held:
        listed = ", ".join(map(sql_text, held)) or "NULL"
        conditions = [f"{sql_name(str(table.own))} IN ({listed})"]
    rows = lake.arrow(table.table, version=version, condition=" OR ".join(conditions) or "true")
    if table.masks_small:
        assert table.indicator, "only indicators have masks"
        rows = mask_small_cells(table.indicator, rows)
    return rows.select([c.name for c in table.columns]).cast(pa.schema([(c.name, c.type) for c in table.columns]))


def _require_same(table: MartTable, lake: pa.Table, server: pa.Table) -> None:
    """Raise OtherCells unless both have the same rows, each as often."""
    with duckdb.connect() as connection:
        connection.register("lake", lake)
        connection.register("server", server)
        other = connection.sql(
            "SELECT (SELECT count(*) FROM (FROM lake EXCEPT ALL FROM server)) "
            "+ (SELECT count(*) FROM (FROM server EXCEPT ALL FROM lake))"
        ).fetchall()[0][0]
    if other:
        raise OtherCells(
            f"the server of the marts does not hold the rows of {table.table.folder} as the lake has them: readers "
            "keep the former edition; run `chu marts load` again, and look at the disk and the version of the server"
        )


def _run(connection: Connection, statements: Iterable[str]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def _remove(connection: Connection, suffix: str) -> None:
    _run(connection, removal_sql(suffix))


def _show(connection: Connection, edition: Edition, content: str, tables: Sequence[TableLoad], begun: float) -> None:
    """Let readers see the new schemas, all at once."""
    _remove(connection, OLD)
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        try:
            for statement in swap_sql():
                cursor.execute(statement)
            cursor.execute(f"DELETE FROM {RIGHTS}.chargement")
            cursor.execute(
                f"INSERT INTO {RIGHTS}.chargement (edition, jour, contenu, lignes, secondes, charge_le) "
                "VALUES (%s, %s, %s, %s, %s, now())",
                (edition.number, edition.date, content, sum(t.rows for t in tables), time.monotonic() - begun),
            )
            cursor.execute(END_SNAPSHOTS)
        except BaseException:
            cursor.execute("ROLLBACK")
            raise
        cursor.execute("COMMIT")


def _remove_former(connection: Connection, log_progress: Callable[[str], None]) -> None:
    """Remove the former schemas, unless a reader still reads them: the next load then does."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = '{REMOVAL_TIMEOUT}'")
        try:
            _remove(connection, OLD)
        except psycopg2.errors.LockNotAvailable:
            log_progress("marts: somebody still reads the former edition, which the next load removes")
        finally:
            cursor.execute("SET lock_timeout = 0")
