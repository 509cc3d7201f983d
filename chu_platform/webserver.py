"""Dagster's webserver with the documents of the platform below /documents/: `python -m chu_platform.webserver`.

Unless CHU_ACCESS is `open`, only operators may use it, after they have signed in.
"""

import signal
import sys
import threading
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import dagster as dg
import typer
import uvicorn
from dagster_webserver.cli import DEFAULT_DB_STATEMENT_TIMEOUT, DEFAULT_POOL_MAX_OVERFLOW, DEFAULT_POOL_RECYCLE
from dagster_webserver.version import __version__
from dagster_webserver.webserver import DagsterWebserver
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from chu_platform.compat.code_server_watch import watch_seldom
from chu_platform.compat.dagster_webserver import (
    WorkspaceFileTarget,
    WorkspaceProcessContext,
    WorkspaceRequestContext,
    configure_loggers,
)
from chu_platform.errors import ChuError
from chu_platform.settings import load_settings
from chu_platform.signin.only_for import OnlyFor
from chu_platform.signin.sign_in import SignIn
from chu_platform.tables.access_policy import Profile
from chu_platform.transport import require_safe_place, server_options
from chu_platform.urls import DICTIONARY, DOCUMENTS_ROOT

if TYPE_CHECKING:
    from chu_platform.documents.site import Site

# Milliseconds between two polls of an open page: the default of `dagster-webserver`.
POLL_RATE: Final = 2000
# The documents load only style and images of this server.
CONTENT_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Webserver(DagsterWebserver[WorkspaceProcessContext, WorkspaceRequestContext]):
    """Dagster's webserver with routes to the documents, behind sign-in."""

    # Who may use it.
    profiles: frozenset[Profile] = frozenset({Profile.OPERATOR})

    def build_middleware(self) -> list[Middleware]:
        """Sign-in before all that Dagster does."""
        settings = load_settings()
        middleware: list[Middleware] = super().build_middleware()
        sign_in = SignIn(settings, logs=settings.logs_folder)
        guard = Middleware(OnlyFor, sign_in=sign_in, profiles=self.profiles, is_open=settings.access == "open")
        return [guard, *middleware]

    def build_routes(self) -> list[BaseRoute]:
        """The routes to the documents, then those of Dagster, the last of which matches every path."""
        routes: list[BaseRoute] = super().build_routes()  # type: ignore[no-untyped-call]
        return [
            Route(DOCUMENTS_ROOT.rstrip("/"), lambda _: RedirectResponse(DOCUMENTS_ROOT)),
            Route(DOCUMENTS_ROOT + "{path:path}", self._document),
            *routes,
        ]

    def load_documents(self) -> None:
        """Load the description of the tables, so that the first document does not wait for it."""
        self._site.prepare()

    @cached_property
    def _site(self) -> "Site":
        # Imported here, because loading the description of the tables delays the UI.
        from chu_platform.description.file import current_catalogue
        from chu_platform.documents.site import Site
        from chu_platform.storage.lake import Lake
        from chu_platform.storage.store import lake_root

        settings = load_settings()
        root = lake_root(settings)
        return Site(Lake(root), current_catalogue(root, settings.work_folder), in_ui=True)

    def _document(self, request: Request) -> Response:
        document = self._site.document(request.path_params["path"] or DICTIONARY)
        headers = {**self.make_security_headers(), "Content-Security-Policy": CONTENT_POLICY}
        if document is None:
            return PlainTextResponse("Aucun document à cette adresse.\n", 404, headers)
        return Response(document.text, headers=headers, media_type=document.media_type)


def host(server: type[Webserver], workspace: Path, address: str, port: int, read_only: bool) -> None:
    """Serve the instance of DAGSTER_HOME with the given class of webserver, until interrupted."""
    settings = load_settings()
    require_safe_place(settings, address)
    # uvicorn raises the signal again after it stops. SystemExit closes the contexts below, and so their code server.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    configure_loggers()
    watch_seldom()
    target = WorkspaceFileTarget([str(workspace)])
    with dg.DagsterInstance.get() as instance:
        instance.optimize_for_webserver(DEFAULT_DB_STATEMENT_TIMEOUT, DEFAULT_POOL_RECYCLE, DEFAULT_POOL_MAX_OVERFLOW)
        with WorkspaceProcessContext(instance, target, version=__version__, read_only=read_only) as context:
            webserver = server(context, live_data_poll_rate=POLL_RATE)
            app: Any = webserver.create_asgi_app()
            threading.Thread(target=webserver.load_documents, daemon=True).start()
            uvicorn.run(app, host=address, port=port, log_level="warning", **server_options(settings))


def main(
    workspace: Annotated[Path, typer.Option("-w", help="workspace file")],
    address: Annotated[str, typer.Option("-h", help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option("-p", help="port to listen on")] = 3000,
) -> None:
    """Serve the Dagster UI of DAGSTER_HOME and the documents, until interrupted."""
    host(Webserver, workspace, address, port, read_only=False)


def run(command: Callable[..., None]) -> None:
    """Serve as the arguments of this process say. A user's mistake is one line."""
    try:
        typer.run(command)
    except ChuError as error:
        print(f"webserver: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    run(main)
