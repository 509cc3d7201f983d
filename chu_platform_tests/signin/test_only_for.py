"""A server that only some profiles may use, and the Dagster webservers behind it."""

from pathlib import Path
from typing import Any, cast

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from chu_platform.identity.accounts import Accounts
from chu_platform.identity.principal import Held
from chu_platform.identity.sessions import Sessions
from chu_platform.read_only_webserver import ReadOnlyWebserver
from chu_platform.settings import Access
from chu_platform.signin import only_for
from chu_platform.signin.only_for import SIGNED_OUT, OnlyFor
from chu_platform.signin.sign_in import SignIn
from chu_platform.tables.access_policy import Profile, Purpose
from chu_platform.webserver import Webserver
from chu_platform_tests.identity.people import HEAD, LATER, OPERATOR
from chu_platform_tests.signin.browsers import HERE, account, keep, settings_of, sign_in

pytestmark = pytest.mark.unit

AUDITOR = Held(Profile.AUDITOR, Purpose.AUDIT, LATER)
PAGE = {"Accept": "text/html"}
SOCKET = f"{HERE.replace('http', 'ws')}/graphql"
# Paths of Dagster's webserver that need no instance, and of the documents.
PATHS = ("/", "/graphql", "/graphql?query={version}", "/documents/", "/documents/index.html", "/server_info",
         "/dagit_info", "/logs/a/compute_logs/x.out", "/download_debug/a", "/notebook?path=a", "/runs", "/static/x.js",
         "//graphql", "/connexion/../graphql", "/lien", "/sante/")  # fmt: skip


def client_of(home: Path, access: Access = "accounts", address: str = HERE) -> TestClient:
    """A browser of a server for operators, with a page and a websocket that answers what it is sent."""

    async def echo(websocket: WebSocket) -> None:
        await websocket.accept()
        while True:
            await websocket.send_text(await websocket.receive_text())

    def page(request: Request) -> Response:
        return PlainTextResponse(f"{request.method} answered")

    inner = Starlette(routes=[Route("/{path:path}", page, methods=["GET", "POST"]), WebSocketRoute("/graphql", echo)])
    sign_in = SignIn(settings_of(home, access=access))
    app = OnlyFor(inner, sign_in, {Profile.OPERATOR}, access == "open")
    return TestClient(app, base_url=address, follow_redirects=False)


def webserver(
    kind: type[Webserver], home: Path, monkeypatch: pytest.MonkeyPatch, access: Access = "accounts"
) -> TestClient:
    """A browser of a Dagster webserver without an instance: what is answered never reached Dagster, or needs none."""
    monkeypatch.setenv("CHU_HOME", str(home))
    monkeypatch.setenv("CHU_ACCESS", access)
    app = kind(cast(Any, None)).create_asgi_app()
    return TestClient(app, base_url=HERE, follow_redirects=False, raise_server_exceptions=False)


def signed_in(client: TestClient, home: Path, name: str, held: Held) -> TestClient:
    account(settings_of(home), name, held)
    assert sign_in(client, name).status_code == 303
    return client


def test_without_a_session_nothing_answers(tmp_path: Path) -> None:
    client = client_of(tmp_path)
    assert client.get("/sante").text == "ok\n"
    for path in ("/", "/graphql", "/documents/index.html"):
        asked = client.get(path, headers=PAGE)
        assert asked.status_code == 303
        assert asked.headers["location"].startswith("/connexion?retour=")
        assert client.get(path).status_code == 401
        assert client.post(path, json={}).status_code == 401
        assert client.get(path, headers={"X-Forwarded-User": "operator", "Remote-User": "operator"}).status_code == 401
    with pytest.raises(WebSocketDisconnect) as refused, client.websocket_connect(SOCKET):
        pass
    assert refused.value.code == SIGNED_OUT
    assert client.get("/connexion", headers=PAGE).headers["content-security-policy"].startswith("default-src 'none'")


def test_the_profile_opens_and_another_one_does_not(tmp_path: Path) -> None:
    operator = signed_in(client_of(tmp_path), tmp_path, "operator", OPERATOR)
    assert operator.get("/graphql").text == "GET answered"
    assert operator.post("/graphql").text == "POST answered"
    with operator.websocket_connect(SOCKET) as socket:
        socket.send_text("hello")
        assert socket.receive_text() == "hello"
    head = signed_in(client_of(tmp_path), tmp_path, "head-a", HEAD)
    assert head.get("/graphql", headers=PAGE).status_code == head.post("/graphql").status_code == 403
    with pytest.raises(WebSocketDisconnect), head.websocket_connect(SOCKET):
        pass


def test_other_sites_reach_nothing_with_the_cookie_of_a_browser(tmp_path: Path) -> None:
    for client in (
        signed_in(client_of(tmp_path), tmp_path, "operator", OPERATOR),
        client_of(tmp_path, "open"),
    ):
        foreign = {"Origin": "https://evil.example"}
        assert client.post("/graphql", headers=foreign).status_code == 403
        with pytest.raises(WebSocketDisconnect), client.websocket_connect(SOCKET, headers=foreign):
            pass
        assert client.post("/graphql", headers={"Origin": HERE}).status_code == 200


def test_an_open_websocket_is_closed_when_its_account_is_withdrawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(only_for, "SECONDS_BETWEEN_LOOKS", 0.02)
    operator = signed_in(client_of(tmp_path), tmp_path, "operator", OPERATOR)
    with operator.websocket_connect(SOCKET) as socket:
        socket.send_text("hello")
        assert socket.receive_text() == "hello"
        Accounts(settings_of(tmp_path).accounts_folder).remove("operator")
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
    assert closed.value.code == SIGNED_OUT
    assert operator.get("/graphql").status_code == 401


def test_where_access_is_open_only_this_machine_is_served(tmp_path: Path) -> None:
    assert client_of(tmp_path, "open").get("/graphql").text == "GET answered"
    elsewhere = client_of(tmp_path, "open", "http://ui.chu.example")
    assert elsewhere.get("/graphql").status_code == 403
    with pytest.raises(WebSocketDisconnect), elsewhere.websocket_connect("ws://ui.chu.example/graphql"):
        pass


def test_the_dagster_webserver_answers_to_operators_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = webserver(Webserver, tmp_path, monkeypatch)
    for path in PATHS:
        assert client.get(path).status_code == 401, path
        assert client.get(path, headers=PAGE).status_code == 303, path
        assert client.post(path).status_code == 401, path
    with pytest.raises(WebSocketDisconnect) as refused, client.websocket_connect(SOCKET, ["graphql-ws"]):
        pass
    assert refused.value.code == SIGNED_OUT
    assert client.get("/sante").status_code == 200
    assert signed_in(client, tmp_path, "auditor", AUDITOR).get("/server_info").status_code == 403
    sessions = Sessions.of(settings_of(tmp_path))
    account(settings_of(tmp_path), "operator", OPERATOR)
    keep(client, sessions.begin_with_link(sessions.new_link("operator")))
    assert client.get("/server_info").json()["dagster_version"]


def test_the_read_only_webserver_answers_to_auditors_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = webserver(ReadOnlyWebserver, tmp_path, monkeypatch)
    assert client.get("/graphql").status_code == 401
    assert signed_in(client, tmp_path, "auditor", AUDITOR).get("/server_info").status_code == 200
    account(settings_of(tmp_path), "head-a", HEAD)
    sessions = Sessions.of(settings_of(tmp_path))
    keep(client, sessions.begin_with_link(sessions.new_link("head-a")))
    assert client.get("/server_info").status_code == 403


def test_without_sign_in_the_webserver_answers_as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert webserver(Webserver, tmp_path, monkeypatch, "open").get("/server_info").status_code == 200
