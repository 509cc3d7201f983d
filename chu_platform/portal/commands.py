"""The commands of the portal: `chu portal ...`."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from chu_platform.errors import ChuError

app = typer.Typer(
    no_args_is_help=True, short_help="Write a copy of the portal.", help="The portal of the published indicators."
)


@app.command(short_help="Write the portal as files.")
def export(
    folder: Annotated[Path, typer.Argument(help="folder to write: a new or empty one, or a copy to bring up to date")],
) -> None:
    """Write a copy that needs no server: the published views by year, and the story.

    In a copy that exists, only pages are made again that would be different; pages that are no longer published go.
    """
    import time

    from chu_platform.description.file import current_catalogue
    from chu_platform.portal.export import export as write
    from chu_platform.portal.export import opening_views, start_addresses
    from chu_platform.portal.reader import Reader
    from chu_platform.settings import load_settings
    from chu_platform.storage.store import lake_root

    settings = load_settings()
    root = lake_root(settings)
    reader = Reader(root, current_catalogue(root, settings.work_folder))
    if not reader.snapshot.versions:
        raise ChuError(f"nothing is published in the lake {settings.lake_place} yet: materialise it first")
    snapshot = reader.snapshot
    if snapshot.unreadable:
        names = ", ".join(sorted(snapshot.unreadable))
        raise ChuError(f"published tables cannot be read ({names}): run `chu verify --repair`; nothing was written")
    begun = time.monotonic()

    def log_progress(message: str) -> None:
        print(f"[{time.monotonic() - begun:6.1f} s] {message}", flush=True)

    start, opening = start_addresses(snapshot), opening_views(snapshot)
    done = write(snapshot, folder, datetime.now(), start, opening, root, log_progress)
    print(
        f"{done.pages} pages and {done.files} files in {folder}, {done.made} of them made now; "
        f"begin with {folder / 'index.html'}"
    )
