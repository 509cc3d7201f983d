"""A temporary folder in a secure zone, for data that does not fit in memory."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chu_platform.errors import ChuError, reason_of
from chu_platform.storage.lake import SCRATCH, Lake
from chu_platform.tables.table import Zone


@contextmanager
def scratch(lake: Lake, zone: Zone = Zone.RESTRICTED) -> Iterator[Path]:
    """An empty folder, removed at the end. Raises ChuError when the user cannot write to the zone."""
    folder = lake.local(zone) / SCRATCH
    try:
        folder.mkdir(exist_ok=True, mode=0o700)
        temporary = tempfile.TemporaryDirectory(dir=folder, prefix="trace-")
    except OSError as error:
        raise ChuError(f"{folder} is needed for temporary files and cannot be written: {reason_of(error)}") from None
    with temporary as name:
        yield Path(name)
