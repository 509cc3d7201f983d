"""Where a lake lies: a folder, or a prefix of an object store. The lake opens, locks and reads its files through this.

A place in a folder is a `pathlib.Path`, a place in a store a `StorePath`, which has the methods of a path that the lake
needs. What differs between the two is in this module and in `store_path`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from os import R_OK, X_OK, access
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from deltalake import DeltaTable

from chu_platform.errors import ChuError
from chu_platform.settings import Settings
from chu_platform.storage.durable import write_bytes_whole, write_whole
from chu_platform.storage.file_lock import file_lock
from chu_platform.storage.store_path import StorePath, StoreUnavailable, store_error

LakePath: TypeAlias = Path | StorePath


def lake_root(settings: Settings) -> LakePath:
    """The root of the lake of the settings.

    Raises ChuError if a file of store options cannot be read, or if the lake is in a kind of store that is not S3.
    """
    if settings.lake_url is None:
        if "://" in str(settings.lake):
            raise ChuError("CHU_LAKE must be a folder or s3://bucket/prefix: other stores are not supported")
        return settings.lake_folder
    from chu_platform.storage.object_store import ObjectStore  # loads the client

    return StorePath(ObjectStore(settings.lake_url, settings.store_options, settings.copies_folder))


def delta_table(path: LakePath, version: int | None = None) -> DeltaTable:
    """The Delta table at a place, at a version (default: current version)."""
    options = path.options if isinstance(path, StorePath) else None
    with store_errors(path):
        return DeltaTable(str(path), version=version, storage_options=options)


@contextmanager
def store_errors(place: LakePath) -> Iterator[None]:
    """Raise StoreUnavailable for an error of delta-rs with an object store: its message may contain account names."""
    try:
        yield
    except OSError as error:
        # An error of the operating system, unlike one of a store, has a number.
        if not isinstance(place, StorePath) or error.errno is not None:
            raise
        if isinstance(error, FileNotFoundError):
            reason = "an object that it names does not exist: run `chu verify`"
            raise StoreUnavailable(place.root.url, reason) from None
        raise store_error(place.root.url, str(error)) from None


def local_files(files: Sequence[LakePath]) -> Sequence[Path]:
    """Files that DuckDB can read: those of a folder themselves, copies of those of a store."""
    return [file.fetched() if isinstance(file, StorePath) else file for file in files]


def write_text(file: LakePath, text: str, folder_mode: int = 0o777) -> None:
    """Write a text file, whole or not at all. A new folder is created with `folder_mode`, less the umask."""
    if isinstance(file, StorePath):
        file.write_bytes(text.encode())
    else:
        write_whole(file, text, folder_mode)


def write_data(file: LakePath, data: bytes) -> None:
    """Write a file, whole or not at all."""
    if isinstance(file, StorePath):
        file.write_bytes(data)
    else:
        write_bytes_whole(file, data)


def every_name(folder: LakePath) -> Sequence[str]:
    """Paths, relative to `folder`, of all files below it."""
    if isinstance(folder, StorePath):
        return folder.names()
    return [file.relative_to(folder).as_posix() for file in folder.rglob("*") if not file.is_dir()]


def rename(place: LakePath, name: str) -> None:
    """Rename a file or a folder within its folder."""
    if isinstance(place, StorePath):
        place.rename(place.with_name(name))
    else:
        place.rename(place.with_name(name))


def has_files(folder: LakePath, pattern: str) -> bool:
    """Whether there is something below `folder` whose relative path, or the start of it, matches."""
    if isinstance(folder, StorePath):
        return any(
            PurePosixPath(*PurePosixPath(n).parts[: pattern.count("/") + 1]).match(pattern) for n in folder.names()
        )
    return next(folder.glob(pattern), None) is not None


def files_below(folder: LakePath) -> Sequence[str]:
    """The files below a folder, by relative name, sorted."""
    if isinstance(folder, StorePath):
        return folder.names()
    return sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())


def sizes_of(folder: LakePath, names: Sequence[str]) -> Sequence[int | None]:
    """Sizes of files below `folder`, by relative name; None for a file that does not exist."""
    if isinstance(folder, StorePath):
        there = folder.sizes()
        return [there.get(name) for name in names]
    return [_size(folder / name) for name in names]


def _size(file: Path) -> int | None:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return None


def may_read(folder: LakePath) -> bool:
    """Whether the user may list and read what is below `folder`."""
    return folder.is_readable() if isinstance(folder, StorePath) else access(folder, R_OK | X_OK)


def log_stamp(log: LakePath) -> int:
    """A number that changes with each commit in the folder of a Delta log; 0 if there is none."""
    if isinstance(log, StorePath):
        return len(log.names())
    return log.stat().st_mtime_ns if log.is_dir() else 0


@contextmanager
def lock(place: LakePath, wait_seconds: float) -> Iterator[None]:
    """Hold the lock of this name: of a file, or of a lease object. Raises Locked if it is held for `wait_seconds`."""
    with place.lease(wait_seconds) if isinstance(place, StorePath) else file_lock(place, wait_seconds):
        yield
