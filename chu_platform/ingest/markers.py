"""Files beside a delivered file that say whether it is whole: `NAME.done`, or a checksum file such as `NAME.sha256`."""

import hashlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from chu_platform.errors import ChuError
from chu_platform.ingest.fingerprints import SHA256, checksum, unreadable

DONE: Final = ".done"
ALGORITHMS: Final = (SHA256, "sha512", "sha1", "md5")


def is_marked_done(file: Path) -> bool:
    """Whether `NAME.done` lies beside the file and is not older than it."""
    try:
        return file.with_name(file.name + DONE).stat().st_mtime >= file.stat().st_mtime
    except OSError:
        return False


def checksum_file(file: Path) -> Path | None:
    """The checksum file beside a file; None if there is none."""
    candidates = (file.with_name(f"{file.name}.{algorithm}") for algorithm in ALGORITHMS)
    return next((c for c in candidates if c.is_file()), None)


def needed_algorithms(file: Path) -> Sequence[str]:
    """Algorithms of the checksums that are needed of a file: of its fingerprint, and of its checksum file."""
    listed = checksum_file(file)
    return list(dict.fromkeys([SHA256, *([listed.suffix[1:]] if listed else [])]))


def require_checksum(file: Path, checksum_of: Callable[[Path, str], str] = checksum) -> None:
    """Raise ChuError when the checksum file beside a file has another checksum. Nothing is done without such a file.

    `checksum_of` gives the checksum of a file for an algorithm.
    """
    listed = checksum_file(file)
    if listed is None:
        return
    algorithm = listed.suffix[1:]
    try:
        expected = checksum_in(listed.read_bytes(), algorithm)
    except OSError as error:
        raise unreadable(listed, error) from None
    if checksum_of(file, algorithm) != expected:
        raise ChuError(
            f"{file.name} does not have the checksum in {listed.name}: its transfer was cut, or one of the two is old; "
            "nothing was committed, ask for both again"
        )


def checksum_in(text: bytes, algorithm: str) -> str | None:
    """The checksum in a checksum file, in lower case; None if there is none."""
    length = 2 * hashlib.new(algorithm).digest_size
    found = re.search(rb"(?<![0-9a-fA-F])[0-9a-fA-F]{%d}(?![0-9a-fA-F])" % length, text)
    return found.group().decode().lower() if found else None
