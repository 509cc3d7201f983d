"""The portal as a process: it starts and answers whatever is damaged, and whoever holds its connections."""

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from starlette.responses import Response

from chu_platform.kpis.kpi_deaths_by_region import kpi_deaths_by_region
from chu_platform.kpis.kpi_hospitalisation_rate import kpi_hospitalisation_rate
from chu_platform.kpis.kpi_satisfaction_by_region import kpi_satisfaction_by_region
from chu_platform.portal.kept_pages import Asked, KeptPage
from chu_platform.reports.check_result import check_result
from chu_platform.storage.edition_manifest import PUBLISHED_EDITION
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.portal.processes import PortalProcess, portal_process
from chu_platform_tests.portal.served import QUESTIONS, Served, answer_of, serving

pytestmark = pytest.mark.integration

HALF_OPEN = 400
REQUEST_SECONDS = 2
WAIT_SECONDS = 60
PATIENCE = "import chu_platform.portal.connections as c; c.REQUEST_SECONDS = {}"
DEATHS = "/questions/deces-region"
WHAT_IS_WRONG = "table publiée est endommagée"


def copy_of(made: Home, folder: Path) -> Home:
    """A home with the published zone alone."""
    shutil.copytree(made.lake.root / "published", folder / "lake" / "published")
    return Home(folder, made.pack)


@pytest.fixture(scope="module")
def damaged(made: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Home, PortalProcess]]:
    """A portal that was started over two damaged tables, and one of the edition that is gone."""
    home = copy_of(made, tmp_path_factory.mktemp("damaged"))
    for file in home.lake.path(kpi_deaths_by_region.masked).rglob("*.parquet"):
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    for file in (home.lake.path(check_result) / "_delta_log").glob("*"):
        file.write_bytes(b"\x00garbage")
    shutil.rmtree(home.lake.path(kpi_satisfaction_by_region.masked))
    shutil.rmtree(home.lake.path(kpi_hospitalisation_rate.masked))
    with portal_process(home, PATIENCE.format(REQUEST_SECONDS)) as portal:
        yield home, portal


def test_a_damaged_table_concerns_only_its_page(damaged: tuple[Home, PortalProcess]) -> None:
    home, portal = damaged
    for path in (DEATHS, "/questions/hospitalisations"):
        page = portal.get(path)
        assert (page.status, WHAT_IS_WRONG in page.text, '<html lang="fr">' in page.text) == (503, True, True), path
    # Outside editions, a table that is not there was not made yet.
    assert portal.get("/questions/satisfaction-region").status == 404
    assert "endommag" in portal.get(f"{DEATHS}/evolution.csv").text
    for question in QUESTIONS:
        if question.slug not in ("deces-region", "hospitalisations", "satisfaction-region"):
            assert portal.get(f"/questions/{question.slug}").status == 200, question.slug
    start = portal.get("/").text
    assert "3 tables sont endommagées" in start
    assert kpi_deaths_by_region.masked.label in start and check_result.label in start
    assert "1 indicateur n’a pas encore été calculé" in start
    for path in ("/recit", "/methode", "/qualite", "/recherche/diagnostics?q=a"):
        answer = portal.get(path)
        assert (answer.status, "3 tables sont endommagées" in answer.text) == (200, True), path
    assert portal.get("/sante").text.splitlines()[1] == (
        "unreadable: check_result, kpi_deaths_by_region, kpi_hospitalisation_rate"
    )
    log = (home.folder / "work" / "logs" / "errors.log").read_text()
    assert log.count("lake.DamagedLog: ") == 1, "the cause is in the log, once"


def test_half_open_connections_keep_nobody_out(damaged: tuple[Home, PortalProcess]) -> None:
    """Neither a reader at another address, nor one at the same address; they are closed after a time."""
    _, portal = damaged
    with ExitStack() as stack:
        connections = [
            stack.enter_context(socket.create_connection(("127.0.0.1", portal.port))) for _ in range(HALF_OPEN)
        ]
        begun = time.monotonic()
        for number, connection in enumerate(connections):
            if number % 3:
                send(connection, b"GET / HTTP/1.1\r\nHost: a\r\n" if number % 3 == 1 else b"G")
        for host in ("127.0.0.1", "127.0.0.9"):
            for path in ("/", "/static/portal.css", "/questions/consultations-diagnostic"):
                assert portal.get(path, host).status == 200, (host, path)
        # What trickles does not make the time longer.
        while time.monotonic() < begun + REQUEST_SECONDS:
            send(connections[-3], b"X: y\r\n")
            time.sleep(0.2)
        assert all(is_closed(connection) for connection in connections)


def test_a_client_that_does_not_read_is_cut(damaged: tuple[Home, PortalProcess]) -> None:
    _, portal = damaged
    with ExitStack() as stack:
        lazy = []
        for _ in range(HALF_OPEN):
            connection = stack.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", portal.port))
            send(connection, b"GET /questions/consultations-etablissement HTTP/1.1\r\nHost: a\r\n\r\n")
            lazy.append(connection)
        for path in ("/", "/questions/consultations-diagnostic"):
            assert portal.get(path, "127.0.0.9").status == 200
        deadline = time.monotonic() + WAIT_SECONDS
        while len(open_connections(portal)) > 10:
            assert time.monotonic() < deadline, "connections stay open"
            time.sleep(0.1)


def open_connections(portal: PortalProcess) -> list[str]:
    """The sockets of the portal."""
    links = Path(f"/proc/{portal.process.pid}/fd").iterdir()
    return [str(link.readlink()) for link in links if link.is_symlink() and "socket" in str(link.readlink())]


def send(connection: socket.socket, data: bytes) -> None:
    """Send data; the portal may have closed the connection."""
    try:
        connection.sendall(data)
    except OSError:
        return


def is_closed(connection: socket.socket) -> bool:
    """Whether the other side has closed a connection, or does so in time."""
    connection.settimeout(WAIT_SECONDS)
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def test_a_table_that_was_damaged_at_the_start_is_served_once_it_is_repaired(made: Home, tmp_path: Path) -> None:
    lake = copy_of(made, tmp_path).lake
    files = {file: file.read_bytes() for file in lake.path(kpi_hospitalisation_rate.masked).rglob("*.parquet")}
    for file in files:
        file.write_bytes(b"")
    with serving(lake.root) as portal:
        assert portal.get("/questions/hospitalisations").status == 503
        assert portal.reader.refresh() is False
        for file, content in files.items():
            file.write_bytes(content)
        assert portal.reader.refresh() is True
        assert portal.get("/questions/hospitalisations").status == 200


def test_a_damaged_manifest_leaves_what_is_outside_editions(made: Home, tmp_path: Path) -> None:
    home = copy_of(made, tmp_path)
    (home.lake.root / "published" / PUBLISHED_EDITION).write_bytes(b'{"number": 1}')
    with serving(home.lake.root) as portal:
        assert portal.get("/").status == portal.get(DEATHS).status == 200
        assert portal.get("/questions/hospitalisations").status == 503


def test_one_client_with_many_requests_leaves_room_for_others(portal: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    accepted = threading.Event()
    make = portal.pages.page

    def page(asked: Asked) -> KeptPage | Response:
        accepted.set()
        return make(asked)

    monkeypatch.setattr(portal.pages, "page", page)
    # No other test asks for this page: it is not kept, so that it has to wait for the lock.
    waiting = threading.Thread(target=portal.page, args=("/questions/deces-region?sexe=F&mesure=deces&periode=2017",))
    with portal.pages._lock:
        waiting.start()
        assert accepted.wait(WAIT_SECONDS)
        monkeypatch.setattr("chu_platform.portal.app.MAX_REQUESTS_OF_CLIENT", 1)
        answer = portal.get("/sante")
        assert (answer.status, answer.headers["retry-after"]) == (429, "2")
        assert "Trop de demandes" in answer.text
        assert answer_of(portal.port, "/sante", source="127.0.0.2").status == 200
    waiting.join()
    assert portal.get("/methode").status == 200
