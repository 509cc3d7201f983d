"""Pseudonyms: keyed hashes of identifiers.

HMAC-SHA256 (RFC 2104, FIPS 180-4) with a key that is stored outside the lake and the repository. The key makes it
possible to link a pseudonym to an identifier, so it never appears in a query, a log, a commit or the Dagster UI.
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
# Source of a pseudonym in the lineage, in addition to the identifier.
SECRET_KEY = ExternalSource("clé secrète, hors du lac")


def pseudonymisation_key(folder: Path) -> bytes:
    """The key of the folder, created at the first use. Raises ChuError when it is damaged or cannot be read or created."""
    path = folder / KEY_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        if not path.exists():
            _write_new(path, secrets.token_bytes(KEY_BYTES).hex())
        key = bytes.fromhex(path.read_text())
    except OSError as error:
        raise ChuError(f"the pseudonymisation key in {folder} cannot be read or created: {error.strerror}") from None
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ChuError(f"{path} is not a key of {KEY_BYTES} bytes in hexadecimal: restore the right key file")
    return key


def _write_new(path: Path, text: str) -> None:
    """Create a file atomically, readable by this user only. A file that another process has created stays as it is."""
    temporary = path.with_suffix(f".{os.getpid()}")
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()


def pseudonyms(key: bytes, kind: str, identifiers: Sequence[object]) -> list[str]:
    """Pseudonyms of identifiers of one kind (`patient`, ...): 32 hexadecimal characters each (128 bits).

    The kind is part of the hashed text: a patient and a professional with the same number get different pseudonyms.
    """
    prefix = f"{kind}:".encode()
    return [hmac.digest(key, prefix + str(i).encode(), "sha256").hex()[:32] for i in identifiers]
