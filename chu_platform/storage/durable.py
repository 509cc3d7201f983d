"""Files that a kill or a power failure must not leave half-written: small texts, and the files of a commit."""

import os
from collections.abc import Iterable
from pathlib import Path


def flush(root: Path, names: Iterable[str]) -> None:
    """Write files below `root`, by relative name, and the entries of all folders on the way, to the disk."""
    files = [root / name for name in names]
    folders = {folder for file in files for folder in file.parents if folder.is_relative_to(root)}
    for path in (*files, *folders):
        _flush_one(path)


def write_whole(file: Path, text: str, folder_mode: int = 0o777) -> None:
    """Write a text file, whole or not at all. Its folder is created with `folder_mode`, less the umask."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=folder_mode)
    write_bytes_whole(file, text.encode())


def write_bytes_whole(file: Path, data: bytes, mode: int = 0o666) -> None:
    """Write a file, whole or not at all. It is created with `mode`, less the umask."""
    temporary = file.with_name(f"{file.name}.{os.getpid()}")
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as stream:
        stream.write(data)
    _flush_one(temporary)
    temporary.replace(file)
    _flush_one(file.parent)


def _flush_one(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
