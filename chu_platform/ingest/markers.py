"""Files beside a delivered file that say whether it is whole: `NAME.done`, or a checksum file such as `NAME.sha256`."""

import hashlib
import re
from pathlib import Path
from typing import Final

from chu_platform.errors import ChuError
from chu_platform.ingest.fingerprints import fingerprint, unreadable

DONE: Final = ".done"
ALGORITHMS: Final = ("sha256", "sha512", "sha1", "md5")


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


def require_checksum(file: Path) -> None:
    """Raise ChuError when the checksum file beside a file has another checksum. Nothing is done without such a file."""
    listed = checksum_file(file)
    if listed is None:
        return
    algorithm = listed.suffix[1:]
    try:
        expected = checksum_in(listed.read_bytes(), algorithm)
        if algorithm == "sha256":
            found = fingerprint(file)
        else:
            with file.open("rb") as stream:
                found = hashlib.file_digest(stream, algorithm).hexdigest()
    except OSError as error:
        raise unreadable(file, error) from None
    if found != expected:
        raise ChuError(
            f"{file.name} does not have the checksum in {listed.name}: its transfer was cut, or one of the two is old; "
            "nothing was committed, ask for both again"
        )


def checksum_in(text: bytes, algorithm: str) -> str | None:
    """The checksum in a checksum file, in lower case; None if there is none."""
    length = 2 * hashlib.new(algorithm).digest_size
    found = re.search(rb"(?<![0-9a-fA-F])[0-9a-fA-F]{%d}(?![0-9a-fA-F])" % length, text)
    return found.group().decode().lower() if found else None
