"""The file of the described catalogue: where it lies, reading it, and writing it when the code has changed."""

import hashlib
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Final, Protocol

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from chu_platform.description.described_tables import DescribedCatalogue
from chu_platform.errors import ChuError

PACKAGE: Final = Path(__file__).resolve().parent.parent
# In the published zone, where the portal may read it; no folder of a table begins with a dot.
IN_LAKE: Final = PurePosixPath("published") / ".catalogue.json"
# In the folder of what can be deleted, for a lake that is not there yet or cannot be written.
IN_WORK: Final = Path("catalogue.json")
# Everybody may read it: it holds names and descriptions, no rows.
MODE: Final = 0o644


class Place(Protocol):
    """A place in a folder or in an object store, with the methods of paths."""

    @property
    def parent(self) -> "Place":
        """The folder of this place."""

    def __truediv__(self, name: PurePosixPath, /) -> "Place":
        """The place below this one."""

    def is_dir(self) -> bool:
        """Whether there is such a folder."""

    def read_bytes(self) -> bytes:
        """The content; raises OSError if there is none or it may not be read."""

    def write_bytes(self, data: bytes, /) -> object:
        """Replace the content."""


@cache
def code_hash() -> str:
    """Hash of the Python files of the package: their names and contents."""
    digest = hashlib.sha256()
    for file in sorted(PACKAGE.rglob("*.py")):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(PACKAGE).as_posix()}\n{len(content)}\n".encode() + content)
    return digest.hexdigest()


def read_catalogue(lake: Place, work: Path) -> DescribedCatalogue:
    """The catalogue as it was last described, if possible by this code, in the lake or in the folder `work`.

    Raises ChuError when there is none that can be read.
    """
    found = [text for file in (lake / IN_LAKE, work / IN_WORK) if (text := _text(file))]
    for text in sorted(found, key=lambda t: _hash_in(t) != code_hash()):
        try:
            return _adapter().validate_json(text)
        except ValidationError:
            continue  # written by other code
    raise ChuError(f"there is no description of the tables for the lake {lake}: run `chu serve` or `chu materialize`")


def current_catalogue(lake: Place, work: Path) -> DescribedCatalogue:
    """The catalogue of this code; see `current_text`."""
    return _adapter().validate_json(current_text(lake, work))


def current_text(lake: Place, work: Path) -> bytes:
    """The content of a file that describes the declarations of this code; they are described again if none does.

    A process of its own imports the declarations; what it describes is written where that is possible. Raises ChuError
    when they cannot be described.
    """
    for file in (lake / IN_LAKE, work / IN_WORK):
        if is_current(text := _text(file)):
            return text
    described = subprocess.run(
        [sys.executable, "-m", "chu_platform.describe_catalogue"], capture_output=True, check=False
    )
    if described.returncode:
        raise ChuError("the tables cannot be described: `python -m chu_platform.describe_catalogue` shows why")
    write_catalogue(described.stdout, lake, work)
    return described.stdout


def is_current(text: bytes) -> bool:
    """Whether the content of a file describes the declarations of this code."""
    return bool(text) and _hash_in(text) == code_hash()


def lake_is_described(lake: Place) -> bool:
    """Whether the file of the lake describes the declarations of this code."""
    return is_current(_text(lake / IN_LAKE))


def write_catalogue(text: bytes, lake: Place, work: Path) -> None:
    """Write the file into the lake; into the work folder when the lake is not there or cannot be written.

    Where neither can be written, whoever needs it describes the declarations again.
    """
    if (lake / IN_LAKE).parent.is_dir() and _written(lake / IN_LAKE, text):
        return
    _written(work / IN_WORK, text)


def as_text(catalogue: DescribedCatalogue) -> bytes:
    """The content of the file."""
    return _adapter().dump_json(catalogue)


def _written(file: Place, text: bytes) -> bool:
    """Write a file whole or not at all; whether it could be written."""
    if not isinstance(file, Path):
        try:
            file.write_bytes(text)
        except ChuError:
            return False
        return True
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=file.parent, prefix=f"{file.name}.", delete=False) as new:
            new.write(text)
    except OSError:
        return False
    written = Path(new.name)
    try:
        written.chmod(MODE)
        written.replace(file)
    except OSError:
        written.unlink(missing_ok=True)
        return False
    return True


def _text(file: Place) -> bytes:
    """The content of a file; nothing when it is not there or may not be read."""
    try:
        return file.read_bytes()
    except OSError:
        return b""


def _hash_in(text: bytes) -> str | None:
    try:
        found = from_json(text)
    except ValueError:
        return None
    return found.get("code_hash") if isinstance(found, dict) else None


@cache
def _adapter() -> TypeAdapter[DescribedCatalogue]:
    return TypeAdapter(DescribedCatalogue)
