"""Tables of a real PostgreSQL server: streaming, counts, and errors of the server and the tables."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg2
import pytest
from pydantic import SecretStr

from chu_platform.care_database.database import CareDatabase
from chu_platform.care_database.embedded_postgres import EmbeddedPostgres
from chu_platform.catalogue import catalogue
from chu_platform.errors import ChuError
from chu_platform.ingest.care_tables import CareTable
from chu_platform.ingest.delivered import Delivered, delivered_rows, delivered_tables
from chu_platform.ingest.reading import Reading, ReadingContext, read
from chu_platform.settings import Settings
from chu_platform.tables.columns import DATE, INTEGER, STRING, Column
from chu_platform.tables.table import Layer, Table, Zone
from chu_platform_tests.ingest.deliveries import stored

pytestmark = pytest.mark.integration

CARE = [t for t in delivered_tables(catalogue()) if delivered_rows(t).reader.database]


def table_of(name: str = "T", key: bool = True) -> Table:
    return Table(
        name=name,
        layer=Layer.SOURCES,
        zone=Zone.RESTRICTED,
        grain="one thing",
        label="Choses",
        owner="team:tests",
        columns=[
            Column("Id", INTEGER, "number", "Numéro", key=key),
            Column("x", STRING, "text", "Texte"),
            Column("day", DATE, "day", "Jour"),
        ],
        rows=Delivered(CareTable(name)),
    )


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(tmp_path_factory.mktemp("postgres") / "server") as server:
        yield server


@pytest.fixture
def server(shared_server: EmbeddedPostgres) -> Iterator[EmbeddedPostgres]:
    """A server with an empty database, for tests that leave the server as it is."""
    shared_server.create_database("care")
    yield shared_server
    shared_server.drop_database("care")


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """A server of one test, with an empty database."""
    with EmbeddedPostgres(tmp_path / "server") as server:
        server.create_database("care")
        yield server


def execute(server: EmbeddedPostgres, *statements: str) -> None:
    connection = psycopg2.connect(server.url("care"))
    connection.autocommit = True
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    connection.close()


class Reader:
    """Reads tables of one snapshot of a server."""

    def __init__(self, url: str, folder: Path) -> None:
        self.messages: list[str] = []
        self._folder = folder
        self.database = CareDatabase(Settings(home=folder, postgres_url=SecretStr(url)), self.messages.append)

    def __call__(self, table: Table) -> tuple[Reading, list[tuple[object, ...]]]:
        scratch, written = self._folder / "scratch", self._folder / table.name
        quarantine = self._folder / "quarantine"
        for folder in (scratch, written, quarantine):
            folder.mkdir(exist_ok=True)
        try:
            reading = read(
                table,
                None,
                written,
                quarantine,
                ReadingContext(self._folder, scratch, self.database, self.messages.append),
            )
        finally:
            assert list(scratch.iterdir()) == []
        return reading, stored(written, [c.name for c in table.columns])


@pytest.fixture
def reader(server: EmbeddedPostgres, tmp_path: Path) -> Iterator[Reader]:
    reader = Reader(server.url("care"), tmp_path)
    yield reader
    reader.database.close()


def test_rows_nulls_and_columns_by_name(server: EmbeddedPostgres, reader: Reader, tmp_path: Path) -> None:
    execute(
        server,
        'CREATE TABLE "T" (secret text, day date, "Id" int, x varchar)',
        """INSERT INTO "T" VALUES ('CANARY', '2020-02-29', 1, 'a;"b'), ('CANARY', NULL, 2, NULL), (NULL,
        NULL, NULL, 'c')""",
        "ALTER DATABASE care SET datestyle = 'German'",
    )
    reading, rows = reader(table_of())
    assert [(r[0], r[1], str(r[2])) for r in rows] == [(1, 'a;"b', "2020-02-29"), (2, None, "None")]
    assert reading.rejects == [('PostgreSQL table "T"', 3, "Id", "missing", None, ";;;c")]
    assert "'secret' not declared, kept in quarantine" in reader.messages[0]
    assert reading.undeclared == ["secret"]
    quarantine = stored(tmp_path / "quarantine", ["file", "number", "column", "value"], "ALL")
    assert quarantine == [('PostgreSQL table "T"', n, "secret", "CANARY") for n in (1, 2)]


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        ("SELECT 1", 'table "T" does not exist'),
        ('CREATE TABLE "T" ("Id" int, x text)', "'day' missing among its 2 columns"),
        (
            'CREATE TABLE "T" ("Identifier" int, x text, day date)',
            "'Id' missing among its 3 columns; it has 1 .*'Identifier'",
        ),
    ],
)
def test_a_table_or_a_column_missing(server: EmbeddedPostgres, reader: Reader, definition: str, message: str) -> None:
    execute(server, definition)
    with pytest.raises(ChuError, match=message):
        reader(table_of())


def test_a_missing_or_retyped_column_stops_its_table_and_no_other(server: EmbeddedPostgres, reader: Reader) -> None:
    execute(
        server,
        'CREATE TABLE "T" AS SELECT i "Id", i::text x, interval \'1 day\' AS day FROM generate_series(1, 30) i',
        'CREATE TABLE "U" AS SELECT 1 "Id", current_date AS day',
        # A tool that does not quote names writes them in lower case.
        "CREATE TABLE \"V\" AS SELECT 1 id, 'a' x, current_date AS day",
    )
    with pytest.raises(
        ChuError, match=r"none of the 30 values of the column 'day' is understood \(not_a_date, shape 9 aaa\)"
    ):
        reader(table_of("T"))
    with pytest.raises(ChuError, match="'x' missing among its 2 columns"):
        reader(table_of("U"))
    assert reader(table_of("V"))[0].kept == 1


PAIRS = "generate_series(1, 2)"
NUMBERS = "generate_series(1, 99) i"
TWICE = {
    "T": f"{NUMBERS}, {PAIRS}",
    "PairsBefore": f"(SELECT i / 2 i FROM {NUMBERS}) t, {PAIRS}",
    "Nulls": f"(SELECT nullif(i, 3) i FROM {NUMBERS}) t, {PAIRS}",
}
ONCE = {
    "OneAlone": f"(SELECT i FROM {NUMBERS}, {PAIRS} UNION ALL SELECT 100 UNION ALL SELECT 101) t",
    "SomePairs": f"(SELECT i / 2 i FROM {NUMBERS}) t",
    # Nine pairs may occur by chance.
    "Short": f"generate_series(1, 9) i, {PAIRS}",
}


def test_a_table_that_contains_every_row_twice(server: EmbeddedPostgres, reader: Reader) -> None:
    for name, rows in (TWICE | ONCE).items():
        execute(server, f'CREATE TABLE "{name}" AS SELECT i "Id", i::text x, current_date AS day FROM {rows}')
    for name in TWICE:
        for key in (True, False):
            with pytest.raises(ChuError, match=f'"{name}" contains every row twice: a dump was restored over'):
                reader(table_of(name, key))
    for name in ONCE:
        assert reader(table_of(name, key=False))[0].rejects == []


def test_the_delivered_dump_restored_twice(pack: Path, server: EmbeddedPostgres, tmp_path: Path) -> None:
    """Tables with a key refuse the second copy of their rows; tables without a key accept it."""
    server.restore(pack / "BDD PostgreSQL" / "DATA2023", "twice")
    connection = psycopg2.connect(server.url("twice"))
    connection.autocommit = True
    for table in CARE:
        with connection.cursor() as cursor, suppress(psycopg2.errors.UniqueViolation):
            cursor.execute(f'INSERT INTO "{table.name}" SELECT * FROM "{table.name}"')
    connection.close()
    reader = Reader(server.url("twice"), tmp_path)
    refused = {}
    for table in CARE:
        try:
            reader(table)
        except ChuError as error:
            refused[table.name] = "contains every row twice" in str(error)
    reader.database.close()
    assert refused == dict.fromkeys(("Prescription", "Adher", "AAAA", "date"), True)


def test_one_snapshot_for_all_tables(server: EmbeddedPostgres, reader: Reader) -> None:
    for name in ("T", "U"):
        execute(server, f'CREATE TABLE "{name}" AS SELECT 1 AS "Id", \'a\' x, current_date AS day')
    assert reader(table_of("T"))[0].rows_in == 1
    execute(server, "INSERT INTO \"U\" SELECT 2, 'b', current_date")
    assert reader(table_of("U"))[0].rows_in == 1


def test_the_server_dies_while_a_table_is_read(own_server: EmbeddedPostgres, tmp_path: Path) -> None:
    rows = 400_000
    reader = Reader(own_server.url("care"), tmp_path)
    execute(
        own_server,
        'CREATE TABLE "T" AS SELECT i "Id", repeat(md5(i::text), 8) x, current_date AS day '
        f"FROM generate_series(1, {rows}) i",
    )
    stream = reader.database.stream("T", ["Id", "x", "day"])
    first = next(stream)
    assert 0 < first.num_rows < rows / 2, "rows come batch by batch"
    os.kill(int((own_server.folder / "data" / "postmaster.pid").read_text().split()[0]), signal.SIGQUIT)
    with pytest.raises(ChuError, match="failed while reading table 'T': the server stopped") as raised:
        for _ in stream:
            pass
    assert "\n" not in str(raised.value)
    with pytest.raises(ChuError, match="the server stopped"):
        reader(table_of())
    reader.database.close()


def test_no_permission_on_a_table(server: EmbeddedPostgres, tmp_path: Path) -> None:
    execute(server, 'CREATE TABLE "T" ("Id" int, x text, day date)', "CREATE ROLE guest LOGIN PASSWORD 'hush'")
    reader = Reader(server.url("care").replace("chu@", "guest:hush@"), tmp_path)
    with pytest.raises(ChuError, match=r'GRANT SELECT ON "public"\."T" TO this user'):
        reader(table_of())
    reader.database.close()
    execute(server, 'DROP TABLE "T"', "DROP ROLE guest")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgresql://u:hush@127.0.0.1:1/care", "nothing listens there"),
        (
            "postgresql://u:hush@nowhere.invalid/care?sslmode=require",
            "its host is unknown|no known reason|nothing listens",
        ),
        ("postgresql://u:hush@nowhere.invalid/care", "leads to nowhere.invalid without TLS"),
        ("hush", "CHU_POSTGRES_URL is no PostgreSQL address"),
        ("postgresql://u:hush@127.0.0.1:notaport/care", "no known reason"),
    ],
)
def test_no_server(tmp_path: Path, url: str, message: str) -> None:
    with pytest.raises(ChuError, match=message) as raised:
        Reader(url, tmp_path)(table_of())
    assert "hush" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_wrong_password(own_server: EmbeddedPostgres, tmp_path: Path) -> None:
    execute(own_server, "CREATE ROLE guest LOGIN PASSWORD 'right'")
    rules = own_server.folder / "data" / "pg_hba.conf"
    rules.write_text("local all guest scram-sha-256\n" + rules.read_text())
    execute(own_server, "SELECT pg_reload_conf()")
    with pytest.raises(ChuError, match="wrong user or password") as raised:
        Reader(own_server.url("care").replace("chu@", "guest:hush@"), tmp_path)(table_of())
    assert "hush" not in str(raised.value)


@pytest.fixture(scope="module")
def delivered(pack: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CareDatabase]:
    home = tmp_path_factory.mktemp("home")
    database = CareDatabase(Settings(home=home, sources=pack, postgres_url=None), lambda _: None)
    yield database
    database.close()


@pytest.mark.parametrize("table", CARE, ids=lambda t: t.name)
def test_every_table_of_the_delivered_dump(delivered: CareDatabase, tmp_path: Path, table: Table) -> None:
    (tmp_path / "scratch").mkdir()
    (tmp_path / "written").mkdir()
    (tmp_path / "quarantine").mkdir()
    context = ReadingContext(tmp_path, tmp_path / "scratch", delivered, lambda _: None)
    reading = read(table, None, tmp_path / "written", tmp_path / "quarantine", context)
    assert list((tmp_path / "quarantine").iterdir()) == []
    assert delivered._server
    connection = psycopg2.connect(delivered._server.url(f"dump_{delivered.fingerprint[:16]}"))
    with connection, connection.cursor() as cursor:
        cursor.execute(f'SELECT count(*) FROM "{table.name}"')
        (expected,) = cursor.fetchone() or (None,)
    connection.close()
    assert reading.rows_in == expected
    assert reading.rejects == []
    assert len(stored(tmp_path / "written", [c.name for c in table.columns])) == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"SELECT 1;", "is not a PostgreSQL dump"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "is a Git LFS pointer"),
        (None, "no file named like DATAYYYY in the pack"),
        (b"", "0 bytes"),
        (b"PGDMP\x01", "could not be restored"),
    ],
)
def test_an_invalid_dump(tmp_path: Path, content: bytes | None, message: str) -> None:
    pack = tmp_path / "pack"
    pack.mkdir()
    if content is not None:
        (pack / "DATA2023").write_bytes(content)
    database = CareDatabase(Settings(home=tmp_path / "home", sources=pack, postgres_url=None), lambda _: None)
    try:
        with pytest.raises(ChuError, match=message) as raised:
            database.columns("Patient")
        assert "\n" not in str(raised.value)
    finally:
        database.close()
