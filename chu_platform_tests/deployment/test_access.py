"""The webserver of `chu serve` answers to nobody without a session, and to an account that is withdrawn no more."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from chu_platform.identity.accounts import Accounts
from chu_platform.identity.principal import Held
from chu_platform.tables.access_policy import Profile, Purpose
from chu_platform_tests.deployment.conftest import signed_in
from chu_platform_tests.deployment.webservers import Webserver
from chu_platform_tests.pipeline.home import Home

pytestmark = pytest.mark.integration

PATHS = ("/", "/graphql?query=%7Bversion%7D", "/documents/", "/documents/index.html", "/server_info", "/runs")
FORGED = ("X-Forwarded-User", "X-Remote-User", "Remote-User", "X-Auth-Request-User", "X-WEBAUTH-USER")
HEAD = Held(Profile.HEAD, Purpose.STEERING, date.max, frozenset({"010000024"}))


def websocket_status(server: Webserver, headers: Mapping[str, str]) -> int:
    """The status of the answer to the request for a websocket."""
    address = f"ws://127.0.0.1:{server.port}/graphql"
    try:
        with connect(address, subprotocols=[Subprotocol("graphql-ws")], additional_headers=headers):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


def test_nothing_is_answered_without_a_session(read_only: Webserver) -> None:
    for headers in ({}, {"Cookie": "chu_session=" + "A" * 43}, dict.fromkeys(FORGED, "auditor")):
        stranger = replace(read_only, headers=headers)
        assert {path: stranger.get(path)[0] for path in PATHS} == dict.fromkeys(PATHS, 401)
        assert stranger.post("/graphql", b'{"query": "{ version }"}')[0] == 401
        assert websocket_status(read_only, headers) == 403
        assert stranger.get("/sante") == (200, b"ok\n")
    assert websocket_status(read_only, read_only.headers) == 101
    assert websocket_status(read_only, {**read_only.headers, "Origin": "https://evil.example"}) == 403


def test_other_profiles_are_refused(read_only: Webserver, instance_home: Home) -> None:
    head = replace(read_only, headers=signed_in(instance_home, "head-a", HEAD))
    assert {path: head.get(path)[0] for path in PATHS} == dict.fromkeys(PATHS, 403)
    assert websocket_status(read_only, head.headers) == 403


def test_a_withdrawn_account_is_refused_at_the_next_request(read_only: Webserver, instance_home: Home) -> None:
    headers = signed_in(instance_home, "auditor-b", Held(Profile.AUDITOR, Purpose.AUDIT, date.max))
    server = replace(read_only, headers=headers)
    assert server.get("/server_info")[0] == 200
    address = f"ws://127.0.0.1:{server.port}/graphql"
    with connect(address, subprotocols=[Subprotocol("graphql-ws")], additional_headers=headers) as socket:
        Accounts(instance_home.secrets / "accounts").remove("auditor-b")
        assert server.get("/server_info")[0] == 401
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=60)
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 4401
