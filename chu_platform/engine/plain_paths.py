"""Paths without special characters for the engines.

Sail does not read a Delta table whose path has a blank, an accent, `#` or `"`: it does not find the log. So folders
with such names are reached by links with plain names.
"""

import re
import shutil
import tempfile
from pathlib import Path
from typing import Final

# Where links are if the usual folder of temporary files has no plain name.
FALLBACK: Final = "/var/tmp"  # noqa: S108 - the folder below it is made by mkdtemp
PLAIN: Final = re.compile(r"[A-Za-z0-9._~/=-]*")


class PlainPaths:
    """Links with plain names, in a folder of their own that only this user may enter."""

    def __init__(self) -> None:
        self._links: dict[Path, Path] = {}
        self._folder: Path | None = None

    def of(self, path: Path) -> Path:
        """The path, or one with a plain name that leads to the same place."""
        if PLAIN.fullmatch(str(path)):
            return path
        # The last folder that has no plain name. What is below it has plain names: layers, tables and partitions.
        special = path
        while PLAIN.fullmatch(special.name):
            special = special.parent
        if special not in self._links:
            if self._folder is None:
                usual = tempfile.gettempdir()
                self._folder = Path(tempfile.mkdtemp(prefix="chu-", dir=usual if PLAIN.fullmatch(usual) else FALLBACK))
            link = self._folder / str(len(self._links))
            link.symlink_to(special, target_is_directory=True)
            self._links[special] = link
        return self._links[special] / path.relative_to(special)

    def close(self) -> None:
        """Delete the links."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._links, self._folder = {}, None
