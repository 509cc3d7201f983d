"""The portal as a process: `python -m chu_platform.portal PORT [UI]`."""

import sys
from pathlib import Path
from typing import Annotated, Final

import typer
import uvicorn

from chu_platform.command import run_server
from chu_platform.description.file import read_catalogue
from chu_platform.portal.app import make_app
from chu_platform.portal.connections import LimitedConnection
from chu_platform.portal.pages import Pages
from chu_platform.portal.reader import Reader
from chu_platform.settings import load_settings
from chu_platform.signin.sign_in import SignIn
from chu_platform.storage.store import lake_root
from chu_platform.transport import require_safe_place, server_options

# Seconds that readers have to receive their answers when the portal stops.
STOP_SECONDS: Final = 5
# Python's threads take turns: pages that are kept must not wait 5 ms, the default, for one that is being made.
SWITCH_SECONDS: Final = 0.0005


def main(
    port: Annotated[int, typer.Argument(help="port to listen on")],
    ui: Annotated[str | None, typer.Argument(help="address of the Dagster UI")] = None,
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    own_figures: Annotated[
        Path | None, typer.Option(help="socket of the process of exact figures, to which requests are forwarded")
    ] = None,
) -> None:
    """Serve the portal of the lake's published zone, until interrupted."""
    settings = load_settings()
    require_safe_place(settings, host)
    root = lake_root(settings)
    reader = Reader(root, read_catalogue(root, settings.work_folder), settings.logs_folder)
    pages = Pages(reader, ui, own_figures is not None)
    reader.prepare_with(pages.prepare)
    reader.follow()
    sign_in = SignIn(settings, pages.framed, settings.logs_folder)
    app = make_app(pages, sign_in, settings.logs_folder, own_figures)
    sys.setswitchinterval(SWITCH_SECONDS)
    uvicorn.run(
        app,
        host=host,
        port=port,
        log_level="warning",
        server_header=False,
        http=LimitedConnection,
        timeout_graceful_shutdown=STOP_SECONDS,
        **server_options(settings),
    )


def run() -> None:
    """Serve the portal as the arguments of this process say."""
    run_server(main, "portal")


if __name__ == "__main__":
    run()
