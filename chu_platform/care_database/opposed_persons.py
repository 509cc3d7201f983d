"""Persons on the opposition list are deleted from the embedded copy of the care database.

Nothing of them stays in the files of the server: tables are written again without the deleted rows, and so are the
server's statistics; the old write-ahead log is deleted. The dump, which the sender has made, stays as it is.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Final

import duckdb
import psycopg2
import pyarrow as pa
from psycopg2 import sql
from psycopg2.extensions import connection

from chu_platform.care_database.embedded_postgres import EmbeddedPostgres
from chu_platform.catalogue import catalogue
from chu_platform.errors import ChuError
from chu_platform.ingest.delivered import delivered_rows, delivered_tables
from chu_platform.ingest.dump_files import dump_fingerprint, the_dump
from chu_platform.ingest.oppositions import Oppositions
from chu_platform.ingest.persons import Kind, PersonKey
from chu_platform.settings import Settings

COPY_PREFIX: Final = "dump_"
FINGERPRINT_LENGTH: Final = 16
# The column with the place of a row in its table.
PLACE: Final = "ctid"
# Comment on a database; the digest of the list follows. It names nobody.
MARK: Final = "without the persons of the opposition list "


def delete_opposed(
    server: EmbeddedPostgres, database: str, oppositions: Oppositions, report: Callable[[str], None]
) -> None:
    """Delete the persons on the list from a database, unless that was done for this list.

    It can be killed: the database is marked at the end.
    """
    if not oppositions.digest:
        return
    with closing(psycopg2.connect(server.url(database))) as connected:
        connected.autocommit = True
        if _mark(connected) == MARK + oppositions.digest:
            return
        persons = {
            name: rows.persons
            for table in delivered_tables(catalogue())
            if (rows := delivered_rows(table)).persons and (name := rows.reader.database_table)
        }
        tables = _tables(connected)
        found = _Opposed(connected, tables, persons, oppositions).places()
        with connected.cursor() as cursor:
            for name, places in found.items():
                cursor.execute(
                    sql.SQL("DELETE FROM {} WHERE ctid = ANY (%s::tid[])").format(tables[name].place), [sorted(places)]
                )
            for table in found:
                cursor.execute(sql.SQL("VACUUM (FULL, ANALYZE) {}").format(tables[table].place))
            cursor.execute("VACUUM FULL pg_statistic")
            forget_log(cursor)
            mark = sql.Literal(MARK + oppositions.digest)
            cursor.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(database), mark))
        deleted = sum(map(len, found.values()))
        report(f"deleted {deleted} rows of persons on the opposition list from the embedded copy of the care database")


def forget_log(cursor: psycopg2.extensions.cursor) -> None:
    """Delete the write-ahead log until now: of what was deleted, it still has the rows."""
    cursor.execute("SELECT pg_switch_wal()")
    cursor.execute("CHECKPOINT")


def _mark(connected: connection) -> str | None:
    with connected.cursor() as cursor:
        cursor.execute(
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()"
        )
        found = cursor.fetchone()
    return found[0] if found else None


@dataclass(frozen=True)
class _Table:
    """A table of the dump: its place, in any schema, and its columns."""

    place: sql.Identifier
    columns: frozenset[str]


def _tables(connected: connection) -> Mapping[str, _Table]:
    with connected.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, table_schema, array_agg(column_name::text) FROM information_schema.columns "
            "JOIN pg_tables ON tablename = table_name AND schemaname = table_schema "
            "WHERE table_schema NOT IN ('pg_catalog', 'information_schema') GROUP BY 1, 2"
        )
        return {name: _Table(sql.Identifier(schema, name), frozenset(c)) for name, schema, c in cursor.fetchall()}


class _Opposed:
    """The rows of the persons on the list, in the tables of a restored database."""

    def __init__(
        self,
        connected: connection,
        tables: Mapping[str, _Table],
        persons: Mapping[str, Sequence[PersonKey]],
        oppositions: Oppositions,
    ) -> None:
        self._connected = connected
        self._tables = tables
        self._persons = persons
        self._oppositions = oppositions
        # Patients whose identity is on the list, by the number that they have now.
        self._numbers: set[str] = set()

    def places(self) -> Mapping[str, set[str]]:
        """The places of these rows, by table."""
        found: dict[str, set[str]] = defaultdict(set)
        for name, key in self._keys(lambda k: k.kind is not Kind.PATIENT):
            if not self._oppositions.has(key.kind):
                continue
            places = self._places(name, key, self._listed)
            found[name] |= places
            for number in (k for k in self._persons[name] if k.kind is Kind.PATIENT and self._has(name, k.columns)):
                self._numbers |= {text for place, text in self._texts(name, number) if place in places}
        for name, key in self._keys(lambda k: k.kind is Kind.PATIENT):
            if self._numbers or self._oppositions.has(key.kind):
                found[name] |= self._places(name, key, self._owned if key.through else self._listed)
        return found

    def _keys(self, wanted: Callable[[PersonKey], bool]) -> Iterator[tuple[str, PersonKey]]:
        for name, keys in self._persons.items():
            for key in filter(wanted, keys):
                through = key.through
                if self._has(name, key.columns) and (
                    through is None or self._has(through.table, [through.number, through.owner])
                ):
                    yield name, key

    def _has(self, name: str, columns: Sequence[str]) -> bool:
        """Whether the dump has a table with these columns."""
        return name in self._tables and self._tables[name].columns.issuperset(columns)

    def _places(self, name: str, key: PersonKey, listed: Callable[[PersonKey, set[str]], set[str]]) -> set[str]:
        texts = self._texts(name, key)
        opposed = listed(key, {text for _, text in texts})
        return {place for place, text in texts if text in opposed}

    def _listed(self, key: PersonKey, texts: set[str]) -> set[str]:
        of_numbers = texts & self._numbers if key.kind is Kind.PATIENT else set()
        return of_numbers.union(self._oppositions.listed(key.kind, texts))

    def _owned(self, key: PersonKey, _texts: set[str]) -> set[str]:
        """The numbers that belong to patients on the list."""
        assert key.through is not None
        owned = self._load(key.through.table, [key.through.number, key.through.owner])
        owners = self._listed(key, {str(owner) for owner in owned[key.through.owner].to_pylist() if owner is not None})
        pairs = zip(*(owned[column].to_pylist() for column in (key.through.number, key.through.owner)), strict=True)
        return {number for number, owner in pairs if owner in owners}

    def _texts(self, name: str, key: PersonKey) -> Sequence[tuple[str, str]]:
        """The place of each row with a text of the key, and the text."""
        loaded = self._load(name, key.columns)
        with duckdb.connect() as local:
            local.register("loaded", loaded)
            of_keys = " UNION ALL ".join(f"SELECT {PLACE} AS place, {text} AS text FROM loaded" for text in key.keys)
            return local.execute(f"SELECT place, text FROM ({of_keys}) WHERE text IS NOT NULL").fetchall()

    def _load(self, name: str, columns: Sequence[str]) -> pa.Table:
        """The place of each row, and its texts in some columns."""
        texts = [sql.SQL("{}::text").format(sql.Identifier(column)) for column in (PLACE, *columns)]
        with self._connected.cursor() as cursor:
            cursor.execute(sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(texts), self._tables[name].place))
            rows = cursor.fetchall()
        names = [PLACE, *columns]
        return pa.table({n: pa.array([row[i] for row in rows], pa.string()) for i, n in enumerate(names)})


def forget_copies(settings: Settings, report: Callable[[str], None]) -> None:
    """Drop the embedded copies that are not of the delivered dump, and delete the persons on the list from this one.

    Without an embedded server, there is nothing to do.
    """
    folder = settings.work_folder / "postgres"
    if not (folder / "data").exists():
        return
    try:
        current = None if settings.postgres_url else embedded_name(dump_fingerprint(the_dump(settings.sources_folder)))
    except ChuError:
        current = None
    with EmbeddedPostgres(folder) as server:
        for database in server.databases(COPY_PREFIX):
            if database != current:
                server.drop_database(database)
                report(f"dropped {database}, an embedded copy of the care database that is not used any more")
        if current and server.has_database(current):
            delete_opposed(server, current, Oppositions(settings.secrets_folder), report)
        with closing(psycopg2.connect(server.url("postgres"))) as connected:
            connected.autocommit = True
            with connected.cursor() as cursor:
                forget_log(cursor)


def embedded_name(fingerprint: str) -> str:
    """The name of the embedded copy of the dump with this fingerprint."""
    return f"{COPY_PREFIX}{fingerprint[:FINGERPRINT_LENGTH]}"
