"""Places in a lake that lies in an object store, with the methods of paths. This module does not load the client."""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final, Self

from chu_platform.errors import ChuError, TransientError

if TYPE_CHECKING:
    from chu_platform.storage.object_store import ObjectStore

# Parts of the messages of stores and of their clients, which are never shown.
NO_BUCKET: Final = re.compile("NoSuchBucket")
REFUSED: Final = re.compile(
    r"necessary privileges|valid authentication credentials|\b40[13]\b|Forbidden|AccessDenied|AccessForbidden"
    "|InvalidAccessKeyId|SignatureDoesNotMatch"
)


class StoreUnavailable(ChuError):
    """The object store of the lake cannot be used."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(
            f"the lake {url} cannot be used: {reason}; check CHU_LAKE, the AWS_* variables and the files of "
            "CHU_LAKE_OPTIONS_RESTRICTED, _PSEUDONYMISED and _PUBLISHED"
        )


class StoreSilent(StoreUnavailable, TransientError):
    """The object store of the lake does not answer, or answers with an error that may pass."""


def store_error(url: str, message: str) -> StoreUnavailable:
    """The error to raise for a message of the store of a lake. It says what kind of error it is, without the message.

    The message may contain addresses and account names.
    """
    if NO_BUCKET.search(message):
        return StoreUnavailable(url, "the bucket does not exist")
    if REFUSED.search(message):
        return StoreUnavailable(url, "the credentials are refused")
    return StoreSilent(url, "the store does not answer, or answers with an error")


@dataclass(frozen=True)
class Status:
    """Size and time of an object, named as those of a file."""

    st_size: int
    st_mtime: float


@dataclass(frozen=True)
class StorePath:
    """A place in an object store, with the methods of `pathlib.Path` that the lake uses.

    A folder exists if there is an object below it. The first part of `path` is a zone.
    """

    root: "ObjectStore"
    path: PurePosixPath = field(default_factory=PurePosixPath)

    def __truediv__(self, name: str | PurePosixPath) -> Self:
        return type(self)(self.root, self.path / name)

    def __str__(self) -> str:
        return f"{self.root.url}/{self.path}" if self.path.parts else self.root.url

    @property
    def name(self) -> str:
        """Last part of the path."""
        return self.path.name

    @property
    def stem(self) -> str:
        """Last part of the path without its ending."""
        return self.path.stem

    @property
    def parent(self) -> Self:
        """The folder of this place."""
        return type(self)(self.root, self.path.parent)

    @property
    def options(self) -> dict[str, str]:
        """Options of the zone, for delta-rs."""
        return self.root.options(self._zone)

    @property
    def _zone(self) -> str:
        return self.path.parts[0] if self.path.parts else ""

    @property
    def _key(self) -> str:
        return str(self.path) if self.path.parts else ""

    def resolve(self) -> Self:
        """This place: there are no links in a store."""
        return self

    def with_name(self, name: str) -> Self:
        """The place with another last part."""
        return type(self)(self.root, self.path.with_name(name))

    def names(self) -> list[str]:
        """Paths, relative to this place, of all objects below it, sorted."""
        return sorted(self.sizes())

    def sizes(self) -> dict[str, int]:
        """Sizes of all objects below this place, by their paths relative to it."""
        found = self.root.below(self._zone, self._key)
        return {PurePosixPath(key).relative_to(self.path).as_posix(): size for key, size in found.items()}

    def iterdir(self) -> Iterator[Self]:
        """The objects and folders directly in this folder."""
        objects, folders = self.root.children(self._zone, self._key)
        return iter([self / PurePosixPath(key).name for key in sorted([*objects, *folders])])

    def glob(self, pattern: str) -> Iterator[Self]:
        """The objects and folders directly in this folder whose name matches."""
        return (found for found in self.iterdir() if PurePosixPath(found.name).match(pattern))

    def is_dir(self) -> bool:
        """Whether there is an object below this place."""
        objects, folders = self.root.children(self._zone, self._key)
        return bool(objects or folders)

    def is_file(self) -> bool:
        """Whether there is an object here."""
        try:
            self.stat()
        except FileNotFoundError:
            return False
        return True

    def is_readable(self) -> bool:
        """Whether the objects below this place can be listed."""
        try:
            self.is_dir()
        except StoreUnavailable:
            return False
        return True

    def stat(self) -> Status:
        """Size and time of the object. Raises FileNotFoundError if there is none."""
        return Status(*self.root.size_and_time(self._zone, self._key))

    def chunks(self) -> Iterator[bytes]:
        """The object, in parts. Raises FileNotFoundError if there is none."""
        return self.root.chunks(self._zone, self._key)

    def read_bytes(self) -> bytes:
        """The object. Raises FileNotFoundError if there is none."""
        return b"".join(self.chunks())

    def read_text(self, encoding: str = "utf-8") -> str:
        """The object as text. Raises FileNotFoundError if there is none."""
        return self.read_bytes().decode(encoding)

    def write_bytes(self, data: bytes) -> None:
        """Write the object, whole or not at all."""
        self.root.put(self._zone, self._key, data)

    def upload(self, file: Path) -> None:
        """Write the object from a local file, whole or not at all."""
        self.root.put(self._zone, self._key, file)

    def download(self, file: Path) -> None:
        """Copy the object to a local file."""
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as stream:
            stream.writelines(self.chunks())

    def fetched(self) -> Path:
        """A local copy of a data file. Data files never change, so a copy is made once."""
        copy = self.root.work / self.path
        if not copy.is_file():
            part = copy.with_name(f"{copy.name}.part")
            self.download(part)
            part.replace(copy)
        return copy

    def unlink(self, missing_ok: bool = False) -> None:
        """Delete the object. Raises FileNotFoundError if there is none, unless `missing_ok`."""
        if not missing_ok:
            self.stat()
        self.root.delete(self._zone, self._key)

    def rename(self, other: Self) -> None:
        """Move this object, or all objects below this place, one after the other."""
        for name in self.names() or [""]:
            source, target = (self / name, other / name) if name else (self, other)
            self.root.copy(self._zone, source._key, target._key)
            source.unlink(missing_ok=True)

    def lease(self, wait_seconds: float) -> AbstractContextManager[None]:
        """Hold the lease of this object. Raises Locked if another process holds it for `wait_seconds`."""
        return self.root.lease(self._zone, self._key, wait_seconds)

    def require_lease(self) -> None:
        """Raise LeaseLost unless this process still holds the lease of this object."""
        self.root.require_lease(self._key)
