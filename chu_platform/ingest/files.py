"""Search for delivered files by name, in all folders of the pack."""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from chu_platform.errors import ChuError
from chu_platform.ingest.delivered import SourceFile
from chu_platform.ingest.file_kinds import in_its_place
from chu_platform.ingest.fingerprints import FileState, fingerprint, unreadable

# Name of the dump that the care database is restored from.
DUMP_PATTERN = r"DATA2023(\.dump)?"
# Lock files of office programs, settings of file managers, unfinished transfers.
NEVER_DELIVERED = re.compile(r"~\$.*|\..*|.*\.(part|tmp|filepart|crdownload)", re.IGNORECASE)


def find(pack: Path, pattern: str, required: bool = True) -> Sequence[Path]:
    """Files of the pack whose name matches the regular expression (case-insensitive), in order of path.

    Skips empty files and files that are never deliveries. Raises ChuError when the pack does not exist or cannot be
    searched. If files are `required`, also raises ChuError when no file matches or all matching files are empty.
    """
    wanted = re.compile(pattern, re.IGNORECASE)
    every = every_file(pack)
    matching = [f for f in every if wanted.fullmatch(f.name) and not NEVER_DELIVERED.fullmatch(f.name)]
    files = [f for f in matching if f.stat().st_size > 0]
    if required and not files:
        empty = f": {matching[0].relative_to(pack)} is empty (0 bytes), ask for it again" if matching else ""
        there = empty or in_its_place(every, wanted)
        raise ChuError(f"no file named like {readable(pattern)} in the pack {pack}{there}")
    return files


def require_pack(pack: Path) -> None:
    """Raise ChuError when the folder of the delivered pack does not exist."""
    if not pack.is_dir():
        raise ChuError(
            f"there is no delivered pack at {pack}: set CHU_SOURCES to its folder, or create one with `chu demo-pack`"
        )


def every_file(pack: Path) -> Sequence[Path]:
    """Every file below the pack, in order of path. Links to folders are followed.

    Raises ChuError when the pack does not exist or cannot be searched.
    """
    require_pack(pack)
    found: list[Path] = []
    seen: set[Path] = set()

    def refused(error: OSError) -> None:
        raise ChuError(f"{error.filename} cannot be searched: {error.strerror}; check its permissions")

    for folder, folders, names in os.walk(pack, followlinks=True, onerror=refused):
        here = Path(folder)
        seen.add(here.resolve())
        folders[:] = [f for f in folders if not NEVER_DELIVERED.fullmatch(f) and (here / f).resolve() not in seen]
        found += [here / n for n in names if (here / n).is_file()]
    return sorted(found)


def readable(pattern: str) -> str:
    """A file name that matches the pattern, for messages: YYYY for a year, optional parts left out."""
    plain = re.sub(r"\(\?(P<\w+>|:)", "(", pattern.replace(r"\d{4}", "YYYY").replace("[-_]", "-"))
    plain = re.sub(r"\([^()]*\)\?", "", plain)
    return re.sub(r"\((?:[^()]*\|)?([^()|]*)\)", r"\1", plain).replace("\\", "")


def one(pack: Path, pattern: str) -> Path:
    """The file of the pack whose name matches. Raises ChuError for none, or several with different content."""
    return same(pack, pattern, find(pack, pattern))


def same(pack: Path, pattern: str, files: Sequence[Path]) -> Path:
    """The first of several files with the same content. Raises ChuError when their contents differ."""
    if len(files) > 1 and len({fingerprint(f) for f in files}) > 1:
        names = ", ".join(str(f.relative_to(pack)) for f in files)
        raise ChuError(
            f"several files named like {readable(pattern)} have different content: {names}; keep one of them"
        )
    return files[0]


@dataclass(frozen=True)
class OpenedFile:
    """A delivered file while it is read: its path, its name in the pack.

    `origin` gives its identity. It waits until the file is hashed, which goes on while the file is read, and raises
    ChuError when it cannot be hashed.
    """

    path: Path
    name: str
    origin: Callable[[], SourceFile]


def modified_at(status: os.stat_result) -> str:
    """Time of the last change of a file, with nanoseconds: UTC, ISO 8601."""
    seconds, nanoseconds = divmod(status.st_mtime_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanoseconds:09}Z"


@contextmanager
def unchanging(pack: Path, file: Path) -> Iterator[OpenedFile]:
    """Context in which the file is read and hashed.

    Raises ChuError when the file was written or replaced meanwhile, also when reading failed.
    """
    try:
        with file.open("rb") as stream:
            status = os.fstat(stream.fileno())
    except OSError as error:
        raise unreadable(file, error) from None
    before = FileState.of(status)
    name = file.relative_to(pack).as_posix()
    changed = ChuError(f"{name} changed while it was read: wait until its transfer has ended, then run again")
    with ThreadPoolExecutor(1) as thread:
        sha256 = thread.submit(fingerprint, file)
        try:
            yield OpenedFile(file, name, lambda: SourceFile(name, before.size, sha256.result(), modified_at(status)))
        except ChuError:
            if _state(file) != before:
                raise changed from None
            raise
        if _state(file) != before:
            raise changed


def _state(file: Path) -> FileState | None:
    try:
        return FileState.of(file.stat())
    except FileNotFoundError:
        return None
