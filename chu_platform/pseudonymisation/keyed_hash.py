"""Pseudonyms and surrogates: keyed hashes of identifiers and of numbers; and the file of the key.

HMAC-SHA256 (RFC 2104, FIPS 180-4) with a key that is stored outside the lake and the repository. The key makes it
possible to link a pseudonym to an identifier, so it never appears in a query, a log, a commit or the Dagster UI.
"""

import hmac
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from uuid import uuid4

import pyarrow as pa

from chu_platform.errors import ChuError, reason_of
from chu_platform.storage.durable import flush
from chu_platform.tables.rows import ExternalSource

KEY_FILE: Final = "pseudonymisation.key"
KEY_BYTES: Final = 32
# Numbers that are hashed at a time, so that the Python objects need little memory.
BATCH: Final = 100_000
# Text whose keyed hash is the fingerprint. No pseudonym is the hash of it, because no kind has this name.
FINGERPRINT_LABEL: Final = b"fingerprint of the key:1"
# Source of a pseudonym in the lineage, in addition to the identifier.
SECRET_KEY: Final = ExternalSource("clé secrète, hors du lac")


def read_key(folder: Path) -> bytes | None:
    """The key of the folder; None if there is no file. Raises ChuError if it is damaged or cannot be read."""
    path = folder / KEY_FILE
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ChuError(f"the pseudonymisation key {path} cannot be read: {reason_of(error)}") from None
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ChuError(f"{path} is not a key of {KEY_BYTES} bytes in hexadecimal: restore the right key file")
    return key


def create_key(folder: Path) -> bytes:
    """The key of the folder. Without a file, a new key is written to the disk first, whole or not at all.

    Raises ChuError if it is damaged, or cannot be read or created.
    """
    path = folder / KEY_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        if not path.exists():
            _write_new(path, secrets.token_bytes(KEY_BYTES).hex())
    except OSError as error:
        raise ChuError(f"the pseudonymisation key in {folder} cannot be created: {reason_of(error)}") from None
    key = read_key(folder)
    if key is None:
        raise ChuError(f"the pseudonymisation key {path} was deleted while it was created: run again")
    return key


def _write_new(path: Path, text: str) -> None:
    """Create a file atomically, readable by this user only. A file that another process has created stays as it is."""
    temporary = path.with_suffix(f".{uuid4().hex}")
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
    flush(path.parent.parent, [f"{path.parent.name}/{path.name}"])


def fingerprint_of(key: bytes) -> str:
    """A text that is the same for the same key, and from which the key cannot be computed."""
    return hmac.digest(key, FINGERPRINT_LABEL, "sha256").hex()


def pseudonyms(key: bytes, kind: str, identifiers: Sequence[object]) -> list[str]:
    """Pseudonyms of identifiers of one kind (`patient`, ...): 32 hexadecimal characters each (128 bits).

    The kind is part of the hashed text: a patient and a professional with the same number get different pseudonyms.
    """
    # The copies share the hash of the key and of the kind.
    begun = hmac.new(key, f"{kind}:".encode(), "sha256")
    found = []
    for identifier in identifiers:
        hashed = begun.copy()
        hashed.update(str(identifier).encode())
        found.append(hashed.hexdigest()[:32])
    return found


def surrogates(key: bytes, kind: str, numbers: pa.ChunkedArray) -> pa.ChunkedArray:
    """The surrogates of the numbers that a source gives to things of one kind (`stay`, ...): hashes as of `pseudonyms`."""
    batches = (numbers.slice(start, BATCH).to_pylist() for start in range(0, len(numbers), BATCH))
    return pa.chunked_array([pa.array(pseudonyms(key, kind, batch), pa.string()) for batch in batches], pa.string())
