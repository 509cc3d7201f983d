"""Fingerprints of delivered files. All processes share the known ones, so that a file is hashed once.

They are in one JSON file of the work folder, by path, with the state that the file had when it was hashed. A file whose
state is the same is not hashed again. The JSON file can be deleted at any time: fingerprints are then computed again.
"""

import hashlib
import os
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Final, NamedTuple

from pydantic import StringConstraints, TypeAdapter, ValidationError

from chu_platform.errors import ChuError
from chu_platform.settings import load_settings

# A file that changes twice within the resolution of its file system's clock has the same state twice. So the
# fingerprint of a file that had changed less than this time before it was hashed is not stored.
QUIET_NANOSECONDS: Final = 2_000_000_000


class FileState(NamedTuple):
    """What changes when a file is written or replaced. Programs can set the modification time, not the change time."""

    size: int
    modified_ns: int
    changed_ns: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> "FileState":
        """The state in the answer of the system."""
        return cls(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


_Known = Mapping[str, tuple[FileState, Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]]]
_KNOWN: Final = TypeAdapter[_Known](_Known)


def fingerprint(file: Path) -> str:
    """SHA-256 of the file, in hexadecimal: known, or computed. Raises ChuError when it cannot be read."""
    path = str(file.absolute())
    try:
        state = FileState.of(file.stat())
        known_state, sha256 = _known().get(path, (None, ""))
        if known_state == state:
            return sha256
        start = time.time_ns()
        with file.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        is_quiet = max(state.modified_ns, state.changed_ns) <= start - QUIET_NANOSECONDS
        is_unchanged = FileState.of(file.stat()) == state
    except OSError as error:
        raise unreadable(file, error) from None
    if is_quiet and is_unchanged:
        _store(path, state, sha256)
    return sha256


def unreadable(file: Path, error: OSError) -> ChuError:
    """The error to raise for a file that the system does not let us read."""
    return ChuError(f"{file} cannot be read: {error.strerror}; check its permissions")


def _store_file() -> Path:
    return load_settings().work_folder / "fingerprints.json"


def _known() -> _Known:
    """The known fingerprints, by absolute path; none when their file is damaged or cannot be read."""
    try:
        return _KNOWN.validate_json(_store_file().read_bytes())
    except (OSError, ValidationError):
        return {}


def _store(path: str, state: FileState, sha256: str) -> None:
    """Add a fingerprint, and forget those of files that are gone. Nothing is stored where nothing can be written.

    Of two processes that store at the same time, one may lose its fingerprint: it is then computed again.
    """
    file = _store_file()
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        known = {p: of_file for p, of_file in _known().items() if Path(p).exists()} | {path: (state, sha256)}
        with tempfile.TemporaryDirectory(dir=file.parent, prefix=f"{file.name}.") as folder:
            written = Path(folder) / file.name
            written.write_bytes(_KNOWN.dump_json(known))
            written.replace(file)
