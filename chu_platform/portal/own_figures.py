"""Requests for exact figures of own sites, which the portal forwards to the process that makes them.

The process of the portal reads the published zone alone. It passes the session of a request on, and the answer back.
"""

import http.client
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from chu_platform.portal.pages import Pages
from chu_platform.server_health import SocketConnection

ANSWER_SECONDS: Final = 60
# Characters of addresses; any others are bytes that a client did not encode.
AS_THEY_ARE: Final = "/%?:@!$&'()*+,;=~"
# Headers of a request that are passed on: the session, and the host that the browser believes to be connected to.
ASKED: Final = ("Cookie", "Host")
# Headers of an answer that are passed back; there is no other that the process sets.
PASSED: Final = ("Content-Type", "Content-Disposition", "Content-Security-Policy", "Location", "Cache-Control", "Vary")
ABSENT: Final = "Les chiffres exacts ne peuvent pas être montrés pour l’instant : réessayez dans un instant."


def forwarding(file: Path, pages: Pages) -> Callable[[Request], Response]:
    """The handler that forwards requests to the server at a socket, and says so if it does not answer."""

    def forward(request: Request) -> Response:
        path, query = (quote(request.scope[part], safe=AS_THEY_ARE) for part in ("raw_path", "query_string"))
        passed = {name: value for name in ASKED if (value := request.headers.get(name)) is not None}
        connection = SocketConnection(file, ANSWER_SECONDS)
        try:
            connection.request(request.method, f"{path}?{query}" if query else path, headers=passed)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException):
            return pages.error(HTTPStatus.SERVICE_UNAVAILABLE, ABSENT)
        finally:
            connection.close()
        headers = {name: value for name in PASSED if (value := answer.getheader(name)) is not None}
        return Response(content, answer.status, headers)

    return forward
