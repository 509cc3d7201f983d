"""The record of a copy of the portal: which files it has, and what each was made from.

A file is as it should be if it was made from the same (its key), and has the content that was written.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Final

from chu_platform.description.file import code_hash
from chu_platform.errors import ChuError
from chu_platform.portal.rendering import TEMPLATES

RECORD: Final = ".export.json"
# A file gets its name when it is complete.
UNFINISHED: Final = ".unfinished"
# Libraries that make what pages and files show.
LIBRARIES: Final = ("babel", "duckdb", "jinja2", "markupsafe", "pyarrow")


@dataclass(frozen=True)
class Recorded:
    """A file of a copy: the hash of what it was made from, empty if it is not finished, and of its content."""

    key: str = ""
    content: str = ""


@cache
def program() -> str:
    """Hash of what makes the files: the code, the templates, the libraries."""
    digest = hashlib.sha256(code_hash().encode())
    for file in sorted(TEMPLATES.iterdir()):
        digest.update(f"{file.name}\n".encode() + file.read_bytes())
    digest.update(" ".join(f"{name} {version(name)}" for name in LIBRARIES).encode())
    return digest.hexdigest()


def hash_of(*parts: str) -> str:
    """Hash of texts; other parts have another one."""
    return hashlib.sha256(json.dumps([program(), *parts]).encode()).hexdigest()


def read_record(folder: Path) -> dict[str, Recorded]:
    """The files of the copy in a folder, by name; nothing if the folder does not exist or is empty.

    Raises ChuError if the folder holds anything else than a copy: nothing may be written there.
    """
    if not folder.exists():
        return {}
    try:
        found = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        return {str(name): Recorded(str(key), str(content)) for name, (key, content) in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        if folder.is_dir() and not any(folder.iterdir()):
            return {}
        raise ChuError(
            f"{folder} exists, and is neither an empty folder nor a copy of the portal: nothing was written"
        ) from None


def write_record(folder: Path, files: Mapping[str, Recorded]) -> None:
    """Replace the record of the copy in a folder."""
    text = json.dumps({name: [one.key, one.content] for name, one in sorted(files.items())}, indent=0)
    write_whole(folder / RECORD, text.encode())


def is_as_recorded(folder: Path, name: str, recorded: Recorded | None, key: str) -> bool:
    """Whether a file of a copy is what would be made of `key`."""
    if recorded is None or recorded.key != key:
        return False
    try:
        return hashlib.sha256((folder / name).read_bytes()).hexdigest() == recorded.content
    except OSError:
        return False


def write_whole(file: Path, content: bytes) -> str:
    """Write a file, whole or not at all; returns the hash of its content."""
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(file.name + UNFINISHED)
    unfinished.write_bytes(content)
    unfinished.replace(file)
    return hashlib.sha256(content).hexdigest()


def delete_others(folder: Path, before: Collection[str], names: Collection[str]) -> None:
    """Delete the files of an earlier copy that are not among `names`, what is unfinished, and empty folders."""
    for name in set(before) - set(names):
        (folder / name).unlink(missing_ok=True)
    for file in folder.rglob(f"*{UNFINISHED}"):
        file.unlink()
    for inside in sorted((f for f in folder.rglob("*") if f.is_dir()), reverse=True):
        if not any(inside.iterdir()):
            inside.rmdir()
