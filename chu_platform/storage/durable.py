"""Flushing files to disk, so that a power failure after a commit loses nothing of it."""

import os
from collections.abc import Iterable
from pathlib import Path


def flush(root: Path, names: Iterable[str]) -> None:
    """Write files below `root`, by relative name, and the entries of all folders on the way, to the disk."""
    files = [root / name for name in names]
    folders = {folder for file in files for folder in file.parents if folder.is_relative_to(root)}
    for path in (*files, *folders):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
