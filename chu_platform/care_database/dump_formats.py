"""The formats of dumps: plain SQL, custom, tar and directory, also compressed with gzip or in a tar archive.

A format is recognised by the content, never by the name. Every format is read as a script in plain SQL: `pg_restore`
writes the script of the other formats, without a connection to any server.
"""

import gzip
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, Final, cast

from chu_platform.care_database.dump_script import BYTE_ORDER_MARK, CutDumpError
from chu_platform.errors import ChuError
from chu_platform.ingest.dump_files import CONTENTS_FILE, CUSTOM_MAGIC
from chu_platform.ingest.file_kinds import WIDE_MARKS, refuse_other_kind

GZIP_MAGIC: Final = b"\x1f\x8b\x08"
TAR_MAGIC: Final = b"ustar"
TAR_MAGIC_AT: Final = 257
TAR_BLOCK_BYTES: Final = 512
START_BYTES: Final = 1 << 12
BUFFER_BYTES: Final = 1 << 20
# A gzip of a tar archive of a compressed dump.
MAX_LAYERS: Final = 3
# The byte of the format in the header of an archive; a directory dump calls itself tar.
CUSTOM_FORMAT: Final = 1
FORMAT_AT: Final = 10
# In the header of an archive: since this version, the compression is one byte.
ONE_BYTE_COMPRESSION: Final = (1, 15)
# pg_restore says this of the archive format of another version of pg_dump.
UNKNOWN_FORMAT: Final = "unsupported version"
SQL_START: Final = re.compile(
    rb"(?:\s|--[^\n]*(?:\n|\Z)|/\*.*?\*/)*"
    rb"(?:\\|\Z|(?:SET|RESET|CREATE|ALTER|DROP|INSERT|COPY|SELECT|BEGIN|START|COMMENT|GRANT|REVOKE|DO|TRUNCATE)\b)",
    re.I | re.S,
)


@contextmanager
def open_script(dump: Path, scratch: Path, pg_restore: str, layers: int = MAX_LAYERS) -> Iterator[BinaryIO]:
    """The dump as a script in plain SQL. `scratch` is a folder for what has to be unpacked.

    Raises ChuError when it is not a dump, and CutDumpError when it ends too early.
    """
    if dump.is_dir():
        with _archive_script(dump, "directory", pg_restore) as script:
            yield script
        return
    start = _start(dump)
    if start.startswith(CUSTOM_MAGIC):
        if len(start) > FORMAT_AT and start[FORMAT_AT] != CUSTOM_FORMAT:
            raise ChuError("it is only the table of contents of a directory dump: deliver the whole folder")
        with _archive_script(dump, "custom", pg_restore) as script:
            yield script
    elif start.startswith(GZIP_MAGIC):
        with _unpacked(dump, scratch, pg_restore, layers) as script:
            yield script
    elif start[TAR_MAGIC_AT:].startswith(TAR_MAGIC):
        with _tar_script(dump, scratch, pg_restore, layers) as script:
            yield script
    else:
        _require_sql(dump, start)
        with dump.open("rb", BUFFER_BYTES) as stream:
            yield stream


def archive_version(dump: Path) -> str | None:
    """The version of pg_dump that wrote an archive (custom, tar or directory); None if its header does not say it."""
    try:
        if dump.is_dir():
            return _version_in(_start(dump / CONTENTS_FILE))
        start = _start(dump)
        if start[TAR_MAGIC_AT:].startswith(TAR_MAGIC):
            with tarfile.open(dump) as archive:
                contents = archive.extractfile(CONTENTS_FILE)
                return _version_in(contents.read(START_BYTES)) if contents else None
        return _version_in(start) if start.startswith(CUSTOM_MAGIC) else None
    except (OSError, tarfile.TarError, KeyError):
        return None


def _version_in(header: bytes) -> str | None:
    """The version of pg_dump in the header of an archive (pg_backup_archiver.c, ReadHead)."""
    at = len(CUSTOM_MAGIC)
    if len(header) < at + 7:
        return None
    version, integer = (header[at], header[at + 1]), header[at + 3]

    def number() -> int:
        nonlocal at
        value = int.from_bytes(header[at + 1 : at + 1 + integer], "little")
        negative = header[at : at + 1] == b"\x01"
        at += 1 + integer
        return -value if negative else value

    at += 6
    if version >= ONE_BYTE_COMPRESSION:
        at += 1
    else:
        number()
    for _ in range(7):  # the time
        number()
    texts = []
    for _ in range(3):  # database, version of the server, version of pg_dump
        length = number()
        if not 0 <= length <= len(header) - at:
            return None
        texts.append(header[at : at + length])
        at += length
    found = re.fullmatch(rb"(\d+\S*).*", texts[-1], re.S)
    return found[1].decode("ascii", "replace") if found else None


def _start(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(START_BYTES)


def _require_sql(dump: Path, start: bytes) -> None:
    """Raise ChuError when a file is not a script in SQL."""
    if start.startswith(WIDE_MARKS):
        raise ChuError(
            "it is written in UTF-16, as PowerShell does with `>`, which damages letters: ask for it with "
            "`pg_dump --file=NAME`"
        )
    refuse_other_kind(dump, "it")
    if b"\0" in start or not SQL_START.match(start.removeprefix(BYTE_ORDER_MARK)):
        raise ChuError("it is not a PostgreSQL dump: ask for the output of pg_dump")


@contextmanager
def _archive_script(dump: Path, archive_format: str, pg_restore: str) -> Iterator[BinaryIO]:
    """The script that pg_restore writes for an archive."""
    command = [pg_restore, f"--format={archive_format}", "--file=-", str(dump)]
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, env={"LC_ALL": "C"}
        ) as process,
    ):
        assert process.stdout
        failure: ChuError | None = None
        try:
            yield cast(BinaryIO, process.stdout)
        except CutDumpError as cut:
            failure = cut
        except BaseException:
            process.kill()
            raise
        process.stdout.close()
        status = process.wait()
        errors.seek(0)
        if status != 0:
            raise CutDumpError(_cause(errors).replace(f"{dump.parent}/", "")) from None
        if failure:
            raise failure


def _cause(errors: IO[bytes]) -> str:
    """The first error of pg_restore, and what to do."""
    lines = [line.decode("utf-8", "replace").strip() for line in errors if line.strip()]
    first = next((line for line in lines if "error:" in line), "pg_restore failed")
    if "does not support compression" in first:
        return f"{first}; ask for it with `pg_dump --compress=gzip`"
    if UNKNOWN_FORMAT in first:
        return first
    return f"{first}; ask for it again"


@contextmanager
def _unpacked(dump: Path, scratch: Path, pg_restore: str, layers: int) -> Iterator[BinaryIO]:
    """The script in a file compressed with gzip. Plain SQL is unpacked while it is read."""
    try:
        with gzip.open(dump) as stream:
            start = stream.read(START_BYTES)
            is_packed = start.startswith((CUSTOM_MAGIC, GZIP_MAGIC)) or start[TAR_MAGIC_AT:].startswith(TAR_MAGIC)
            if is_packed and layers:
                target = scratch / f"unpacked-{layers}"
                with target.open("wb") as copy:
                    copy.write(start)
                    shutil.copyfileobj(stream, copy, BUFFER_BYTES)
            else:
                target = None
        if target:
            with open_script(target, scratch, pg_restore, layers - 1) as script:
                yield script
            return
        start_file = scratch / "start"
        start_file.write_bytes(start)
        _require_sql(start_file, start)
        with gzip.open(dump) as plain:
            yield cast(BinaryIO, plain)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise CutDumpError("the compressed file is damaged or cut: ask for it again") from None


@contextmanager
def _tar_script(dump: Path, scratch: Path, pg_restore: str, layers: int) -> Iterator[BinaryIO]:
    """The script of a dump in tar format, or of the one dump in an archive."""
    folder = scratch / f"archive-{layers}"
    try:
        _require_end(dump)
        with tarfile.open(dump) as archive:
            names = archive.getnames()
            is_dump = names[:1] == [CONTENTS_FILE]
            if not is_dump:
                _extract(archive, folder)
    except (tarfile.TarError, EOFError):
        raise CutDumpError("the tar archive is damaged or cut: ask for it again") from None
    if is_dump:
        with _archive_script(dump, "tar", pg_restore) as script:
            yield script
        return
    files = sorted(f for f in folder.rglob("*") if f.is_file())
    dumps = [f.parent for f in files if f.name == CONTENTS_FILE]
    inside = dumps or files
    if len(inside) != 1 or not layers:
        raise ChuError(f"it is an archive of {len(files)} files, and not of one dump: deliver the dump alone")
    with open_script(inside[0], scratch, pg_restore, layers - 1) as script:
        yield script


def _require_end(dump: Path) -> None:
    """Raise ReadError when the two blocks of zeros at the end of a tar archive are missing or cut."""
    with dump.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(size - 2 * TAR_BLOCK_BYTES, 0))
        if size % TAR_BLOCK_BYTES or stream.read().strip(b"\0"):
            raise tarfile.ReadError


def _extract(archive: tarfile.TarFile, folder: Path) -> None:
    """Copy the regular files of an archive below a folder, and nothing else."""
    folder.mkdir()
    for member in archive:
        name = PurePosixPath(member.name)
        if not member.isfile() or name.is_absolute() or ".." in name.parts:
            continue
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        content = archive.extractfile(member)
        assert content
        with target.open("wb") as copy:
            shutil.copyfileobj(content, copy, BUFFER_BYTES)
