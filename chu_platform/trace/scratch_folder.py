"""A folder for what is too large for memory while figures are computed again: in the restricted zone, gone afterwards.

Here: the folder, and what may stay in memory. Not here: what is put into it.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from chu_platform.errors import ChuError
from chu_platform.storage.lake import STAGING, Lake
from chu_platform.tables.table import Zone

# Of DuckDB, beside what Python and an engine take.
MEMORY_LIMIT: Final = "3GB"


@contextmanager
def scratch(lake: Lake) -> Iterator[Path]:
    """An empty folder. Raises ChuError for whoever may read the restricted zone and not write there."""
    folder = lake.root / Zone.RESTRICTED / STAGING
    try:
        folder.mkdir(exist_ok=True, mode=0o700)
        place = tempfile.TemporaryDirectory(dir=folder, prefix="trace-")
    except OSError as error:
        raise ChuError(f"{folder} is needed for temporary files and cannot be written: {error.strerror}") from None
    with place as name:
        yield Path(name)
