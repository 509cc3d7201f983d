"""What a delivered file really is, when its content is not what its name says."""

import mmap
import os
import re
import zipfile
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final

from chu_platform.errors import ChuError

START: Final = 1 << 12
PIECE: Final = 1 << 20
# Lines that a doubled part without a header has at least.
DOUBLED_LINES: Final = 20
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
WIDE_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")
ZIP: Final = b"PK\x03\x04"
OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# First bytes of compressed files.
COMPRESSED: Final = {
    b"\x1f\x8b\x08": "gzip",
    b"\xfd7zXZ\x00": "xz",
    b"7z\xbc\xaf\x27\x1c": "7-Zip",
    b"Rar!\x1a\x07": "RAR",
    b"\x28\xb5\x2f\xfd": "zstd",
    **{b"BZh%d%b" % (level, block): "bzip2" for level in range(1, 10) for block in (b"1AY&SY", b"\x17rE8P\x90")},
    b"\x04\x22\x4d\x18": "lz4",
    b"\x02\x21\x4c\x18": "lz4",
    b"LZIP": "lzip",
    b"\x1f\x9d": "compress",
}
# Where the mark of a tar archive stands.
TAR: Final = slice(257, 262)
# A text in UTF-16 has a zero byte in each letter without accent. So many bytes of it are examined.
WIDE_START: Final = 64
# How to get the file that was meant, for files that begin like this.
OTHER_TEXTS: Final = (
    (
        re.compile(rb"version https://git-lfs\.github\.com/spec/"),
        "is a Git LFS pointer, not the file itself: run `git lfs pull` in its repository, and deliver the file",
    ),
    (
        re.compile(rb"/?[^\n]*annex/objects/[^\n]*\n?\Z"),
        "is a git-annex pointer, not the file itself: run `git annex get` in its repository, and deliver the file",
    ),
    (
        re.compile(
            rb"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*"
            rb"<(!doctype\s+html|html|head|body|title|h[1-6]|div|p|center|script|meta|table)\b",
            re.I | re.S,
        ),
        "is a web page (HTML), such as an error or a sign-in page, not the file itself: download the file again",
    ),
    (
        re.compile(rb"\s*<(\?xml|[A-Za-z:]+[ />])"),
        "is an XML document, such as an error message of a server, not a table: download the file again",
    ),
    (
        re.compile(rb"\s*[{\[]\s*[{\[\"]"),
        "is a JSON document, such as an error message of a server, not a table: download the file again",
    ),
    (re.compile(rb"%PDF-"), "is a PDF document: ask for the table as a file"),
    (re.compile(rb"PAR1"), "is a Parquet file: ask for the table as CSV"),
    (
        # Text; a message to a public key; a message with a passphrase. age and OpenSSL encrypt files too.
        re.compile(
            rb"-----BEGIN (PGP|AGE)|(\x84.|[\x85\xc1]..)\x03|[\x8c\xc3].\x04[\x01-\x0d]|age-encryption|Salted__", re.S
        ),
        "is an encrypted file (such as PGP): decrypt it, and deliver the file in it",
    ),
    (
        re.compile(
            rb"\s*(HTTP/[\d.]+\s+)?((error|erreur)\W{0,3})?([45]\d\d\W{1,3})?(forbidden|(page |file )?not found|"
            rb"unauthori[sz]ed|access (is )?denied|acc\S{1,2}s (refus|interdit)|bad (request|gateway)|"
            rb"internal server error|service (temporarily )?unavailable|gateway time-?out|too many requests|"
            rb"request time-?out|proxy authentication required)",
            re.I,
        ),
        "is the error message of a server, not the file itself: download the file again",
    ),
)

# Endings of files with tables, which a source may not read.
OTHER_TABLES: Final = ("xlsx", "xls", "xlsm", "xlsb", "xltx", "ods", "tsv", "tab", "json", "parquet")

# Files that lie beside a delivery or in its place: pattern of the name, with the name of the delivery, and what it is.
BESIDE: Final = (
    (
        re.compile(r"(?:~\$|\.~lock\.)(.*?)#?"),
        "the lock file of a program that has the file open: close it there, and deliver the file itself",
    ),
    (
        re.compile(r"(.*)\.(?:part|tmp|filepart|crdownload)|\.(.*)\.\w{6}"),
        "an unfinished transfer: wait until it has ended, or start it again",
    ),
    (
        re.compile(r"(.*)\.(?:zip|gz|bz2|xz|zst|7z|rar|tar|tgz)", re.I),
        "an archive: unpack it, and deliver the file in it",
    ),
    (
        re.compile(rf"(.*)\.(?:{'|'.join(OTHER_TABLES)})", re.I),
        "whose ending is not known for this name: save it as CSV",
    ),
)
SUFFIXES: Final = ("", ".csv", ".xlsx", ".txt", ".dump")


def in_its_place(files: Sequence[Path], wanted: re.Pattern[str]) -> Iterator[str]:
    """What is there instead of a file of a name that is `wanted`, such as an archive of it."""
    delivered = {file.name.lower() for file in files}
    for file in files:
        for pattern, description in BESIDE:
            match = pattern.fullmatch(file.name)
            names = [name for name in _names_beside(file, match) if wanted.fullmatch(name)] if match else []
            if names and not any(name.lower() in delivered for name in names):
                yield f"there is {file.name}, {description}"


def _names_beside(file: Path, match: re.Match[str]) -> Iterator[str]:
    """The names that a delivery beside this file, or in it, may have."""
    stem = next(filter(None, match.groups()), "")
    yield from (stem + suffix for suffix in SUFFIXES)
    if file.suffix.lower() == ".zip":
        yield from (name.rpartition("/")[2] for name in _names(file))


def require_text(file: Path, name: str) -> None:
    """Raise ChuError when a file that should be text with rows is of another kind that is known."""
    start = _start(file)
    if start.startswith(WIDE_MARKS) or _is_wide(start):
        raise ChuError(f"{name} is written in UTF-16: ask for it in UTF-8")
    if start.startswith(ZIP) and _is_workbook(file):
        raise ChuError(f"{name} is a workbook, not a text file: deliver it as .xlsx, or save it as CSV")
    refuse_other_kind(file, name)


def refuse_doubled(file: Path, name: str, header: int) -> None:
    """Raise ChuError when a text file has all of its content twice, one after the other. `header`: size of the header.

    The header may be doubled or not. Without it, a few equal rows are no evidence.
    """
    with file.open("rb") as stream:
        if _is_doubled(stream, 0, header) or (header and _is_doubled(stream, header, header)):
            raise ChuError(
                f"{name} has its content twice, one after the other: ask for it again, or deliver its first half"
            )


def _is_doubled(stream: BinaryIO, start: int, header: int) -> bool:
    """Whether the second half of what follows `start` is the first. The line ending of the last line may be missing."""
    half, is_odd = divmod(stream.seek(0, os.SEEK_END) - start, 2)
    second = start + half + is_odd
    if not half or (is_odd and _read(stream, second - 1, 1) != b"\n"):
        return False
    for at in range(0, half, PIECE):
        size = min(PIECE, half - at)
        if _read(stream, start + at, size) != _read(stream, second + at, size):
            return False
    stream.seek(start)
    lines = list(islice(stream, DOUBLED_LINES))
    return start < header or (len(lines) == DOUBLED_LINES and len(set(lines)) > 1)


def _read(stream: BinaryIO, position: int, size: int) -> bytes:
    stream.seek(position)
    return stream.read(size)


def require_workbook(file: Path, name: str) -> None:
    """Raise ChuError when a file that should be an XLSX workbook is something else."""
    if _start(file).startswith(ZIP) and _is_workbook(file):
        if _has_password(file):
            raise ChuError(f"{name} is protected by a password: save it without a password, and deliver it again")
        return
    refuse_other_kind(file, name)
    first_line = _start(file).split(b"\n", 1)[0]
    if b"\x00" not in first_line and re.search(rb"[^;,\t]+[;,\t][^;,\t]", first_line):
        raise ChuError(f"{name} is a CSV file, not an XLSX workbook: deliver it with the name ending .csv")
    raise ChuError(f"{name} is not an XLSX workbook, or it is incomplete: ask for it again, or deliver it as .csv")


def refuse_other_kind(file: Path, name: str) -> None:
    """Raise ChuError when a file is of a kind that is known, and that no table is read from."""
    start = _start(file)
    if start.startswith(OLE):
        raise ChuError(f"{name} {_old_workbook(file)}")
    if start.startswith(ZIP):
        raise ChuError(f"{name} {_archive(file)}")
    for mark, program in COMPRESSED.items():
        if start.startswith(mark):
            raise ChuError(f"{name} is a compressed file ({program}): unpack it, and deliver the file in it")
    if start[TAR] == b"ustar":
        raise ChuError(f"{name} is a tar archive: unpack it, and deliver the files in it")
    text = start.removeprefix(BYTE_ORDER_MARK)
    for pattern, description in OTHER_TEXTS:
        if pattern.match(text):
            raise ChuError(f"{name} {description}")


def _start(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(START)


def _is_workbook(file: Path) -> bool:
    return any(name.lower() == "xl/workbook.xml" for name in _names(file))


def _names(file: Path) -> list[str]:
    """The names in a zip archive; none when it is damaged."""
    try:
        with zipfile.ZipFile(file) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return []


def _archive(file: Path) -> str:
    """What a zip archive is, and what to do."""
    names = _names(file)
    if not names:
        return "is a workbook or a zip archive, and incomplete: ask for it again"
    if "xl/workbook.bin" in names:
        return "is a binary workbook (.xlsb): save it as .xlsx"
    if "content.xml" in names and "mimetype" in names:
        return "is an OpenDocument spreadsheet: save it as .xlsx or as CSV"
    password = " with a password" if _has_password(file) else ""
    return f"is a zip archive{password} of {len(names)} files: unpack it, and deliver the files in it"


def _has_password(file: Path) -> bool:
    """Whether files in a zip archive are encrypted."""
    with zipfile.ZipFile(file) as archive:
        return any(part.flag_bits & 1 for part in archive.infolist())


def _is_wide(start: bytes) -> bool:
    """Whether a file that starts like this is written in UTF-16, without the mark that tells it."""
    first, second = start[:WIDE_START:2], start[1:WIDE_START:2]
    return any(
        len(zeros) > 1 and 0 not in letters and zeros.count(0) > len(zeros) // 2
        for zeros, letters in ((first, second), (second, first))
    )


def _old_workbook(file: Path) -> str:
    """What a compound file of Office is, and what to do."""
    with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        # The name of the stream that has the encrypted workbook.
        if content.find("EncryptedPackage".encode("utf-16-le")) >= 0:
            return "is protected by a password: save it without a password, and deliver it again"
    return "is a workbook of the old format .xls: save it as .xlsx or as CSV"
