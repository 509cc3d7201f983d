"""Browsers for tests: a server with sign-in and a page that is not public, and forms that are sent to it."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from chu_platform.identity.accounts import Accounts
from chu_platform.identity.sessions import Sessions
from chu_platform.settings import Settings
from chu_platform.signin.sign_in import SignIn
from chu_platform.tables.access_policy import Profile
from chu_platform_tests.identity.people import HEAD, PASSWORD

HERE = "http://127.0.0.1:3001"
TOKEN = re.compile(r'name="jeton" value="([0-9a-f]+)"')


def settings_of(home: Path, **given: Any) -> Settings:
    """Settings with CHU_ACCESS=accounts unless another one is given."""
    return Settings(**{"_env_file": None, "home": home, "access": "accounts", **given})


def server(settings: Settings) -> Starlette:
    """Sign-in, a page for heads, and one that says who asks."""
    sign_in = SignIn(settings)

    def own(request: Request) -> Response:
        found = sign_in.require(request, Profile.HEAD)
        return found if isinstance(found, Response) else PlainTextResponse(f"figures of {found.name}")

    def who(request: Request) -> Response:
        return PlainTextResponse(sign_in.principal_of(request).name)

    return Starlette(routes=[Route("/own", own), Route("/who", who), *sign_in.routes])


def browser(settings: Settings, address: str = HERE, **options: Any) -> TestClient:
    """A browser without cookies, which follows no redirect by itself."""
    return TestClient(server(settings), base_url=address, follow_redirects=False, **options)


def account(settings: Settings, name: str = "head-a", held: Any = HEAD) -> Sessions:
    """An account with a password; the sessions of its deployment."""
    Accounts(settings.accounts_folder).add(name, held)
    sessions = Sessions.of(settings)
    sessions.end(sessions.begin_with_link(sessions.new_link(name), PASSWORD))
    return sessions


def form_token(page: httpx2.Response) -> str:
    """The token of the forms of a page."""
    found = TOKEN.search(page.text)
    assert found, page.text
    return found[1]


def send(client: TestClient, page: str, fields: Mapping[str, str], to: str | None = None) -> httpx2.Response:
    """Open a page, and send its form with these fields to its own address, or to another one."""
    token = form_token(client.get(page))
    return client.post(to or page, data={"jeton": token, **fields})


def sign_in(client: TestClient, name: str = "head-a", password: str = PASSWORD, back: str = "/own") -> httpx2.Response:
    """Fill in the form of sign-in."""
    return send(client, "/connexion", {"compte": name, "mot_de_passe": password, "retour": back})


def keep(client: TestClient, token: str) -> None:
    """Let a browser have a session, as if this server had given it."""
    client.cookies.set("chu_session", token, domain=str(client.base_url.host))
