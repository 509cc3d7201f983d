"""The application of the process of exact figures: who asks, what they are answered, and that nothing keeps the answer.

It is reached through the portal only. It recognises the session of a request itself: what the portal says is not
trusted. Every answer is made for its request, so that a page of one account is never given to another.
"""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from chu_platform.access.gate import Denied
from chu_platform.access.seal import JournalError
from chu_platform.errors import log_traceback
from chu_platform.exact_figures.own_addresses import Elsewhere
from chu_platform.identity.principal import ANYBODY, Principal
from chu_platform.portal.addresses import HEALTH, OWN_ACTIVITY, OWN_EXPLORER, OWN_FIGURES, QUESTIONS
from chu_platform.portal.choices import Refused
from chu_platform.portal.downloads import SVG, File

if TYPE_CHECKING:
    from chu_platform.exact_figures.pages import OwnPages

DENIED: Final = "Votre compte ne donne pas accès à ces chiffres. La demande est notée dans le journal des accès."
NOT_JOURNALLED: Final = (
    "Aucun chiffre n’est montré, parce que le journal des accès ne peut pas être écrit. Prévenez l’équipe des données."
)
FAILED: Final = "Une erreur est survenue. Elle est notée dans le journal du portail."
# Neither a browser nor a proxy keeps the answer, nor gives it to somebody else.
UNKEPT: Final = {"Cache-Control": "no-store, private", "Vary": "Cookie"}

Made = str | File | Elsewhere
Maker = Callable[[Principal, Request, Sequence[tuple[str, str]]], Made]


class Recognises(Protocol):
    """What recognises the sessions of requests."""

    def principal_of(self, connection: HTTPConnection) -> Principal:
        """Who a request comes from; ANYBODY without a session."""

    def to_sign_in(self, request: HTTPConnection) -> Response:
        """The answer that leads to the page of sign-in, and back."""


def make_app(pages: "Callable[[], OwnPages]", sign_in: Recognises, logs: Path | None = None) -> Starlette:
    """The application. `pages` gives the pages, which are loaded when an account asks first.

    `logs` is the folder for traces of errors.
    """

    def answer(make: Maker) -> Callable[[Request], Response]:
        def answered(request: Request) -> Response:
            principal = sign_in.principal_of(request)
            if principal == ANYBODY:
                return sign_in.to_sign_in(request)
            try:
                made = make(principal, request, request.query_params.multi_items())
            except (Refused, Denied, JournalError) as error:
                status, message = _refusal(error)
            except Exception as error:
                if logs:
                    log_traceback(error, logs)
                status, message = HTTPStatus.INTERNAL_SERVER_ERROR, FAILED
            else:
                return _response(made)
            return HTMLResponse(pages().error(status, message), status, UNKEPT)

        return answered

    def http_error(_request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        status = HTTPStatus(error.status_code)
        return HTMLResponse(pages().error(status, "Cette page n’existe pas."), status, UNKEPT)

    question = f"{OWN_FIGURES}{QUESTIONS}{{slug}}"
    return Starlette(
        routes=[
            Route(HEALTH, lambda _: PlainTextResponse("ok\n")),
            Route(OWN_FIGURES, answer(lambda who, _, given: pages().sites(who, given))),
            Route(OWN_ACTIVITY, answer(lambda who, _, given: pages().activity(who, given))),
            Route(
                f"{OWN_ACTIVITY}/{{file}}",
                answer(lambda who, asked, given: pages().activity_file(who, asked.path_params["file"], given)),
            ),
            Route(OWN_EXPLORER, answer(lambda who, _, given: pages().explorer(who, given))),
            Route(
                f"{OWN_EXPLORER}/{{file}}",
                answer(lambda who, asked, given: pages().explored(who, asked.path_params["file"], given)),
            ),
            Route(question, answer(lambda who, asked, given: pages().question(who, asked.path_params["slug"], given))),
            Route(
                f"{question}/{{file}}",
                answer(
                    lambda who, asked, given: pages().file(
                        who, asked.path_params["slug"], asked.path_params["file"], given
                    )
                ),
            ),
        ],
        exception_handlers={HTTPException: http_error},
    )


def _refusal(error: Refused | Denied | JournalError) -> tuple[HTTPStatus, str]:
    if isinstance(error, Refused):
        return error.status, error.message
    if isinstance(error, Denied):
        return HTTPStatus.FORBIDDEN, DENIED
    return HTTPStatus.SERVICE_UNAVAILABLE, NOT_JOURNALLED


def _response(made: Made) -> Response:
    if isinstance(made, Elsewhere):
        return RedirectResponse(made.address, HTTPStatus.SEE_OTHER, UNKEPT)
    if isinstance(made, File):
        named = {"Content-Disposition": f'attachment; filename="{made.name}"'}
        if made.media == SVG:
            # Opened alone in a browser it may hold nothing but what it draws.
            named["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'"
        return Response(made.content, media_type=made.media, headers={**UNKEPT, **named})
    return HTMLResponse(made, headers=UNKEPT)
