"""Sign-in over HTTP: its routes, and who a request comes from.

A header that names a user (X-Forwarded-User, Remote-User, ...) is read nowhere: only the cookie of a session counts.
"""

import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection, Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from chu_platform.errors import ChuError, log_traceback
from chu_platform.identity.passwords import WeakPassword
from chu_platform.identity.principal import ANYBODY, Principal
from chu_platform.identity.redirections import Redirection, Redirections
from chu_platform.identity.sessions import Sessions, SignInRefused
from chu_platform.settings import Settings
from chu_platform.signin.browser import Browser, local_path
from chu_platform.signin.pages import STYLE, TEMPLATES, Frame, content_of, held_rows, plain_frame
from chu_platform.tables.access_policy import Profile
from chu_platform.transport import has_tls, is_loopback
from chu_platform.urls import SIGN_IN_LINK

if TYPE_CHECKING:
    from chu_platform.signin.provider import Provider

SIGN_IN: Final = "/connexion"
SIGN_OUT: Final = "/deconnexion"
ACCOUNT: Final = "/moi"
CODE: Final = "/moi/code"
PASSWORD: Final = "/moi/mot-de-passe"  # noqa: S105 an address
TO_PROVIDER: Final = "/connexion/fournisseur"
FROM_PROVIDER: Final = "/connexion/retour"
MAX_FORM_BYTES: Final = 16_384
FORM: Final = "application/x-www-form-urlencoded"
NO_STORE: Final = {"Cache-Control": "no-store"}
WRONG: Final = "Le compte ou le mot de passe est faux."
WEAK: Final = "Ce mot de passe n’est pas accepté : 12 à 256 caractères, dont 5 différents, sans le nom du compte."
DIFFERENT: Final = "Les deux mots de passe ne sont pas les mêmes."
FOREIGN_FORM: Final = "Ce formulaire n’est plus valable : ouvrez la page de nouveau."
NOT_OPENED: Final = "Votre compte n’ouvre pas cette page."
UNAVAILABLE: Final = "La connexion est indisponible. La raison est notée dans le journal."
ELSEWHERE: Final = "Ici, on ne se connecte que depuis la machine même."
Form = Mapping[str, str]
Handler = Callable[[Request, Form], Response]
EMPTY: Final[Form] = {}


class SignIn:
    """The routes of sign-in of a server, and the principals of its requests.

    `frame` is what its pages stand in; `logs` the folder for traces of errors.
    """

    def __init__(self, settings: Settings, frame: Frame = plain_frame, logs: Path | None = None) -> None:
        """Raises ChuError if the settings of the identity provider are missing or not safe."""
        self._access = settings.access
        self._provider = _provider_of(settings)
        self._sessions = Sessions.of(settings)
        self._redirections = Redirections(settings.accounts_folder)
        self._secure = has_tls(settings)
        self._browser = Browser(self._secure)
        self._frame = frame
        self._logs = logs

    def principal_of(self, connection: HTTPConnection) -> Principal:
        """Who a request comes from; ANYBODY without a session, and if the accounts cannot be read.

        It reads the database: not for the event loop.
        """
        token = self._browser.token(connection)
        if token is None or not self.serves(connection):
            return ANYBODY
        try:
            return self._sessions.principal(token)
        except ChuError as error:
            _report(error)
            return ANYBODY

    def require(self, request: Request, *profiles: Profile) -> Principal | Response:
        """Who a request comes from, if they hold one of the profiles; else the answer: to sign in, or a refusal."""
        principal = self.principal_of(request)
        if any(held.profile in profiles for held in principal.held):
            return principal
        if principal == ANYBODY:
            return self.to_sign_in(request)
        return self._message(HTTPStatus.FORBIDDEN, NOT_OPENED)

    def to_sign_in(self, request: HTTPConnection) -> Response:
        """Go to the page of sign-in, and come back to the same address afterwards."""
        query = request.scope["query_string"].decode("latin-1")
        path = f"{request.scope['path']}?{query}" if query else request.scope["path"]
        address = f"{SIGN_IN}?{urlencode({'retour': local_path(path)})}"
        return RedirectResponse(address, HTTPStatus.SEE_OTHER, NO_STORE)

    def serves(self, connection: HTTPConnection) -> bool:
        """Whether sign-in is possible where a request was sent to: with CHU_ACCESS=open, on this machine alone.

        The host is what the browser believes to be connected to: another site whose name leads here gets nothing.
        """
        if self._access != "open":
            return True
        try:
            return is_loopback(connection.url.hostname or "")
        except ValueError:  # no host at all
            return False

    @property
    def routes(self) -> list[Route]:
        """The routes of sign-in."""
        routes = [
            self._route(SIGN_IN, self._sign_in_page, self._sign_in),
            self._route(SIGN_OUT, self._sign_out_page, self._sign_out),
            self._route(f"{SIGN_IN_LINK}{{token}}", self._open_link, self._use_link),
            self._route(ACCOUNT, self._account_page),
            self._route(CODE, None, self._code),
            Route(STYLE, lambda _: FileResponse(TEMPLATES / "style.css", media_type="text/css"), methods=["GET"]),
        ]
        if self._provider is None:
            return [*routes, self._route(PASSWORD, None, self._password)]
        return [
            *routes,
            self._route(TO_PROVIDER, partial(self._to_provider, self._provider)),
            self._route(FROM_PROVIDER, partial(self._from_provider, self._provider)),
        ]

    def _route(self, path: str, get: Handler | None, post: Handler | None = None) -> Route:
        """A route whose handlers run in a thread; a form is read before, and refused if it is not one of ours."""

        async def answer(request: Request) -> Response:
            if not self.serves(request):
                return self._message(HTTPStatus.FORBIDDEN, ELSEWHERE)
            handler, form = get, EMPTY
            if request.method == "POST":
                handler, form = post, await _form_of(request)
                if not self._browser.is_own_form(request, form.get("jeton", "")):
                    return self._message(HTTPStatus.FORBIDDEN, FOREIGN_FORM)
            assert handler is not None
            try:
                return await run_in_threadpool(handler, request, form)
            except ChuError as error:
                _report(error)
                return self._message(HTTPStatus.SERVICE_UNAVAILABLE, UNAVAILABLE)

        methods = [*(["GET"] if get else []), *(["POST"] if post else [])]
        return Route(path, answer, methods=methods)

    def _sign_in_page(self, request: Request, _form: Form) -> Response:
        return self._form(request, request.query_params.get("retour", "/"))

    def _form(self, request: Request, back: str, refusal: str = "", status: int = HTTPStatus.OK) -> Response:
        """The page of sign-in, with what was refused before."""
        path = local_path(back)
        return self._page(
            request,
            "Se connecter",
            "connexion.html",
            status,
            refusal=refusal,
            back=path,
            by_provider=self._provider is not None,
            provider_address=f"{TO_PROVIDER}?{urlencode({'retour': path})}",
            open=self._access == "open",
        )

    def _sign_in(self, request: Request, form: Form) -> Response:
        back = form.get("retour", "/")
        try:
            token = self._sessions.begin_with_password(
                form.get("compte", "").strip(), form.get("mot_de_passe", ""), _address(request)
            )
        except SignInRefused as refused:
            return self._refused(request, back, refused)
        return self._signed_in(request, token, back)

    def _refused(self, request: Request, back: str, refused: SignInRefused) -> Response:
        """The page of sign-in after a refusal, with the wait before the next attempt if there is one."""
        if not refused.wait:
            return self._form(request, back, WRONG, HTTPStatus.UNAUTHORIZED)
        answer = self._form(request, back, _wait(refused.wait), HTTPStatus.TOO_MANY_REQUESTS)
        answer.headers["Retry-After"] = str(refused.wait)
        return answer

    def _signed_in(self, request: Request, token: str, back: str) -> Response:
        """Give the browser a session. The one that it had ends."""
        if before := self._browser.token(request):
            self._sessions.end(before)
        answer = RedirectResponse(local_path(back), HTTPStatus.SEE_OTHER, NO_STORE)
        self._browser.keep_session(answer, token)
        return answer

    def _sign_out_page(self, request: Request, _form: Form) -> Response:
        return self._page(request, "Se déconnecter", "deconnexion.html")

    def _sign_out(self, request: Request, _form: Form) -> Response:
        if token := self._browser.token(request):
            self._sessions.end(token)
        answer = RedirectResponse("/", HTTPStatus.SEE_OTHER, NO_STORE)
        self._browser.forget_session(answer)
        return answer

    def _open_link(self, request: Request, _form: Form) -> Response:
        """On this machine a link signs in at once; elsewhere after a click, because programs open links of messages."""
        token = request.path_params["token"]
        is_previewed = "prefetch" in request.headers.get("sec-purpose", "")
        if self._access == "open" and request.method == "GET" and not is_previewed:
            with suppress(SignInRefused):
                return self._signed_in(request, self._sessions.begin_with_link(token), ACCOUNT)
        return self._link_page(request, token)

    def _link_page(self, request: Request, token: str, refusal: str = "") -> Response:
        principal = self._sessions.person_of_link(token)
        return self._page(
            request,
            "Lien à usage unique",
            "lien.html",
            HTTPStatus.OK if principal else HTTPStatus.GONE,
            refusal=refusal,
            name=principal.name if principal else None,
            by_password=self._provider is None,
        )

    def _use_link(self, request: Request, form: Form) -> Response:
        token = request.path_params["token"]
        new = form.get("nouveau", "") if self._provider is None else None
        if new is not None and new != form.get("encore", ""):
            return self._link_page(request, token, DIFFERENT)
        try:
            return self._signed_in(request, self._sessions.begin_with_link(token, new), ACCOUNT)
        except WeakPassword:
            return self._link_page(request, token, WEAK)
        except SignInRefused:
            return self._link_page(request, token)

    def _account_page(self, request: Request, _form: Form) -> Response:
        return self._account(request)

    def _account(self, request: Request, refusal: str = "", code: str = "") -> Response:
        principal = self.principal_of(request)
        if principal == ANYBODY:
            return self.to_sign_in(request)
        return self._page(
            request,
            "Mon compte",
            "moi.html",
            refusal=refusal,
            name=principal.name,
            rows=held_rows(principal),
            code=code,
            by_password=self._provider is None,
        )

    def _code(self, request: Request, _form: Form) -> Response:
        code = self._sessions.new_code(self._browser.token(request) or "")
        return self._account(request, code=code) if code else self._to_account()

    def _password(self, request: Request, form: Form) -> Response:
        token, new = self._browser.token(request), form.get("nouveau", "")
        if token is None or self.principal_of(request) == ANYBODY:
            return self._to_account()
        if new != form.get("encore", ""):
            return self._account(request, DIFFERENT)
        try:
            changed = self._sessions.set_password(token, form.get("mot_de_passe", ""), new, _address(request))
        except WeakPassword:
            return self._account(request, WEAK)
        except SignInRefused as refused:
            return self._account(request, _wait(refused.wait) if refused.wait else WRONG)
        return self._signed_in(request, changed, ACCOUNT)

    def _to_account(self) -> Response:
        return RedirectResponse(ACCOUNT, HTTPStatus.SEE_OTHER, NO_STORE)

    def _to_provider(self, provider: "Provider", request: Request, _form: Form) -> Response:
        try:
            started = provider.start(self._return_address(request))
        except SignInRefused as refused:
            return self._provider_failed(request, refused)
        secret = self._browser.secret_or_new(request)
        back = local_path(request.query_params.get("retour", "/"))
        self._redirections.put(started.state, secret, Redirection(started.nonce, started.verifier, back))
        answer = RedirectResponse(started.url, HTTPStatus.SEE_OTHER, NO_STORE)
        self._browser.keep_secret(request, answer, secret)
        return answer

    def _from_provider(self, provider: "Provider", request: Request, _form: Form) -> Response:
        asked = request.query_params
        found = self._redirections.take(asked.get("state", ""), self._browser.secret(request) or "")
        if found is None or "code" not in asked:
            return self._form(request, "/", "La connexion n’a pas abouti : recommencez.", HTTPStatus.UNAUTHORIZED)
        try:
            signed = provider.finish(self._return_address(request), asked["code"], found.nonce, found.verifier)
        except SignInRefused as refused:
            return self._provider_failed(request, refused)
        return self._signed_in(request, self._sessions.begin_of_subject(signed.subject, signed.groups), found.back)

    def _provider_failed(self, request: Request, refused: SignInRefused) -> Response:
        """A page without the reason, which is in the log."""
        if self._logs:
            log_traceback(refused, self._logs)
        text = "Le fournisseur d’identité n’a pas confirmé votre identité. La raison est notée dans le journal."
        return self._form(request, "/", text, HTTPStatus.UNAUTHORIZED)

    def _return_address(self, request: Request) -> str:
        """Where the provider sends the browser back to. It only accepts addresses that are registered there."""
        url = request.url.replace(path=FROM_PROVIDER, query="")
        return str(url.replace(scheme="https") if self._secure else url)

    def _page(
        self, request: Request, title: str, template: str, status: int = HTTPStatus.OK, **context: Any
    ) -> Response:
        """A page with forms of this browser."""
        secret = self._browser.secret_or_new(request)
        content = content_of(template, form_token=self._browser.form_token(request, secret), **context)
        answer = HTMLResponse(self._frame(title, content), status, NO_STORE)
        self._browser.keep_secret(request, answer, secret)
        return answer

    def _message(self, status: int, text: str) -> Response:
        return HTMLResponse(self._frame(text, content_of("message.html", text=text)), status, NO_STORE)


def _provider_of(settings: Settings) -> "Provider | None":
    """The identity provider of the settings, if it signs in."""
    if settings.access != "oidc":
        return None
    # Imported here, because a portal without it needs neither Authlib nor its memory.
    from chu_platform.signin.provider import Provider

    return Provider(settings)


def is_sign_in(path: str) -> bool:
    """Whether a path is one of the pages of sign-in."""
    return path in (SIGN_IN, SIGN_OUT, ACCOUNT, CODE, PASSWORD, TO_PROVIDER, FROM_PROVIDER, STYLE) or path.startswith(
        SIGN_IN_LINK
    )


async def _form_of(request: Request) -> Form:
    """The fields of a form; none if it is too large or no form. Of a field that is given twice, the last one counts."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != FORM:
        return EMPTY
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_FORM_BYTES:
            return EMPTY
    return dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))


def _report(error: ChuError) -> None:
    """Write what whoever operates the server has to do into its log."""
    print(f"sign-in: {error}", file=sys.stderr, flush=True)


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _wait(seconds: int) -> str:
    minutes = -(-seconds // 60)
    return f"Trop d’essais : réessayez dans {minutes} minute{'s' if minutes > 1 else ''}."
