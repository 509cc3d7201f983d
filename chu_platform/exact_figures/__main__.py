"""The exact figures of own sites as a process: `python -m chu_platform.exact_figures SOCKET`."""

import os
import socket
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
import uvicorn

from chu_platform.command import run_server
from chu_platform.exact_figures.app import make_app
from chu_platform.settings import load_settings
from chu_platform.signin.sign_in import SignIn

if TYPE_CHECKING:
    from chu_platform.exact_figures.pages import OwnPages

# Other users of the machine must not reach the socket.
ONLY_THIS_USER: Final = 0o077


def main(
    file: Annotated[Path, typer.Argument(help="socket to listen on; the portal forwards requests to it")],
) -> None:
    """Serve the exact figures of own sites to signed-in accounts, until interrupted."""
    settings = load_settings()

    @cache
    def pages() -> "OwnPages":
        # What takes memory is loaded when an account asks first.
        from chu_platform.access.gate import Gate
        from chu_platform.access.journal import Journal
        from chu_platform.description.file import read_catalogue
        from chu_platform.exact_figures.pages import OwnPages
        from chu_platform.portal.reader import Reader
        from chu_platform.storage.lake import Lake
        from chu_platform.storage.store import lake_root

        root = lake_root(settings)
        reader = Reader(root, read_catalogue(root, settings.work_folder), settings.logs_folder)
        return OwnPages(reader, Gate(Lake(root), Journal(settings.secrets_folder)))

    file.unlink(missing_ok=True)
    os.umask(ONLY_THIS_USER)
    app = make_app(pages, SignIn(settings), settings.logs_folder)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        # Given the path, uvicorn would let every user of the machine connect.
        listening.bind(str(file))
        uvicorn.run(app, fd=listening.fileno(), log_level="warning", server_header=False)


def run() -> None:
    """Serve the exact figures as the arguments of this process say."""
    run_server(main, "exact figures")


if __name__ == "__main__":
    run()
