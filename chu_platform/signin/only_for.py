"""A server that only people with some profiles may use: its pages, its other requests, and its websockets."""

import asyncio
from collections.abc import Collection
from http import HTTPStatus
from typing import Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chu_platform.identity.principal import ANYBODY, Principal
from chu_platform.signin.browser import is_same_origin
from chu_platform.signin.sign_in import SignIn, is_sign_in
from chu_platform.tables.access_policy import Profile

# Answers without sign-in, with nothing but that the server answers.
HEALTH: Final = "/sante"
# Close codes of websockets (RFC 6455: 4000 to 4999 are for applications).
SIGNED_OUT: Final = 4401
# An open websocket is closed at most so many seconds after its session has ended.
SECONDS_BETWEEN_LOOKS: Final = 2.0
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
READING: Final = ("GET", "HEAD", "OPTIONS")


class OnlyFor:
    """An application behind sign-in, with the pages of sign-in. Nothing of it answers before somebody is known.

    With CHU_ACCESS=open there is no sign-in, and requests to another host than this machine are refused.
    """

    def __init__(self, app: ASGIApp, sign_in: SignIn, profiles: Collection[Profile], is_open: bool) -> None:
        self._app = app
        self._sign_in = sign_in
        self._profiles = profiles
        self._is_open = is_open
        self._pages = Starlette(routes=sign_in.routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        if not self._sign_in.serves(connection):
            await _refuse(scope, receive, send, PlainTextResponse(LOCAL_ONLY, HTTPStatus.FORBIDDEN))
        elif scope["type"] == "http" and scope["path"] == HEALTH:
            await PlainTextResponse("ok\n")(scope, receive, send)
        elif scope["type"] == "http" and is_sign_in(scope["path"]):
            await self._pages(scope, receive, _with_headers(send))
        elif not _is_own(connection):
            await _refuse(scope, receive, send, PlainTextResponse(FOREIGN, HTTPStatus.FORBIDDEN))
        elif self._is_open:
            await self._app(scope, receive, send)
        elif refusal := self._refusal(connection, await run_in_threadpool(self._sign_in.principal_of, connection)):
            await _refuse(scope, receive, send, refusal)
        elif scope["type"] == "websocket":
            await self._watched(connection, receive, send)
        else:
            await self._app(scope, receive, send)

    def _refusal(self, connection: HTTPConnection, principal: Principal) -> Response | None:
        """The answer to somebody who may not enter; None to others."""
        if any(held.profile in self._profiles for held in principal.held):
            return None
        if principal != ANYBODY:
            return PlainTextResponse(NOT_ALLOWED, HTTPStatus.FORBIDDEN, {"Cache-Control": "no-store"})
        is_page = connection.scope.get("method") == "GET" and "text/html" in connection.headers.get("accept", "")
        if is_page:
            return self._sign_in.to_sign_in(connection)
        return PlainTextResponse(UNKNOWN, HTTPStatus.UNAUTHORIZED, {"Cache-Control": "no-store"})

    async def _watched(self, connection: HTTPConnection, receive: Receive, send: Send) -> None:
        """Serve a websocket until its session ends: then it is closed, also while it only sends."""
        serving = asyncio.ensure_future(self._app(connection.scope, receive, send))
        try:
            while not serving.done():
                await asyncio.wait([serving], timeout=SECONDS_BETWEEN_LOOKS)
                if self._refusal(connection, await run_in_threadpool(self._sign_in.principal_of, connection)):
                    break
        finally:
            is_over = serving.done()
            serving.cancel()
            await asyncio.wait([serving])
        if is_over:
            serving.result()
        else:
            await send({"type": "websocket.close", "code": SIGNED_OUT})


LOCAL_ONLY: Final = "CHU_ACCESS=open serves this machine only: set it to accounts or oidc to serve others\n"
FOREIGN: Final = "this request comes from a page of another site\n"
UNKNOWN: Final = "sign in first: open this server in a browser\n"
NOT_ALLOWED: Final = "this account may not use this server\n"


def _is_own(connection: HTTPConnection) -> bool:
    """Whether a request only reads, or comes from a page of this host. Browsers send websockets for any page."""
    return connection.scope.get("method") in READING or is_same_origin(connection)


async def _refuse(scope: Scope, receive: Receive, send: Send, answer: Response) -> None:
    """Give the answer; a websocket is closed before it is accepted, which clients see as status 403."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": SIGNED_OUT})
    else:
        await answer(scope, receive, send)


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return send_with_headers
