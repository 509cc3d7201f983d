"""Dumps of the care database in the pack: files with the name of a dump, and folders in the directory format."""

import gzip
import hashlib
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from chu_platform.errors import ChuError
from chu_platform.ingest.files import NEVER_DELIVERED, PackScan, find
from chu_platform.ingest.fingerprints import fingerprint

# First bytes of a dump in custom format, and of the table of contents of one in directory format.
CUSTOM_MAGIC: Final = b"PGDMP"
CONTENTS_FILE: Final = "toc.dat"
# The name says nothing about the format.
DUMP_PATTERN: Final = (
    r"DATA[-_]?\d{4}([-_]\w+)?(\.(dump|dmp|backup|bak|sql|psql|pgdump|pg|custom|out|tar|txt|gz|gzip|tgz))*"
)
# The files of a dump in directory format.
PARTS_PATTERN: Final = r"toc\.dat|\d+\.dat(\.(gz|lz4|zst))?|blobs?(_\d+)?\.(toc|dat)(\.(gz|lz4|zst))?"


def dumps(pack: Path | PackScan) -> Sequence[Path]:
    """The files and folders of the pack that are dumps, in order of path."""
    found = find(pack, rf"{DUMP_PATTERN}|toc\.dat", required=False)
    folders = [f.parent for f in found if _is_contents(f)]
    files = [f for f in found if f.name.lower() != CONTENTS_FILE and not any(d in f.parents for d in folders)]
    return sorted([*folders, *files])


def the_dump(pack: Path | PackScan, fingerprint_of: Callable[[Path], str] = fingerprint) -> Path:
    """The dump of the pack. Raises ChuError for none, or several with different content."""
    found = dumps(pack) or find(pack, DUMP_PATTERN)
    if len(found) > 1 and not _are_copies(found, fingerprint_of):
        folder = pack.pack if isinstance(pack, PackScan) else pack
        names = ", ".join(d.relative_to(folder).as_posix() for d in found)
        raise ChuError(f"several dumps of the care database have different content: {names}; keep one of them")
    return found[0]


def parts(dump: Path) -> Sequence[Path]:
    """The files of a dump: itself, or those in its folder."""
    if not dump.is_dir():
        return [dump]
    return sorted(f for f in dump.iterdir() if f.is_file() and not NEVER_DELIVERED.fullmatch(f.name))


def is_part(file: Path) -> bool:
    """Whether a file is read with the table of contents of a dump in directory format."""
    return file.name.lower() != CONTENTS_FILE and re.fullmatch(PARTS_PATTERN, file.name, re.IGNORECASE) is not None


def dump_fingerprint(dump: Path, fingerprint_of: Callable[[Path], str] = fingerprint) -> str:
    """SHA-256 of a dump, in hexadecimal; of a folder, that of the names and fingerprints of its files."""
    if not dump.is_dir():
        return fingerprint_of(dump)
    listing = "".join(f"{fingerprint_of(part)}  {part.name}\n" for part in parts(dump))
    return hashlib.sha256(listing.encode()).hexdigest()


def registered_fingerprint(file: Path) -> str:
    """Fingerprint of a file in the register of deliveries: the table of contents of a dump stands for its folder."""
    return dump_fingerprint(file.parent if _is_contents(file) else file)


def _are_copies(dumps: Sequence[Path], fingerprint_of: Callable[[Path], str]) -> bool:
    return len({dump_fingerprint(d, fingerprint_of) for d in dumps}) == 1 or len({_content(d) for d in dumps}) == 1


def _content(dump: Path) -> str:
    """Fingerprint of what is in a dump: the same for a file and for the same file compressed with gzip."""
    if not dump.is_dir():
        with suppress(OSError, EOFError), gzip.open(dump) as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    return dump_fingerprint(dump)


def _is_contents(file: Path) -> bool:
    """Whether a file is the table of contents of a dump in directory format."""
    if file.name.lower() != CONTENTS_FILE:
        return False
    with suppress(OSError), file.open("rb") as stream:
        return stream.read(len(CUSTOM_MAGIC)) == CUSTOM_MAGIC
    return False
