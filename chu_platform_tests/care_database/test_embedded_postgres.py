"""The embedded PostgreSQL server: start, stop, restore and dump. Needs no delivered data."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from chu_platform.care_database.embedded_postgres import EmbeddedPostgres
from chu_platform.errors import ChuError

ROWS = 20_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="module")
def dump(server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Path:
    server.create_database("origin")
    execute(
        server,
        "origin",
        f'CREATE TABLE "T" AS SELECT i AS "Id", md5(i::text) AS x FROM generate_series(1, {ROWS}) i',
    )
    path = tmp_path_factory.mktemp("dump") / "DATA2023"
    server.dump("origin", path)
    return path


def execute(server: EmbeddedPostgres, database: str, statement: str) -> list[tuple[object, ...]]:
    connection = psycopg2.connect(server.url(database))
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def postmaster(folder: Path) -> int:
    return int((folder / "data" / "postmaster.pid").read_text().splitlines()[0])


def has_ended(pid: int, within: float = 20.0) -> bool:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.integration
def test_a_dump_is_restored(server: EmbeddedPostgres, dump: Path) -> None:
    assert server.restore(dump, "copy") == []
    assert execute(server, "copy", 'SELECT count(*), max("Id") FROM "T"') == [(ROWS, ROWS)]


@pytest.mark.integration
def test_an_existing_database_is_not_overwritten(server: EmbeddedPostgres, dump: Path) -> None:
    with pytest.raises(ChuError, match="exists already"):
        server.restore(dump, "origin")


@pytest.mark.integration
def test_a_missing_dump_is_an_error(server: EmbeddedPostgres, tmp_path: Path) -> None:
    with pytest.raises(ChuError, match="does not exist"):
        server.restore(tmp_path / "none", "missing")


@pytest.mark.integration
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a PostgreSQL dump"),
        (b"PG", "is not a PostgreSQL dump"),
        (b"SELECT 1;\n", "is not a PostgreSQL dump with tables"),
        (b"Nom;Prenom\nA;B\n", "is not a PostgreSQL dump"),
        (b"\x1f\x8b\x08", "damaged or cut"),
        ("CREATE TABLE t (a int);".encode("utf-16"), "UTF-16, as PowerShell"),
    ],
)
def test_a_file_that_is_not_a_dump_is_an_error(
    server: EmbeddedPostgres, tmp_path: Path, content: bytes, message: str
) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ChuError, match=message):
        server.restore(tmp_path / "file", "nodump")


@pytest.mark.integration
@pytest.mark.parametrize("fraction", [0.0001, 0.01, 0.5, 0.99])
def test_a_truncated_dump_leaves_no_database(
    server: EmbeddedPostgres, dump: Path, tmp_path: Path, fraction: float
) -> None:
    content = dump.read_bytes()
    (tmp_path / "half").write_bytes(content[: int(len(content) * fraction)])
    with pytest.raises(ChuError, match="half could not be restored: ") as raised:
        server.restore(tmp_path / "half", "truncated")
    assert "\n" not in str(raised.value)
    assert not server.has_database("truncated")


@pytest.mark.integration
@pytest.mark.parametrize("name", ['a"b', "a b", "", "A", "a;b"])
def test_only_plain_database_names_are_accepted(server: EmbeddedPostgres, name: str) -> None:
    with pytest.raises(ChuError, match="plain database name"):
        server.create_database(name)


@pytest.mark.integration
def test_the_server_does_not_listen_on_the_network(server: EmbeddedPostgres) -> None:
    assert execute(server, "postgres", "SHOW listen_addresses") == [("",)]
    assert (server.folder / "data").stat().st_mode & 0o077 == 0


@pytest.mark.system
def test_a_second_user_keeps_the_server_running(tmp_path: Path) -> None:
    first, second = EmbeddedPostgres(tmp_path), EmbeddedPostgres(tmp_path)
    first.start()
    second.start()
    pid = postmaster(tmp_path)
    first.stop()
    assert execute(second, "postgres", "SELECT 1") == [(1,)]
    second.stop()
    assert has_ended(pid, within=1)


@pytest.mark.system
def test_the_server_can_start_again_after_it_was_killed(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path) as server:
        server.create_database("kept")
        pid = postmaster(tmp_path)
        os.kill(pid, signal.SIGKILL)
        # The child processes of PostgreSQL end soon after. The killed server is a zombie until the keeper ends.
    with EmbeddedPostgres(tmp_path) as server:
        assert server.has_database("kept")


@pytest.mark.integration
def test_the_server_ends_when_its_only_user_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path;"
        "from chu_platform.care_database.embedded_postgres import EmbeddedPostgres;"
        "EmbeddedPostgres(Path(sys.argv[1])).start(); print('up', flush=True); time.sleep(600)"
    )
    root = str(Path(__file__).parents[2])
    environment = os.environ | {"PYTHONPATH": root}
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, env=environment
    ) as user:
        assert user.stdout is not None
        assert user.stdout.readline() == b"up\n"
        pid = postmaster(tmp_path)
        user.kill()
    assert has_ended(pid)


@pytest.mark.system
def test_a_folder_with_a_long_path_works(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    with EmbeddedPostgres(deep) as server:
        assert execute(server, "postgres", "SELECT 1") == [(1,)]


@pytest.mark.integration
def test_a_cluster_of_another_major_version_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "PG_VERSION").write_text("14\n")
    with pytest.raises(ChuError, match="PostgreSQL 14"):
        EmbeddedPostgres(tmp_path).start()
