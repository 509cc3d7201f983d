"""The opposition list: of whom no row is kept, whatever is delivered. It holds keyed hashes only.

Requests are appended to the file `oppositions.jsonl` in the folder of the secrets; the key of the hashes is beside the
key of the pseudonyms, and does not change when that one does. Each line has one text of a person as a hash (HMAC-SHA256
of kind and text). Nothing tells from the list who is on it; whether somebody is can be asked.
"""

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from chu_platform.errors import ChuError, reason_of
from chu_platform.ingest.persons import Kind

FILE: Final = "oppositions.jsonl"
KEY_FILE: Final = Path("keys", "opposition.key")
KEY_BYTES: Final = 32
ONLY_THIS_USER: Final = 0o600


@dataclass(frozen=True)
class Opposition:
    """A text of a person on the list: its request, its kind and its hash; when (UTC, ISO 8601) it was added."""

    request: str
    kind: str
    hash: str
    requested_at: str


class Oppositions:
    """The opposition list of a folder of secrets, as it is now. It does not exist before the first request."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def file(self) -> Path:
        """The file of the list."""
        return self._folder / FILE

    @cached_property
    def entries(self) -> Sequence[Opposition]:
        """The entries, oldest first. Raises ChuError if the file is damaged or cannot be read.

        A last line without its end was not written whole, by a process that was killed: it counts for nothing.
        """
        try:
            lines = self.file.read_bytes().split(b"\n")[:-1]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ChuError(f"the opposition list {self.file} cannot be read: {reason_of(error)}") from None
        found = []
        for number, line in enumerate(lines, 1):
            try:
                found.append(Opposition(**json.loads(line)))
            except (ValueError, TypeError):
                raise ChuError(f"{self.file} line {number} is damaged: restore the file from its backup") from None
        return found

    @cached_property
    def _by_kind(self) -> Mapping[str, Set[str]]:
        by_kind: dict[str, set[str]] = {}
        for entry in self.entries:
            by_kind.setdefault(entry.kind, set()).add(entry.hash)
        return by_kind

    def has(self, kind: Kind) -> bool:
        """Whether the list has texts of this kind."""
        return kind in self._by_kind

    @property
    def digest(self) -> str:
        """A text that is the same for the same list; empty for one without entries."""
        listed = sorted(f"{kind}:{hashed}" for kind, hashes in self._by_kind.items() for hashed in hashes)
        return hashlib.sha256("\n".join(listed).encode()).hexdigest()[:32] if listed else ""

    def listed(self, kind: Kind, texts: Iterable[str]) -> list[str]:
        """Those of the texts of this kind that are on the list."""
        hashes = self._by_kind.get(kind)
        if not hashes:
            return []
        key = self._key()
        return [text for text in texts if _hash(key, kind, text) in hashes]

    def add(self, request: str, texts: Iterable[tuple[Kind, str]], at: str) -> "Oppositions":
        """Add the texts of a person, unless they are on the list, all or none; returns the new list.

        Raises ChuError if the list or its key cannot be written or read.
        """
        try:
            if not self.entries:
                self._create_key()
            key = self._key()
            hashes = dict.fromkeys((kind, _hash(key, kind, text)) for kind, text in texts)
            new = [(kind, hashed) for kind, hashed in hashes if hashed not in self._by_kind.get(kind, ())]
            lines = "".join(json.dumps(asdict(Opposition(request, kind, hashed, at))) + "\n" for kind, hashed in new)
            if lines:
                self._append(lines.encode())
        except OSError as error:
            raise ChuError(f"the opposition list {self.file} cannot be written: {reason_of(error)}") from None
        return Oppositions(self._folder)

    def _append(self, lines: bytes) -> None:
        """Write lines at the end, in place of one that was not written whole."""
        descriptor = os.open(self.file, os.O_RDWR | os.O_CREAT, ONLY_THIS_USER)
        with open(descriptor, "r+b") as stream:
            end = stream.read().rfind(b"\n") + 1
            stream.seek(end)
            stream.truncate()
            stream.write(lines)
            stream.flush()
            os.fsync(stream.fileno())
        _flush_folder(self._folder)

    def _create_key(self) -> None:
        """Create the key of the hashes, whole or not at all, unless it is there."""
        file = self._folder / KEY_FILE
        if file.exists():
            return
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = file.with_suffix(f".{os.getpid()}")
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, ONLY_THIS_USER), "wb") as stream:
            stream.write(secrets.token_hex(KEY_BYTES).encode())
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(file)
        _flush_folder(file.parent)

    def _key(self) -> bytes:
        """The key of the hashes. Raises ChuError if it is missing or damaged."""
        file = self._folder / KEY_FILE
        try:
            key = bytes.fromhex(file.read_text(encoding="ascii"))
        except FileNotFoundError:
            raise ChuError(
                f"the key {file} of the opposition list does not exist: restore it from its backup; without it nobody "
                "can tell who is on the list"
            ) from None
        except (OSError, ValueError):
            key = b""
        if len(key) != KEY_BYTES:
            raise ChuError(f"{file} is not the key of the opposition list: restore it from its backup")
        return key


def _hash(key: bytes, kind: str, text: str) -> str:
    return hmac.digest(key, f"{kind}:{text}".encode(), "sha256").hex()


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
