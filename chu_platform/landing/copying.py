"""Copy one file of a server: it grows under another name, and continues where a cut connection left it."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from chu_platform.errors import ChuError, TransientError
from chu_platform.ingest.markers import ALGORITHMS, checksum_in
from chu_platform.landing.remote import Checksum, Listing, RemoteFile, Session, Status
from chu_platform.storage.durable import flush, write_whole

# After a cut, the last bytes are requested again and compared.
OVERLAP: Final = 4 * 1024
# How often the bytes that were written are put on the disk and recorded.
RECORD_BYTES: Final = 64 * 1024 * 1024
MAX_CHECKSUM_FILE: Final = 64 * 1024
MEGABYTE: Final = 1_000_000


class FileChangedError(TransientError):
    """The file was written on the server while it was copied."""


class PartialCopy:
    """The part of a file that was copied, and a record of it: size and time of the file, and the bytes on the disk."""

    def __init__(self, folder: Path, path: str) -> None:
        self.file = folder / f"{hashlib.sha256(path.encode()).hexdigest()[:32]}.part"
        self._record = self.file.with_suffix(".json")

    def verified(self, status: Status) -> int:
        """Number of the bytes that are on the disk and belong to this state of the file."""
        try:
            recorded = json.loads(self._record.read_text(encoding="utf-8"))
            size = self.file.stat().st_size
            same = recorded["size"] == status.size and recorded["modified"] == status.modified
            return min(int(recorded["bytes"]), size) if same else 0
        except (OSError, ValueError, KeyError, TypeError):
            return 0

    @contextmanager
    def writing(self, status: Status, offset: int) -> Iterator[IO[bytes]]:
        """The file, cut at an offset. At the end, also after an error, it is on the disk; a part of it is recorded."""
        self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(os.open(self.file, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as stream:
            stream.truncate(offset)
            stream.seek(offset)
            try:
                yield stream
            finally:
                if stream.tell() < status.size:
                    self.record(stream, status)
                else:
                    _put_on_disk(stream)

    def record(self, stream: IO[bytes], status: Status) -> None:
        """Put what was written on the disk, and record it."""
        _put_on_disk(stream)
        recorded = {"size": status.size, "modified": status.modified, "bytes": stream.tell()}
        write_whole(self._record, json.dumps(recorded), 0o700)

    def discard(self) -> None:
        """Remove the part and its record."""
        self._record.unlink(missing_ok=True)
        self.file.unlink(missing_ok=True)

    def publish(self, copy: Path, pack: Path, modified: float) -> os.stat_result:
        """Give the whole file its name in the pack, and the time that it has on the server."""
        os.utime(self.file, (modified, modified))
        copy.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.file.replace(copy)
        flush(pack, [copy.relative_to(pack).as_posix()])
        self._record.unlink(missing_ok=True)
        return copy.stat()


def remove_others(folder: Path, paths: Iterable[str]) -> None:
    """Remove the parts and records of all files but these."""
    wanted = {PartialCopy(folder, path).file.stem for path in paths}
    for file in [*folder.glob("*.part"), *folder.glob("*.json")]:
        if file.stem not in wanted:
            file.unlink()


def copy_file(
    session: Session, file: RemoteFile, listing: Listing, partial: PartialCopy, progress: Callable[[int], None]
) -> Status:
    """Copy the rest of a file, and compare size, time and checksums; returns its state on the server.

    `progress` takes the number of bytes of the file that are here. Raises TransientError after a cut, FileChangedError
    if the file was written meanwhile, and ChuError if it does not have the right checksum.
    """
    status = session.status(file)
    if status.size != file.size:
        raise FileChangedError(f"{file.path} is still being written")
    offset = partial.verified(status)
    _require_space(partial.file.parent, status.size - offset)
    with partial.writing(status, offset) as stream:
        start = max(0, offset - OVERLAP)
        stream.seek(start)
        before = stream.read(offset - start)
        recorded = offset
        for chunk in session.read(file, start):
            known, new = before[: len(chunk)], chunk[len(before) :]
            if chunk[: len(known)] != known:
                # The next attempt begins anew.
                stream.truncate(0)
                stream.seek(0)
                raise FileChangedError(f"{file.path} is not the file any more whose beginning was copied")
            before = before[len(known) :]
            stream.write(new)
            progress(stream.tell())
            if stream.tell() - recorded >= RECORD_BYTES:
                partial.record(stream, status)
                recorded = stream.tell()
        received = stream.tell()
    if received < status.size:
        raise TransientError(f"{file.path}: the connection was cut at byte {received} of {status.size}")
    if received > status.size or session.status(file) != status:
        partial.discard()
        raise FileChangedError(f"{file.path} was written while it was copied")
    for checksum, where in _checksums(session, file, listing):
        with partial.file.open("rb") as written:
            found = hashlib.file_digest(written, checksum.algorithm).hexdigest()
        if found != checksum.value:
            partial.discard()
            raise ChuError(
                f"{file.path} does not have the checksum {where}: its upload was cut, or one of the two is old; "
                "the last copy stays, ask for it again"
            )
    return status


def _checksums(session: Session, file: RemoteFile, listing: Listing) -> Iterator[tuple[Checksum, str]]:
    """The checksums of a file on the server, and where each comes from."""
    for algorithm in ALGORITHMS:
        beside = listing.files.get(f"{file.path}.{algorithm}")
        if beside and beside.size <= MAX_CHECKSUM_FILE:
            value = checksum_in(b"".join(session.read(beside, 0)), algorithm)
            yield Checksum(algorithm, value or ""), f"in {beside.path}"
    if computed := session.checksum(file):
        yield computed, "that the server computes"


def _put_on_disk(stream: IO[bytes]) -> None:
    stream.flush()
    os.fsync(stream.fileno())


def _require_space(folder: Path, size: int) -> None:
    """Raise ChuError if the disk has less free space than this."""
    with suppress(FileNotFoundError):
        free = shutil.disk_usage(folder).free
        if free < size:
            raise ChuError(
                f"{size / MEGABYTE:,.0f} MB are to be copied, but the disk of {folder} has {free / MEGABYTE:,.0f} MB: "
                "make room, or put CHU_HOME on a larger disk"
            )
