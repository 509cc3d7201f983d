"""The server of the portal: routes, guards, errors.

Nothing is written, nothing but GET and HEAD is answered (except forms of sign-in), nothing is loaded from elsewhere,
and a page that cannot be made says so in French.
"""

import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chu_platform.errors import log_traceback
from chu_platform.portal.addresses import OWN_ACTIVITY, OWN_FIGURES, STATIC
from chu_platform.portal.choices import Refused
from chu_platform.portal.downloads import SVG
from chu_platform.portal.kept_pages import Asked
from chu_platform.portal.own_figures import forwarding
from chu_platform.portal.pages import FILES, PAGES, Handler, Pages
from chu_platform.signin.sign_in import TO_PROVIDER, SignIn, is_sign_in

STATIC_FILES: Final = Path(__file__).parent / "static"
OWN_PATHS: Final = tuple(path for own in (OWN_FIGURES, OWN_ACTIVITY) for path in (own, f"{own}/{{rest:path}}"))
MAX_URL_LENGTH: Final = 2000
# Numbers of requests that are answered at the same time: of one client, and of all.
MAX_REQUESTS_OF_CLIENT: Final = 128
MAX_REQUESTS: Final = 256
# Seconds after which a refused client may try again.
RETRY_AFTER: Final = "2"
# No inline script or style, nothing from elsewhere; images also from the page itself, for PNG made in the browser.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
TEXTS: Final = {
    HTTPStatus.NOT_FOUND: "Cette page n’existe pas.",
    HTTPStatus.METHOD_NOT_ALLOWED: "Le portail se lit seulement : rien ne peut y être envoyé.",
    HTTPStatus.REQUEST_URI_TOO_LONG: "Cette adresse est trop longue.",
    HTTPStatus.TOO_MANY_REQUESTS: "Trop de demandes viennent à la fois de cette adresse : réessayez dans un instant.",
    HTTPStatus.SERVICE_UNAVAILABLE: "Le portail reçoit trop de demandes à la fois : réessayez dans un instant.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Une erreur est survenue. Elle est notée dans le journal du portail.",
}


class Guard:
    """Refuses what is not for reading before anything else looks at it, and adds the headers to all answers."""

    def __init__(self, app: ASGIApp, pages: Pages) -> None:
        self._app = app
        self._pages = pages
        self._requests: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if (location := headers.get("location")) and scope["path"] != TO_PROVIDER:
                    headers["location"] = _within(location)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-cache")
            await send(message)

        client = scope["client"][0] if scope["client"] else ""
        if refusal := self._refusal(scope, client):
            answer = self._pages.error(refusal, TEXTS[refusal])
            if refusal is HTTPStatus.METHOD_NOT_ALLOWED:
                answer.headers["Allow"] = "GET, HEAD"
            elif refusal in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
                answer.headers["Retry-After"] = RETRY_AFTER
            await answer(scope, receive, send_guarded)
            return
        self._requests[client] += 1
        try:
            await self._app(scope, receive, send_guarded)
        finally:
            self._requests[client] -= 1
            if not self._requests[client]:
                del self._requests[client]

    def _refusal(self, scope: Scope, client: str) -> HTTPStatus | None:
        """Why a request of a client is refused; None if it is not."""
        if scope["method"] not in ("GET", "HEAD") and not (scope["method"] == "POST" and is_sign_in(scope["path"])):
            return HTTPStatus.METHOD_NOT_ALLOWED
        if len(scope["raw_path"]) + len(scope["query_string"]) > MAX_URL_LENGTH:
            return HTTPStatus.REQUEST_URI_TOO_LONG
        if self._requests[client] >= MAX_REQUESTS_OF_CLIENT:
            return HTTPStatus.TOO_MANY_REQUESTS
        return HTTPStatus.SERVICE_UNAVAILABLE if self._requests.total() >= MAX_REQUESTS else None


def _within(location: str) -> str:
    """The path of an address and what follows it. The host comes from the request, and may be anybody's."""
    parts = urlsplit(location)
    return urlunsplit(("", "", f"/{parts.path.lstrip('/')}", parts.query, ""))


def make_app(pages: Pages, sign_in: SignIn, logs: Path | None = None, own_figures: Path | None = None) -> Starlette:
    """The application over the pages, with sign-in; `logs` is the folder for traces of errors.

    `own_figures` is the socket of the process of exact figures, if there is one.
    """
    forward = forwarding(own_figures, pages) if own_figures else None

    def refused(_request: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)
        return pages.error(error.status, error.message)

    def http_error(_request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        status = HTTPStatus(error.status_code)
        return pages.error(status, TEXTS.get(status, "Cette demande ne peut pas être comprise."))

    return Starlette(
        routes=[
            *(Route(path, _page(pages, kind, logs), methods=["GET"]) for path, kind in PAGES),
            *(Route(path, _answer(pages, handler(pages), logs), methods=["GET"]) for path, handler in FILES),
            *sign_in.routes,
            *(Route(path, forward, methods=["GET"]) for path in OWN_PATHS if forward),
            Mount(STATIC.rstrip("/"), StaticFiles(directory=STATIC_FILES), name="static"),
        ],
        middleware=[Middleware(Guard, pages=pages), Middleware(GZipMiddleware, minimum_size=1000, compresslevel=4)],
        exception_handlers={Refused: refused, HTTPException: http_error},
    )


def _page(pages: Pages, kind: str, logs: Path | None) -> Callable[[Request], Awaitable[Response]]:
    """The handler of a kind of page. A page that is kept is answered at once, others are made in a thread."""

    def make(asked: Asked) -> Handler:
        def made(request: Request) -> Response:
            page = pages.page(asked)
            return page if isinstance(page, Response) else page.answer(request)

        return made

    async def answer(request: Request) -> Response:
        query = request.scope["query_string"].decode("latin-1")
        asked = Asked(kind, request.path_params.get("name", ""), query)
        if page := pages.kept(asked):
            return page.answer(request)
        return await run_in_threadpool(_answer(pages, make(asked), logs), request)

    return answer


def _answer(pages: Pages, handler: Handler, logs: Path | None) -> Handler:
    """The handler; unchanged answers are not sent again, errors are a page and a trace without values."""

    def answer(request: Request) -> Response:
        try:
            made = handler(request)
        except Refused:
            raise
        except Exception as error:
            if logs:
                log_traceback(error, logs)
            return pages.error(HTTPStatus.INTERNAL_SERVER_ERROR, TEXTS[HTTPStatus.INTERNAL_SERVER_ERROR])
        if made.status_code == HTTPStatus.OK and "etag" not in made.headers:
            tag = f'"{hashlib.sha256(made.body).hexdigest()[:20]}"'
            if request.headers.get("if-none-match") == tag:
                return Response(status_code=HTTPStatus.NOT_MODIFIED, headers={"ETag": tag})
            made.headers["ETag"] = tag
            if made.media_type == SVG:
                # Opened alone in a browser it may hold nothing but what it draws.
                made.headers["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'"
        return made

    return answer
