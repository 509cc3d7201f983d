"""Search for delivered files by name, in all folders of the pack."""

import errno
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from stat import S_ISREG
from typing import Final

from chu_platform.errors import ChuError, PermanentError
from chu_platform.ingest.delivered import SourceFile
from chu_platform.ingest.file_kinds import in_its_place
from chu_platform.ingest.file_names import match_exactly
from chu_platform.ingest.fingerprints import FileState, fingerprint, unreadable
from chu_platform.ingest.markers import ALGORITHMS, DONE, require_checksum
from chu_platform.ingest.same_cells import have_same_cells

# A sender's clock that is ahead of ours by less is not worth a warning.
MAX_SKEW_SECONDS: Final = 60.0

# Lock files of office programs, settings of file managers, unfinished transfers, files that say that another is whole.
NEVER_DELIVERED = re.compile(
    rf"~\$.*|\..*|.*\.(part|tmp|filepart|crdownload|{DONE[1:]}|{'|'.join(ALGORITHMS)})", re.IGNORECASE
)
MAX_LISTED_CAUSES = 3
# Neither Delta tables nor Dagster can store such a name.
NOT_UTF8: Final = "has a name that is not valid UTF-8: rename it"


class Contradiction(ChuError):
    """Several files are the same delivery, with different content."""


@dataclass(frozen=True)
class PackScan:
    """What is below the pack: its files, in order of path, and what is no readable file.

    `folders` cannot be searched, and `links` cannot be followed or read; the text says why. `pipes` are pipes and
    devices. `empty` are folders with nothing in them.
    """

    pack: Path
    files: Sequence[Path]
    folders: Mapping[Path, str]
    links: Mapping[Path, str]
    pipes: Sequence[Path]
    empty: Sequence[Path]

    def absence(self, matches: Callable[[str], object], folder: Path | None = None) -> str:
        """Why no file has a name that matches; empty if there is no particular reason.

        `folder` is where the file was before; without it, all folders that cannot be searched or are empty are named.
        """
        if not (self.files or self.folders or self.links or self.pipes):
            return "the folder is empty: is it mounted?"
        causes = {f: "is empty (0 bytes), ask for it again" for f in self.files if matches(f.name) and not size_of(f)}
        causes |= {f: why for f, why in self.folders.items() if folder is None or f in (folder, *folder.parents)}
        above = (folder, *folder.parents) if folder else ()
        causes |= {link: why for link, why in self.links.items() if matches(link.name) or link in above}
        causes |= {pipe: "is a pipe or a device, not a file" for pipe in self.pipes if matches(pipe.name)}
        # The former folder itself, one of those above it, or one in it if it has no files.
        is_without_files = folder is not None and not any(folder in f.parents for f in self.files)
        causes |= {
            empty: "is an empty folder that is perhaps not mounted"
            for empty in self.empty
            if folder is None or empty in above or (is_without_files and folder in empty.parents)
        }
        if folder and not causes and not folder.is_dir():
            causes[folder] = "is gone, a folder that is perhaps not mounted"
        named = [f"{path.relative_to(self.pack).as_posix()} {why}" for path, why in causes.items()]
        return "; ".join(named[:MAX_LISTED_CAUSES])


def find(
    pack: Path | PackScan,
    pattern: str,
    required: bool = True,
    match: Callable[[str, str], object] = match_exactly,
) -> Sequence[Path]:
    """Files of the pack whose name matches the regular expression (case-insensitive), in order of path.

    A pack that was searched already is not searched again. `match` compares the pattern with a name.

    Skips empty files and files that are never deliveries. Raises ChuError when the pack does not exist or cannot be
    searched. If files are `required`, also raises ChuError when no file matches or all matching files are empty.
    """

    def matches(name: str) -> bool:
        return match(pattern, name) is not None and not NEVER_DELIVERED.fullmatch(name)

    scan = pack if isinstance(pack, PackScan) else scan_pack(pack)
    files = [f for f in scan.files if matches(f.name) and size_of(f)]
    if required and not files:
        raise ChuError(no_file(scan, pattern, forms(pattern), matches))
    return files


def no_file(scan: PackScan, pattern: str, names: str, matches: Callable[[str], object]) -> str:
    """The message that the pack has no file of the pattern whose name `matches`, and why; `names` describes them."""
    absence = scan.absence(matches)
    instead = next(in_its_place(scan.files, re.compile(pattern, re.IGNORECASE)), None)
    why = f": {absence}" if absence else f"; {instead}" if instead else ""
    return f"no file named like {names} in the pack {scan.pack}{why}"


def size_of(file: Path) -> int:
    """Size of a file in bytes; 0 if it has just been removed."""
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def require_pack(pack: Path) -> None:
    """Raise ChuError when the folder of the delivered pack does not exist."""
    if not pack.is_dir():
        raise ChuError(
            f"there is no delivered pack at {pack}: set CHU_SOURCES to its folder, or create one with `chu demo-pack`; "
            "if CHU_SOURCES is a list of places, run `chu land`"
        )


def every_file(pack: Path) -> Sequence[Path]:
    """Every file below the pack, in order of path. Raises ChuError when the pack cannot be searched."""
    return scan_pack(pack).files


def scan_pack(pack: Path) -> PackScan:
    """Search all folders of the pack. Links to folders are followed.

    A folder or a link that cannot be read concerns only what is in it. Raises ChuError when the pack itself does not
    exist or cannot be searched.
    """
    require_pack(pack)
    files: list[Path] = []
    pipes: list[Path] = []
    folders: dict[Path, str] = {}
    links: dict[Path, str] = {}
    empty: list[Path] = []
    seen: set[Path] = set()

    def refused(error: OSError) -> None:
        why = f"cannot be searched: {error.strerror}; check its permissions"
        if Path(error.filename) == pack:
            raise ChuError(f"{error.filename} {why}")
        folders[Path(error.filename)] = why

    for folder, below, names in os.walk(pack, followlinks=True, onerror=refused):
        here = Path(folder)
        seen.add(here.resolve())
        if not (below or names):
            empty.append(here)
        folders |= {here / _printable(name): NOT_UTF8 for name in below if _printable(name) != name}
        links |= {here / _printable(name): NOT_UTF8 for name in names if _printable(name) != name}
        below[:], names[:] = ([n for n in listed if _printable(n) == n] for listed in (below, names))
        below[:] = [f for f in below if not NEVER_DELIVERED.fullmatch(f) and (here / f).resolve() not in seen]
        for path in (here / n for n in sorted(names)):
            try:
                (files if S_ISREG(path.stat().st_mode) else pipes).append(path)
            except OSError as error:
                if error.errno not in (errno.ENOENT, errno.ELOOP):
                    links[path] = f"cannot be read: {error.strerror}; check the permissions of its folder"
                elif path.is_symlink():
                    links[path] = "is a link to nothing"
    return PackScan(pack, sorted(files), folders, links, pipes, empty)


def _printable(name: str) -> str:
    """The name with escapes for bytes that are not UTF-8."""
    return os.fsencode(name).decode(errors="backslashreplace")


def readable(pattern: str) -> str:
    """A file name that matches the pattern, for messages: YYYY for a year, optional parts left out."""
    plain = re.sub(r"\(\?(P<\w+>|:)", "(", pattern.replace(r"\d{4}", "YYYY").replace("[-_]", "-"))
    plain = re.sub(r"\((?:[^()]|\([^()]*\))*\)[?*]|-\?", "", plain)
    return re.sub(r"\((?:[^()]*\|)?([^()|]*)\)", r"\1", plain).replace("\\", "")


def forms(pattern: str) -> str:
    """All names that match the pattern, for messages: YYYY for a year, optional parts in brackets.

    Of a pattern that does not end in one suffix, one name: see `readable`.
    """
    text = re.sub(r"\(\?(P<\w+>|:)", "(", pattern.replace(r"\d{4}", "YYYY").replace("[-_]", "-"))
    stem, _, suffix = text.rpartition(r"\.")
    if not re.fullmatch(r"\(?[\w|]+\)?", suffix):
        return readable(pattern)
    suffixes = [f".{kind}" for kind in suffix.strip("()").split("|")]
    names = _alternatives(re.sub(r"\(([^()]*)\)\?", r"[\1]", stem))
    if len(suffixes) == 1:
        return " or ".join(name + suffixes[0] for name in names)
    return f"{' or '.join(names)} ({' or '.join(suffixes)})"


def _alternatives(text: str) -> list[str]:
    """The texts of a pattern with groups of alternatives, innermost group first."""
    group = re.search(r"\(([^()]*)\)", text)
    if group is None:
        return [text.replace("\\", "")]
    chosen = (text[: group.start()] + part + text[group.end() :] for part in group[1].split("|"))
    return [name for one_chosen in chosen for name in _alternatives(one_chosen)]


def one(pack: Path | PackScan, pattern: str, fingerprint_of: Callable[[Path], str] = fingerprint) -> Path:
    """The file of the pack whose name matches. Raises ChuError for none, or several with different content."""
    return same(pack, pattern, find(pack, pattern), fingerprint_of)


def same(
    pack: Path | PackScan, pattern: str, files: Sequence[Path], fingerprint_of: Callable[[Path], str] = fingerprint
) -> Path:
    """The first of several files with the same content. Raises Contradiction when their contents differ.

    A CSV file and a workbook with the same cells have the same content.
    """
    if not all(_is_same(files[0], other, fingerprint_of) for other in files[1:]):
        folder = pack.pack if isinstance(pack, PackScan) else pack
        names = ", ".join(str(f.relative_to(folder)) for f in files)
        raise Contradiction(
            f"several files named like {readable(pattern)} have different content: {names}; keep one of them"
        )
    return files[0]


def is_copy(file: Path, others: Sequence[Path]) -> bool:
    """Whether a file has the content of one of the others."""
    return any(_is_same(file, other, fingerprint) for other in others)


def _is_same(file: Path, other: Path, fingerprint_of: Callable[[Path], str]) -> bool:
    has_same_bytes = size_of(file) == size_of(other) and fingerprint_of(file) == fingerprint_of(other)
    return has_same_bytes or have_same_cells(file, other)


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
    """Modification time of a file, with nanoseconds: UTC, ISO 8601."""
    return _moment(status.st_mtime_ns)


def changed_at(status: os.stat_result) -> str:
    """Change time of a file, which programs cannot set, with nanoseconds: UTC, ISO 8601."""
    return _moment(status.st_ctime_ns)


def latest_credible() -> str:
    """The latest modification time that makes no warning: UTC, ISO 8601, as `modified_at`."""
    return _moment(time.time_ns() + int(MAX_SKEW_SECONDS * 1e9))


def _moment(time_ns: int) -> str:
    seconds, nanoseconds = divmod(time_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanoseconds:09}Z"


@contextmanager
def unchanging(pack: Path, file: Path) -> Iterator[OpenedFile]:
    """Context in which the file is read and hashed.

    Raises ChuError when the file was written or replaced meanwhile, also when reading failed, and when it does not
    have the checksum in the checksum file beside it. What is wrong with the content of a file is a PermanentError.
    """
    try:
        with file.open("rb") as stream:
            status = os.fstat(stream.fileno())
    except OSError as error:
        raise unreadable(file, error) from None
    before = FileState.of(status)
    require_checksum(file)
    name = file.relative_to(pack).as_posix()
    changed = ChuError(f"{name} changed while it was read: wait until its transfer has ended, then run again")
    with ThreadPoolExecutor(1) as thread:
        sha256 = thread.submit(fingerprint, file)
        try:
            yield OpenedFile(file, name, lambda: SourceFile(name, before.size, sha256.result(), modified_at(status)))
        except ChuError as error:
            if _state(file) != before:
                raise changed from None
            if type(error) is ChuError:
                raise PermanentError(str(error)) from None
            raise
        if _state(file) != before:
            raise changed


def _state(file: Path) -> FileState | None:
    try:
        return FileState.of(file.stat())
    except FileNotFoundError:
        return None
