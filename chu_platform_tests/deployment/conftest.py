"""A Dagster instance as in the deployment, with runs and secrets, and two webservers for it."""

import os
import shutil
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import dagster as dg
import psycopg2
import pytest

from chu_platform.care_database.embedded_postgres import EmbeddedPostgres
from chu_platform.identity.accounts import Accounts
from chu_platform.identity.principal import Held
from chu_platform.identity.sessions import Sessions
from chu_platform.serve import WORKSPACE
from chu_platform.settings import PROJECT
from chu_platform.tables.access_policy import Profile, Purpose
from chu_platform_tests.conftest import CARE
from chu_platform_tests.deployment.webservers import Webserver, running
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.ports import free_port

# The secrets: the passwords of both databases, a token, and the key of the pseudonyms.
SECRETS = ("canarycarepassword", "canarydagsterpassword", "canarytoken", "ca4a71e5" * 8)
ORDINARY = "import typer; from chu_platform.webserver import main; typer.run(main)"


@pytest.fixture(scope="session")
def instance_home(pack: Path, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home whose Dagster instance is docker/dagster.yaml with a real PostgreSQL, after a run that failed in part."""
    connection = psycopg2.connect(postgres.url(CARE))
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE dagster LOGIN")
        cursor.execute("CREATE DATABASE dagster OWNER dagster")
    connection.close()
    folder = tmp_path_factory.mktemp("deployment")
    socket = parse_qs(urlsplit(postgres.url(CARE)).query)["host"][0]
    passwords = folder / "pgpass"
    passwords.write_text(f"*:*:dagster:dagster:{SECRETS[1]}\n")
    passwords.chmod(0o600)
    settings = {
        "CHU_POSTGRES_URL": f"postgresql://reader:{SECRETS[0]}@127.0.0.1:1/care",
        "CHU_SPARK_REMOTE": f"sc://127.0.0.1:1/;token={SECRETS[2]}",
        # Without a host, libpq uses PGHOST, which may be a folder.
        "DAGSTER_POSTGRES_HOST": "",
        "PGHOST": socket,
        "PGPASSFILE": str(passwords),
        "CHU_ACCESS": "accounts",
    }
    home = Home(folder / "home", pack, settings)
    home.secrets.mkdir(parents=True, mode=0o700)
    (home.secrets / "pseudonymisation.key").write_text(SECRETS[3])
    (home.folder / "dagster").mkdir()
    shutil.copy(PROJECT / "docker" / "dagster.yaml", home.folder / "dagster")
    done = home.chu("materialize", "--select", "key:references/region or key:sources/Specialites")
    assert "FAILED sources/Specialites" in done.stderr, done.stderr
    return home


@pytest.fixture(scope="session")
def database(instance_home: Home, postgres: EmbeddedPostgres) -> tuple[str, str]:
    """The ids of a started and a failed run. The instance also has a limit, a dynamic partition, a materialisation."""
    with pytest.MonkeyPatch.context() as environment:
        for name, value in instance_home.settings.items():
            environment.setenv(name, value)
        with dg.DagsterInstance.from_config(str(instance_home.folder / "dagster")) as instance:
            failed = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]))[0].run_id
            started = instance.add_run(dg.DagsterRun("__ASSET_JOB", status=dg.DagsterRunStatus.STARTED)).run_id
            instance.event_log_storage.set_concurrency_slots("limited", 3)
            instance.add_dynamic_partitions("dynamic", ["one"])
    return started, failed


@pytest.fixture(scope="session")
def read_only(instance_home: Home, database: tuple[str, str], postgres: EmbeddedPostgres) -> Iterator[Webserver]:
    """The read-only webserver, started by `chu serve --read-only`."""
    headers = signed_in(instance_home, "auditor", Held(Profile.AUDITOR, Purpose.AUDIT, date.max))
    server = Webserver(free_port(), _url(postgres, "dagster"), *database, headers)
    ports = ("--port", str(server.port), "--portal-port", str(free_port()))
    with running(server, instance_home.start("serve", "--read-only", *ports)) as it:
        yield it


@pytest.fixture(scope="session")
def ordinary(
    instance_home: Home, database: tuple[str, str], postgres: EmbeddedPostgres, read_only: Webserver
) -> Iterator[Webserver]:
    """The ordinary webserver, with a copy of the same instance."""
    connection = psycopg2.connect(postgres.url(CARE))
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'dagster'")
        cursor.execute("CREATE DATABASE dagster_copy TEMPLATE dagster OWNER dagster")
    connection.close()
    copy = instance_home.folder.parent / "ordinary"
    (copy / "dagster").mkdir(parents=True)
    configuration = (PROJECT / "docker" / "dagster.yaml").read_text()
    assert "db_name: dagster\n" in configuration
    (copy / "dagster" / "dagster.yaml").write_text(configuration.replace("db_name: dagster", "db_name: dagster_copy"))
    settings = {
        **instance_home.settings,
        "DAGSTER_HOME": str(copy / "dagster"),
        "PYTHONPATH": os.pathsep.join((str(PROJECT), os.environ.get("PYTHONPATH", ""))),
    }
    home = Home(copy, instance_home.pack, settings)
    headers = signed_in(home, "operator", Held(Profile.OPERATOR, Purpose.OPERATION, date.max))
    server = Webserver(free_port(), _url(postgres, "dagster_copy"), *database, headers)
    arguments = ("-p", str(server.port), "-w", str(WORKSPACE))
    with running(server, home.start(*arguments, program=ORDINARY)) as it:
        yield it


def signed_in(home: Home, name: str, held: Held) -> Mapping[str, str]:
    """The header of a session of a new account."""
    Accounts(home.secrets / "accounts").add(name, held)
    sessions = Sessions(home.secrets / "accounts", "accounts")
    return {"Cookie": f"chu_session={sessions.begin_with_link(sessions.new_link(name))}"}


def _url(postgres: EmbeddedPostgres, name: str) -> str:
    return postgres.url(CARE).replace(f"/{CARE}?", f"/{name}?")
