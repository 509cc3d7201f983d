"""What a browser keeps: the cookie of its session, and the secret by which a form is recognised as ours."""

import hmac
import re
import secrets
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import Response

from chu_platform.identity.secret_tokens import new_token

# Of a path to return to: an absolute one of this server. Browsers read a backslash as a slash.
LOCAL_PATH: Final = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]*")
MAX_PATH: Final = 2000


class Browser:
    """The cookies of browsers. With TLS they are only sent over TLS, and bound to the host (`__Host-`)."""

    def __init__(self, secure: bool) -> None:
        self._secure = secure
        prefix = "__Host-" if secure else ""
        self._session = f"{prefix}chu_session"
        self._form = f"{prefix}chu_form"

    def token(self, connection: HTTPConnection) -> str | None:
        """The token of the session of a request; None without one."""
        return connection.cookies.get(self._session)

    def keep_session(self, response: Response, token: str) -> None:
        """Give the browser a session. Its cookie ends with the browser; forms of other sites do not send it."""
        self._set(response, self._session, token)

    def forget_session(self, response: Response) -> None:
        """Take the session from the browser."""
        response.delete_cookie(self._session, path="/", secure=self._secure, httponly=True, samesite="lax")

    def secret(self, connection: HTTPConnection) -> str | None:
        """The secret of the forms of this browser; None before its first form."""
        return connection.cookies.get(self._form)

    def keep_secret(self, connection: HTTPConnection, response: Response, secret: str) -> None:
        """Give the browser the secret of its forms, if it does not have it."""
        if self.secret(connection) != secret:
            self._set(response, self._form, secret)

    def secret_or_new(self, connection: HTTPConnection) -> str:
        """The secret of the forms of this browser, or a new one."""
        return self.secret(connection) or new_token()

    def form_token(self, connection: HTTPConnection, secret: str) -> str:
        """What a form of this browser and session must send. Another site can neither read nor compute it."""
        return hmac.digest(secret.encode(), (self.token(connection) or "").encode(), "sha256").hex()

    def is_own_form(self, connection: HTTPConnection, given: str) -> bool:
        """Whether a form was made by us for this browser and session, and sent from a page of this host."""
        secret = self.secret(connection)
        if secret is None or not is_same_origin(connection):
            return False
        return secrets.compare_digest(self.form_token(connection, secret).encode(), given.encode(errors="replace"))

    def _set(self, response: Response, name: str, value: str) -> None:
        response.set_cookie(name, value, path="/", secure=self._secure, httponly=True, samesite="lax")


def is_same_origin(connection: HTTPConnection) -> bool:
    """Whether a request comes from a page of this host, or from no page, as that of a program."""
    origin = connection.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == connection.headers.get("host")


def local_path(given: str) -> str:
    """A path of this server with what follows it, from what a request asks to return to; `/` for anything else."""
    return given if len(given) <= MAX_PATH and LOCAL_PATH.fullmatch(given) else "/"
