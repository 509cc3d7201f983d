"""Pseudonyms: keyed hashes of identifiers.

HMAC-SHA256 (RFC 2104, FIPS 180-4) with a key that lies outside lake and repository. Whoever has the key can link a
pseudonym to an identifier, so the key never enters a query, a log, a commit or the Dagster UI.

Here: the key and the hash. Not here: the tables that map identifiers to pseudonyms (pseudonyms).
"""

import hmac
import os
import secrets
from collections.abc import Sequence
from pathlib import Path

from chu_platform.errors import ChuError
from chu_platform.tables.rows import ExternalSource

KEY_FILE = "pseudonymisation.key"
KEY_BYTES = 32
# What the lineage of a pseudonym ends in, beside the identifier.
SECRET_KEY = ExternalSource("clé secrète, hors du lac")


def pseudonymisation_key(folder: Path) -> bytes:
    """The key of the folder, made at the first use. Raises ChuError when it cannot be read, made, or is damaged."""
    path = folder / KEY_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        if not path.exists():
            _write_new(path, secrets.token_bytes(KEY_BYTES).hex())
        key = bytes.fromhex(path.read_text())
    except OSError as error:
        raise ChuError(f"the pseudonymisation key in {folder} cannot be read or made: {error.strerror}") from None
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ChuError(f"{path} is not a key of {KEY_BYTES} bytes in hexadecimal: put the right one back")
    return key


def _write_new(path: Path, text: str) -> None:
    """Write a file that only we can read, whole or not at all; another process's file stays."""
    fresh = path.with_suffix(f".{os.getpid()}")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    try:
        os.link(fresh, path)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()


def pseudonyms(key: bytes, kind: str, identifiers: Sequence[object]) -> list[str]:
    """Pseudonyms of identifiers of one kind (`patient`, ...): 32 hexadecimal characters each (128 bits).

    The kind enters the hash, so that the same number as a patient's and as a professional's gives two pseudonyms.
    """
    prefix = f"{kind}:".encode()
    return [hmac.digest(key, prefix + str(i).encode(), "sha256").hex()[:32] for i in identifiers]
