"""The dashboard of the released figures in Apache Superset, which runs in an environment of its own.

The environment is made from PyPI, or is the folder that CHU_TEST_SUPERSET names. Superset is no dependency.
"""

import json
import os
import secrets
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser, Response

from chu_platform.kpis.kpi_consultation_rate_by_establishment import kpi_consultation_rate_by_establishment
from chu_platform.marts.content import Mart, mart_tables
from chu_platform.marts.dashboard import SLUG, connection_file
from chu_platform.marts.load import load_marts
from chu_platform.marts.server import mart_server
from chu_platform.tables.access_policy import Profile, Purpose
from chu_platform_tests.marts.served import Served, settings_of, two_sites
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.portal.chromium import needs_chromium
from chu_platform_tests.portal.conftest import browser  # noqa: F401 a fixture
from chu_platform_tests.ports import HOST, free_port

pytestmark = [pytest.mark.system, needs_chromium]

PACKAGES: Final = ("apache-superset==6.1.0", "rich", "cachetools", "Flask-Caching==2.3.1", "psycopg2-binary")
ADMINISTRATOR: Final = "admin"
CONFIGURATION: Final = """
import os
SECRET_KEY = os.environ["SUPERSET_SECRET_KEY"]
SQLALCHEMY_DATABASE_URI = "sqlite:///" + os.environ["SUPERSET_HOME"] + "/superset.db"
WTF_CSRF_ENABLED = False
TALISMAN_ENABLED = False
"""
RELEASED: Final = kpi_consultation_rate_by_establishment.masked


@dataclass
class Superset:
    """A server of Superset, and a session of its administrator."""

    address: str
    password: str = field(repr=False)
    token: str = field(default="", repr=False)

    def ask(self, path: str, body: bytes | None = None, kind: str = "application/json") -> tuple[int, Any]:
        """Status and JSON of an answer of its API."""
        headers = {"Content-Type": kind} | ({"Authorization": f"Bearer {self.token}"} if self.token else {})
        request = urllib.request.Request(f"{self.address}/api/v1{path}", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode("utf-8", errors="replace")

    def sign_in(self) -> None:
        """Take a token of the administrator."""
        given = {"username": ADMINISTRATOR, "password": self.password, "provider": "db"}
        status, answer = self.ask("/security/login", json.dumps(given).encode())
        assert status == 200
        self.token = answer["access_token"]

    def load(self, file: Path, password: str) -> None:
        """Import a dashboard, as its page does, with the password of its connection."""
        edge = secrets.token_hex(16)
        parts = {"passwords": json.dumps({connection_file(): password}), "overwrite": "true"}
        body = b"".join(
            f'--{edge}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
            for name, value in parts.items()
        )
        named = f'Content-Disposition: form-data; name="formData"; filename="{file.name}"'
        body += f"--{edge}\r\n{named}\r\nContent-Type: application/zip\r\n\r\n".encode() + file.read_bytes()
        body += f"\r\n--{edge}--\r\n".encode()
        assert self.ask("/dashboard/import/", body, f"multipart/form-data; boundary={edge}") == (200, {"message": "OK"})


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment with Superset."""
    if given := os.environ.get("CHU_TEST_SUPERSET"):
        return Path(given) / "bin"
    folder = tmp_path_factory.mktemp("superset") / "environment"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run([folder / "bin" / "pip", "install", "--quiet", *PACKAGES], check=True)
    return folder / "bin"


@pytest.fixture(scope="module")
def served(made: Home, tmp_path_factory: pytest.TempPathFactory) -> Served:
    """Marts on the embedded server, with the account that a BI server has."""
    home = tmp_path_factory.mktemp("home")
    settings = settings_of(home, made.lake.root, free_port())
    found = Served(settings, made.lake, two_sites(made.lake))
    load_marts(settings, made.lake, lambda _: None)
    found.add("bi-server", Profile.PUBLIC, Purpose.INFORMATION)
    return found


@pytest.fixture(scope="module")
def superset(environment: Path, served: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Superset]:
    folder, port = tmp_path_factory.mktemp("superset-home"), free_port()
    (folder / "superset_config.py").write_text(CONFIGURATION, encoding="utf-8")
    found = Superset(f"http://{HOST}:{port}", secrets.token_urlsafe())
    variables = {
        **{name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "CHU_HOME")},
        "SUPERSET_CONFIG_PATH": str(folder / "superset_config.py"),
        "SUPERSET_HOME": str(folder),
        "SUPERSET_SECRET_KEY": secrets.token_urlsafe(42),
        "FLASK_APP": "superset",
    }
    program = str(environment / "superset")
    names = ["--username", ADMINISTRATOR, "--firstname", "a", "--lastname", "b", "--email", "a@example.org"]
    for command in (["db", "upgrade"], ["fab", "create-admin", *names, "--password", found.password], ["init"]):
        subprocess.run([program, *command], env=variables, check=True, capture_output=True, timeout=600)
    command = [program, "run", "-h", HOST, "-p", str(port), "--with-threads"]
    with (
        mart_server(served.settings),
        subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server,
    ):
        deadline = time.monotonic() + 120
        while not _answers(found.address):
            assert time.monotonic() < deadline, "Superset does not answer"
            time.sleep(0.5)
        found.sign_in()
        yield found
        server.terminate()


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@pytest.fixture(scope="module")
def imported(superset: Superset, served: Served, tmp_path_factory: pytest.TempPathFactory) -> Superset:
    """Superset with the dashboard that the command writes."""
    file = tmp_path_factory.mktemp("dashboard") / "chu.zip"
    settings = served.settings
    environment = os.environ | {"CHU_HOME": str(settings.home), "CHU_MARTS_PORT": str(settings.marts_port)}
    command = [sys.executable, "-m", "chu_platform.cli", "marts", "dashboard", str(file)]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert served.passwords["bi-server"] not in done.stdout + done.stderr
    assert served.passwords["bi-server"].encode() not in file.read_bytes()
    superset.load(file, served.passwords["bi-server"])
    superset.load(file, served.passwords["bi-server"])  # a second time: it takes the place of the first one
    return superset


def shown(superset: Superset, browser: Browser) -> Mapping[str, Mapping[str, Any]]:  # noqa: F811
    """What the charts of the dashboard receive, by name, when a reader opens it and reads to its end."""
    page = browser.new_page(viewport={"width": 1440, "height": 2000})
    answers: list[Response] = []
    page.on("response", lambda response: answers.append(response) if "/chart/data" in response.url else None)
    page.goto(f"{superset.address}/login/")
    page.fill("input[name=username], #username", ADMINISTRATOR)
    page.fill("input[name=password], #password", superset.password)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/login" not in url, timeout=60_000)
    page.goto(f"{superset.address}/superset/dashboard/{SLUG}/?standalone=1")
    expected = 2 * sum(table.indicator is not None for table in mart_tables(Mart.PUBLISHED))
    deadline = time.monotonic() + 180
    while len(answers) < expected and time.monotonic() < deadline:
        page.mouse.wheel(0, 700)
        page.wait_for_timeout(1000)
    assert {answer.status for answer in answers} == {200}
    names = {chart["id"]: chart["slice_name"] for chart in superset.ask("/chart/?q=(page_size:100)")[1]["result"]}
    found = {}
    for answer in answers:
        asked: Any = answer.request.post_data_json
        found[names[asked["form_data"]["slice_id"]]] = answer.json()["result"][0]
    assert page.locator("[data-test=error-message], .ant-alert-error").count() == 0
    page.close()
    assert len(found) == len(names) == expected
    return found


def test_each_question_has_two_charts_with_the_released_figures(
    imported: Superset,
    served: Served,
    browser: Browser,  # noqa: F811
) -> None:
    found = shown(imported, browser)
    assert all(result["error"] is None and result["rowcount"] > 0 for result in found.values())
    rows = served.lake.arrow(
        RELEASED,
        ["period_start", "rate_per_1000"],
        condition="period_grain = 'year' AND level = 'total'",
    ).to_pylist()
    expected = {str(row["period_start"].year): row["rate_per_1000"] for row in rows}
    trend = found[f"{kpi_consultation_rate_by_establishment.question.short} : au cours du temps"]
    values = [[v for name, v in row.items() if name != trend["colnames"][0]] for row in trend["data"]]
    times = [row[trend["colnames"][0]] for row in trend["data"]]
    years = [str(time.gmtime(t / 1000).tm_year) if isinstance(t, int | float) else str(t)[:4] for t in times]
    assert {year: v[0] for year, v in zip(years, values, strict=True)} == pytest.approx(expected)


def test_its_connection_reads_released_figures_only(imported: Superset, served: Served) -> None:
    """What somebody types in the SQL editor of Superset."""
    (database,) = imported.ask("/database/")[1]["result"]

    def asked(sql: str) -> tuple[int, Any]:
        given = {"database_id": database["id"], "sql": sql, "schema": "publie", "runAsync": False}
        return imported.ask("/sqllab/execute/", json.dumps(given).encode())

    status, answer = asked("SELECT region_label FROM region WHERE region_code = '11'")
    assert (status, answer["data"]) == (200, [{"region_label": "Île-de-France"}])
    closed = [t.name for t in mart_tables(Mart.DIRECTORS)]
    assert closed
    for name in [*(f"direction.{name}" for name in closed), "acces.tenu"]:
        status, answer = asked(f"SELECT * FROM {name}")
        assert status != 200 and "permission denied" in str(answer), name
