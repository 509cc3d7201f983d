"""What the landing step needs from a server: list the files, read one from an offset, its size, time and checksum."""

import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from chu_platform.ingest.files import NEVER_DELIVERED

# A server that does not answer for so long counts as dead.
TIMEOUT_SECONDS: Final = 20.0
# The name of one file or folder. A server must not lead out of its folder by other names.
SAFE_NAME: Final = re.compile(r"(?!\.\.?$)[^/\x00-\x1f]+")


@dataclass(frozen=True)
class RemoteFile:
    """A file in a listing: its path below the root, its size, and when it was modified, in seconds since 1970.

    `raw` is the path as the server spells it.
    """

    path: str
    raw: bytes
    size: int
    modified: float


class Status(NamedTuple):
    """Size of a file, and when it was modified, in seconds since 1970; None if the server does not say."""

    size: int
    modified: float | None


@dataclass(frozen=True)
class Listing:
    """All files below the root, by path; and what cannot be read, with the reason."""

    files: Mapping[str, RemoteFile]
    unreadable: Mapping[str, str]

    def is_hidden(self, path: str) -> bool:
        """Whether the path, or a folder above it, cannot be read."""
        parts = path.split("/")
        return any("/".join(parts[:n]) in self.unreadable for n in range(1, len(parts) + 1))


class Checksum(NamedTuple):
    """A checksum: the name of the algorithm in `hashlib`, and the value in hexadecimal."""

    algorithm: str
    value: str


class Session(Protocol):
    """A connection to a server. It only reads.

    Its methods raise TransientError if the connection is lost, and ChuError if the server refuses something.
    """

    @property
    def root(self) -> str:
        """The folder of the deliveries: an absolute path on the server."""
        ...

    def list(self, seconds: float | None = None) -> Listing:
        """The files below the root. Raises TransientError if it takes longer than `seconds`."""
        ...

    def status(self, file: RemoteFile) -> Status:
        """Current size and time of a file."""
        ...

    def read(self, file: RemoteFile, offset: int) -> Iterator[bytes]:
        """The bytes of a file from an offset."""
        ...

    def checksum(self, file: RemoteFile) -> Checksum | None:
        """A checksum that the server has computed; None if it does not offer one."""
        ...


# Opening connects and logs in.
OpenSession = AbstractContextManager[Session]


def text_of(raw: bytes) -> str:
    """The name of a file as text. Old servers do not use UTF-8."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace")


def is_searched(name: str) -> bool:
    """Whether a folder with this name may hold deliveries."""
    return not NEVER_DELIVERED.fullmatch(name)
