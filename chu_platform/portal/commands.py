"""The commands of the portal: `chu portal ...`.

Here: arguments and what is printed. Not here: the work.
"""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from chu_platform.errors import ChuError

app = typer.Typer(no_args_is_help=True, help="The portal of the published indicators: measure it, take it along.")


@app.command()
def load(
    address: Annotated[str, typer.Argument(help="address of a running portal")] = "http://127.0.0.1:3001",
    clients: Annotated[int, typer.Option(min=1, max=64, help="readers at the same time")] = 4,
    seconds: Annotated[float, typer.Option(min=1, help="how long they read")] = 20,
) -> None:
    """Measure a running portal: p50 and p95 of each page, bytes, time of the first page."""
    from chu_platform.portal.load import lines
    from chu_platform.portal.load import load as run

    for line in lines(run(address, clients, seconds, print)):
        print(line)


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="folder to write; it must not exist, or be empty")],
) -> None:
    """Write a copy that needs no server: the published views by year, and the story."""
    from chu_platform.portal.app import make_app
    from chu_platform.portal.export import BEGIN, views_alone
    from chu_platform.portal.export import export as write
    from chu_platform.portal.reader import Reader
    from chu_platform.settings import load_settings

    settings = load_settings()
    reader = Reader(settings.lake_folder)
    if not reader.snapshot.versions:
        raise ChuError(f"nothing is published in the lake {settings.lake_folder} yet: materialise it first")
    done = write(
        make_app(reader, logs=settings.logs_folder), folder, datetime.now(), BEGIN, views_alone(reader.snapshot)
    )
    print(f"{done.pages} pages and {done.files} files in {folder}; begin with {folder / 'index.html'}")
