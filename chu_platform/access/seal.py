"""The seal of the access journal: how far it reaches, and where it was cut; authenticated with the key of the journal.

The seal lies in a folder of its own (`CHU_SECRETS/seals`), which can be mounted apart. Without it, an end of the
journal could be cut off unnoticed.
"""

import hmac
import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from chu_platform.access.entries import BEGINNING
from chu_platform.errors import ChuError, reason_of
from chu_platform.storage.durable import flush, write_bytes_whole

ONLY_THIS_USER: Final = 0o600
KEY_BYTES: Final = 32
# Length of the file. A disk writes a sector, which is not smaller, whole or not at all.
SECTOR_BYTES: Final = 512


class JournalError(ChuError):
    """The access journal cannot be read or written. Whoever asks for figures then gets none."""


@dataclass(frozen=True)
class Seal:
    """Number and hash of the last entry, and of the last one that was purged (0 without a purge)."""

    last: int = 0
    last_hash: str = BEGINNING
    cut: int = 0
    cut_hash: str = BEGINNING


def read_seal(file: Path, key: bytes) -> Seal | None:
    """The seal in a file; None if there is no file. Raises JournalError if it was not written with this key."""
    try:
        found = json.loads(file.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        why = reason_of(error) if isinstance(error, OSError) else "it is damaged: restore it from the backup"
        raise JournalError(f"the seal of the access journal {file} cannot be read: {why}") from None
    try:
        seal = Seal(**{name: found[name] for name in asdict(Seal())})
        authentic = hmac.compare_digest(found["hmac"], _hmac(key, seal))
    except (KeyError, TypeError):
        authentic = False
    if not authentic:
        raise JournalError(f"the seal of the access journal {file} was changed: run `chu journal verify`")
    return seal


def write_seal(file: Path, key: bytes, seal: Seal) -> None:
    """Replace the seal, whole or not at all, and wait until it is on the disk. Raises OSError.

    It is written in its place: a new file costs two more writes to the disk (its own metadata, and the folder).
    """
    text = json.dumps({**asdict(seal), "hmac": _hmac(key, seal)})
    data = text.encode().ljust(SECTOR_BYTES - 1) + b"\n"
    if not file.is_file() or file.stat().st_size != len(data):
        write_bytes_whole(file, data, ONLY_THIS_USER)
        return
    descriptor = os.open(file, os.O_WRONLY)
    try:
        os.pwrite(descriptor, data, 0)
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


def read_key(file: Path) -> bytes | None:
    """The key of the journal; None if there is no file. Raises JournalError if it cannot be read or is damaged."""
    try:
        key = bytes.fromhex(file.read_text(encoding="ascii"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise JournalError(f"the key of the access journal {file} cannot be read: {reason_of(error)}") from None
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise JournalError(f"{file} is not a key of {KEY_BYTES} bytes in hexadecimal: restore it from the backup")
    return key


def create_key(file: Path) -> bytes:
    """A new key in a file that must not exist. Raises OSError."""
    key = secrets.token_bytes(KEY_BYTES)
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, ONLY_THIS_USER), "w", encoding="ascii") as stream:
        stream.write(key.hex())
        stream.flush()
        os.fsync(stream.fileno())
    flush(file.parent, [file.name])
    return key


def _hmac(key: bytes, seal: Seal) -> str:
    return hmac.digest(key, b"seal:" + json.dumps(asdict(seal), sort_keys=True).encode(), "sha256").hex()
