"""The portal as a process: `python -m chu_platform.portal PORT [UI]`."""

import sys
from typing import Annotated

import typer
import uvicorn

from chu_platform.description.file import read_catalogue
from chu_platform.errors import ChuError
from chu_platform.portal.app import make_app
from chu_platform.portal.reader import Reader
from chu_platform.settings import load_settings
from chu_platform.storage.store import lake_root


def main(
    port: Annotated[int, typer.Argument(help="port to listen on")],
    ui: Annotated[str | None, typer.Argument(help="address of the Dagster UI")] = None,
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
) -> None:
    """Serve the portal of the lake's published zone, until interrupted."""
    settings = load_settings()
    root = lake_root(settings)
    reader = Reader(root, read_catalogue(root, settings.work_folder), settings.logs_folder)
    reader.follow()
    app = make_app(reader, ui, settings.logs_folder)
    uvicorn.run(app, host=host, port=port, log_level="warning", server_header=False, limit_concurrency=200)


if __name__ == "__main__":
    try:
        typer.run(main)
    except ChuError as error:
        print(f"portal: {error}", file=sys.stderr)
        sys.exit(1)
