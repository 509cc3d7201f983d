"""The marts on a server as docker/ starts it: Debian's PostgreSQL, over TLS, read by psql and by ODBC as each role.

Needs Debian's packages postgresql, odbc-postgresql and unixodbc, and pyodbc (`pip install pyodbc`).
"""

import os
import pwd
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import yaml

from chu_platform.errors import TransientError
from chu_platform.marts.content import Mart, mart_tables
from chu_platform.marts.load import load_marts
from chu_platform.marts.schema import view_name
from chu_platform.settings import PROJECT
from chu_platform.tables.access_policy import Profile, Purpose
from chu_platform_tests.landing.servers import Certificate
from chu_platform_tests.marts.served import EXACT, Served, settings_of, two_sites
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.ports import HOST, free_port

pytestmark = pytest.mark.system

COMPOSE = PROJECT / "docker" / "compose.marts.yaml"
SUPERUSER_PASSWORD = "canary-of-the-superuser"
BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
KILLS = 5


def as_server(command: Sequence[str | Path]) -> list[str]:
    """A command as a user that may run PostgreSQL: it refuses root."""
    if os.geteuid() != 0:
        return [str(part) for part in command]
    user = pwd.getpwnam("postgres")
    identity = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    return ["setpriv", *identity, "--", *map(str, command)]


def deployed_options(folder: Path, port: int) -> list[str]:
    """The command of the service, with places of this machine."""
    program, *options = yaml.safe_load(COMPOSE.read_text("utf-8"))["services"]["marts"]["command"]
    assert program == "postgres"
    places = {
        "/etc/chu/marts_hba.conf": folder / "marts_hba.conf",
        "/run/secrets/marts_certificate": folder / "tls.pem",
        "/run/secrets/marts_key": folder / "tls.pem",
    }
    for name, place in places.items():
        options = [option.replace(name, str(place)) for option in options]
    return [*options, "-c", f"port={port}", "-c", f"unix_socket_directories={folder}", "-c", f"listen_addresses={HOST}"]


class Server:
    """A server of Debian's PostgreSQL."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.certificate = Certificate.make(folder / "tls.pem").file
        shutil.copy(PROJECT / "docker" / "marts_hba.conf", folder)
        (folder / "password").write_text(SUPERUSER_PASSWORD, encoding="ascii")
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            for place in (folder, *folder.iterdir()):
                os.chown(place, user.pw_uid, user.pw_gid)
        (folder / "tls.pem").chmod(0o600)
        auth = [
            "--auth-host=scram-sha-256",
            "--auth-local=scram-sha-256",
            "--no-sync",
            f"--pwfile={folder / 'password'}",
        ]
        command: list[str | Path] = [
            BINARIES[-1] / "initdb",
            "--username=chu",
            "--encoding=UTF8",
            *auth,
            f"--pgdata={folder / 'data'}",
        ]
        subprocess.run(as_server(command), check=True, capture_output=True, cwd="/")
        self.process = self.start()
        self.psql("chu", "CREATE DATABASE chu_marts", SUPERUSER_PASSWORD, "postgres", f"host={folder}")

    def start(self) -> "subprocess.Popen[bytes]":
        program: list[str | Path] = [BINARIES[-1] / "postgres", "-D", self.folder / "data"]
        program += deployed_options(self.folder, self.port)
        self.process = subprocess.Popen(as_server(program), cwd="/", stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            ready = [str(BINARIES[-1] / "pg_isready"), "-q", "-h", HOST, "-p", str(self.port)]
            if subprocess.run(ready, check=False).returncode == 0:
                return self.process
            time.sleep(0.1)
        raise AssertionError("the server does not answer")

    @property
    def url(self) -> str:
        tls = f"sslmode=verify-full&sslrootcert={self.certificate}"
        return f"postgresql://chu:{SUPERUSER_PASSWORD}@{HOST}:{self.port}/chu_marts?{tls}"

    def psql(self, user: str, query: str, password: str, database: str = "chu_marts", more: str = "") -> str:
        """What psql prints; "" and its error raise CalledProcessError."""
        address = f"host={HOST} port={self.port} dbname={database} user={user} {more}"
        done = subprocess.run(
            ["psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", query, address],
            env=os.environ | {"PGPASSWORD": password, "LC_ALL": "C"},
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("debian")
    for parent in (folder, *folder.parents[:3]):
        parent.chmod(parent.stat().st_mode | 0o011)
    found = Server(folder)
    yield found
    found.process.send_signal(signal.SIGINT)
    found.process.wait(60)


@pytest.fixture(scope="module")
def served(made: Home, server: Server, tmp_path_factory: pytest.TempPathFactory) -> Served:
    home = tmp_path_factory.mktemp("home")
    settings = settings_of(home, made.lake.root, server.port, marts_url=server.url)
    found = Served(settings, made.lake, two_sites(made.lake))
    large, small = found.sites
    found.add("head-large", Profile.HEAD, Purpose.STEERING, large)
    found.add("clinician-small", Profile.CLINICIAN, Purpose.CARE_QUALITY, small)
    found.add("bi-server", Profile.PUBLIC, Purpose.INFORMATION)
    load_marts(settings, made.lake, lambda _: None)
    return found


def test_only_tls_reaches_the_server(server: Server, served: Served) -> None:
    with pytest.raises(psycopg2.OperationalError, match="no encryption"), served.as_("bi-server", sslmode="disable"):
        pass
    verified = f"sslmode=verify-full sslrootcert={server.certificate}"
    query = "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    assert server.psql("bi-server", query, served.passwords["bi-server"], more=verified).startswith("TLSv1.")
    with pytest.raises(subprocess.CalledProcessError):
        server.psql("bi-server", "SELECT 1", served.passwords["bi-server"], "postgres", verified)


def test_psql_reads_own_rows_only(server: Server, served: Served) -> None:
    expected = {"head-large": ("direction", served.sites[0]), "clinician-small": ("praticiens", served.sites[1])}
    for name, (mart, site) in expected.items():
        query = f'SELECT DISTINCT "Code" FROM {mart}.{view_name(mart_tables(Mart.DIRECTORS)[0])}'
        assert server.psql(name, query, served.passwords[name]) == f"F{site}"
        for other in {"direction", "praticiens"} - {mart}:
            with pytest.raises(subprocess.CalledProcessError) as caught:
                server.psql(name, f"SELECT * FROM {other}.{EXACT.name}", served.passwords[name])
            assert f"permission denied for schema {other}" in caught.value.stderr
    with pytest.raises(subprocess.CalledProcessError):
        server.psql("bi-server", f"SELECT * FROM direction.{EXACT.name}", served.passwords["bi-server"])


def test_odbc_reads_own_rows_only_and_french_texts(server: Server, served: Served) -> None:
    """As Power BI and Excel do, by the driver psqlODBC."""
    pyodbc: Any = pytest.importorskip("pyodbc")
    address = f"Driver={{PostgreSQL Unicode}};Server={HOST};Port={server.port};Database=chu_marts;SSLmode=require"

    def rows(name: str, query: str) -> list[Any]:
        connection = pyodbc.connect(f"{address};Uid={name};Pwd={served.passwords[name]}")
        try:
            return [tuple(row) for row in connection.execute(query).fetchall()]
        finally:
            connection.close()

    view = view_name(mart_tables(Mart.DIRECTORS)[0])
    (title,) = (column.label for column in EXACT.columns if column.name == "consultations")
    query = f'SELECT "Code", "Période", "{title}" FROM direction.{view}'
    found = rows("head-large", query)
    assert {code for code, _, _ in found} == {f"F{served.sites[0]}"}
    assert sorted(found, key=str) == sorted(served.rows("head-large", query), key=str)
    assert ("Île-de-France",) in rows("bi-server", "SELECT region_label FROM publie.region")
    for query in (f"SELECT * FROM direction.{EXACT.name}", "SELECT * FROM acces.tenu"):
        with pytest.raises(pyodbc.Error, match="permission denied"):
            rows("bi-server", query)


def test_a_killed_load_and_a_killed_server_leave_the_former_edition(server: Server, served: Served, made: Home) -> None:
    query = f"SELECT * FROM direction.{EXACT.name} ORDER BY period_grain, period_start"
    before = served.rows("head-large", query)
    public = served.rows("bi-server", "SELECT count(*) FROM publie.kpi_mortality")
    environment = os.environ | {
        "CHU_HOME": str(served.settings.home),
        "CHU_LAKE": str(made.lake.root),
        "CHU_MARTS": "1",
        "CHU_MARTS_URL": server.url,
    }
    begun = time.monotonic()
    command = [sys.executable, "-m", "chu_platform.cli", "marts", "load", "--force"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    seconds = time.monotonic() - begun
    assert SUPERUSER_PASSWORD not in done.stdout + done.stderr
    draw = random.Random(seconds)
    for kill in range(KILLS):
        load = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(seconds * draw.uniform(0.3, 1))
        if kill == KILLS - 1:
            # The server itself, as by a power failure of its machine; the load gets an error.
            server.process.kill()
            server.process.wait()
            load.wait(120)
            time.sleep(1)
            server.start()
        else:
            load.kill()
            load.wait()
        assert served.rows("head-large", query) == before
        assert served.rows("bi-server", "SELECT count(*) FROM publie.kpi_mortality") == public
    deadline = time.monotonic() + 60
    while True:  # the server may not have noticed yet that the killed load is gone
        try:
            load_marts(served.settings, made.lake, lambda _: None, force=True)
            break
        except TransientError:
            assert time.monotonic() < deadline
            time.sleep(1)
    assert served.rows("head-large", query) == before


def test_every_query_is_in_the_log_and_no_secret(server: Server, served: Served) -> None:
    served.rows("head-large", "SELECT 'question of a reader'")
    text = "".join(f.read_text("utf-8", errors="replace") for f in sorted((server.folder / "data" / "log").iterdir()))
    assert "head-large@chu_marts 127.0.0.1" in text and "question of a reader" in text
    assert "SCRAM-SHA-256$" not in text and not any(p in text for p in [*served.passwords.values(), SUPERUSER_PASSWORD])
