"""What is known about the files of a server: when each was last seen to change, and which content was copied.

It is in one JSON file for each place. Files of a server are complete by the rule for local files (decision 0029), by
the clock of this machine.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ValidationError

from chu_platform.errors import ChuError, reason_of
from chu_platform.ingest.markers import DONE
from chu_platform.landing.places import ServerPlace
from chu_platform.landing.remote import Listing, RemoteFile
from chu_platform.storage.durable import write_whole

# A file that grows after a longer pause than this is a new upload.
MAX_PAUSE_SECONDS: Final = 3600.0
ONLY_THIS_USER: Final = 0o700


class Copied(BaseModel):
    """The content that was copied: size and time as the server listed them, and the time of the copy in nanoseconds."""

    size: int
    modified: float
    copy_modified_ns: int


class KnownFile(BaseModel):
    """A file of a server at the last listing.

    `seen_at` is when this state was first seen, `longest_pause` the longest time until the file grew, in seconds.
    `gone_at` is when a file was missing for the first time whose copy is kept (UTC, ISO 8601).
    """

    size: int
    modified: float
    seen_at: float
    longest_pause: float = 0.0
    copied: Copied | None = None
    gone_at: str | None = None


class KnownFiles(BaseModel):
    """The files of one place, by path below its root.

    `server` and `root` are as declared, `folder` is the absolute path of the root on the server. The disappearance of
    the files in `reported_gone` was reported.
    """

    server: str
    root: str
    folder: str = ""
    files: dict[str, KnownFile] = {}
    reported_gone: list[str] = []

    @staticmethod
    def stored(folder: Path) -> "Mapping[str, KnownFiles]":
        """The stored states of all places, by name. Damaged ones are left out."""
        found = {}
        for file in sorted(folder.glob("known/*.json")):
            with suppress(OSError, ValidationError):
                found[file.stem] = KnownFiles.model_validate_json(file.read_bytes())
        return found

    @staticmethod
    def load(folder: Path, place: ServerPlace) -> "KnownFiles":
        """The stored state of a place; without it, or if it is damaged, nothing is known.

        Copies from another server or root are kept, but not taken for copies of the present one.
        """
        try:
            known = KnownFiles.model_validate_json(_state_file(folder, place.name).read_bytes())
        except (OSError, ValidationError):
            return KnownFiles(server=place.server, root=place.root)
        if (known.server, known.root) != (place.server, place.root):
            for file in known.files.values():
                file.size = -1
                if file.copied:
                    file.copied.size = -1
            return KnownFiles(server=place.server, root=place.root, folder=known.folder, files=known.files)
        return known

    def store(self, folder: Path, place: ServerPlace) -> None:
        """Store the state. Raises ChuError if it cannot be written."""
        try:
            write_whole(_state_file(folder, place.name), self.model_dump_json(), ONLY_THIS_USER)
        except OSError as error:
            raise ChuError(f"the folder {folder} cannot be written: {reason_of(error)}") from None

    def observe(self, listing: Listing, copies: Path, now: float, moment: str) -> None:
        """Take note of a listing at the time `now`, in seconds since 1970, and as UTC in ISO 8601.

        `copies` is the folder of the copies. A file that is not listed any more stays known as long as its copy exists.
        """
        for path, file in listing.files.items():
            old = self.files.get(path)
            if old is None:
                self.files[path] = KnownFile(size=file.size, modified=file.modified, seen_at=now)
                continue
            old.gone_at = None
            if (old.size, old.modified) != (file.size, file.modified):
                pause = now - old.seen_at
                grew = 0 <= old.size < file.size and pause <= MAX_PAUSE_SECONDS
                old.longest_pause = max(old.longest_pause, pause) if grew else 0.0
                old.size, old.modified, old.seen_at = file.size, file.modified, now
        for path in [p for p in self.files if p not in listing.files and not listing.is_hidden(p)]:
            known = self.files[path]
            if known.copied and (copies / path).is_file():
                known.gone_at = known.gone_at or moment
            else:
                del self.files[path]

    def is_complete(self, file: RemoteFile, listing: Listing, now: float, quiet_seconds: float) -> bool:
        """Whether the upload of a file has ended, by the listings until now."""
        done = listing.files.get(file.path + DONE)
        if done and done.modified >= file.modified:
            return True
        known = self.files[file.path]
        return now - known.seen_at > max(quiet_seconds, known.longest_pause)

    def is_copied(self, file: RemoteFile, copy: Path) -> bool:
        """Whether the copy is there, untouched, and has the content that is listed now."""
        copied = self.files[file.path].copied
        if copied is None or (copied.size, copied.modified) != (file.size, file.modified):
            return False
        try:
            status = copy.stat()
        except OSError:
            return False
        return (status.st_size, status.st_mtime_ns) == (copied.size, copied.copy_modified_ns)

    def remember_copy(self, file: RemoteFile, status: os.stat_result) -> None:
        """Take note that a file was copied."""
        copied = Copied(size=file.size, modified=file.modified, copy_modified_ns=status.st_mtime_ns)
        self.files[file.path].copied = copied


def _state_file(folder: Path, place: str) -> Path:
    return folder / "known" / f"{place}.json"
