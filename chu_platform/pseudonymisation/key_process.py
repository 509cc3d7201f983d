"""The process that reads the keys of the pseudonyms. No other process reads a key file.

It is run as a script, with the folder of the secrets as its argument, and imports nothing of the platform. It takes
requests from its standard input, a JSON object in each line, and answers each in a line (`keyed_hash` is the client).
It never answers with a key. Pseudonyms are HMAC-SHA256 (RFC 2104, FIPS 180-4).
"""

import hmac
import json
import os
import secrets
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

KEYS: Final = "keys"
PREFIX: Final = "pseudonymisation-"
SUFFIX: Final = ".key"
# The file of the key before there were key identifiers, beside the folder of the keys.
FORMER_FILE: Final = "pseudonymisation.key"
KEY_BYTES: Final = 32
ID_LENGTH: Final = 16
# Text whose keyed hash is the fingerprint. No pseudonym is the hash of it, because no kind has this name.
FINGERPRINT_LABEL: Final = b"fingerprint of the key:1"


def key_files(folder: Path) -> Sequence[Path]:
    """The files of keys below the folder of the secrets, without reading them."""
    files = sorted((folder / KEYS).glob(f"{PREFIX}*{SUFFIX}"))
    former = folder / FORMER_FILE
    return [*files, *([former] if former.exists() else [])]


def key_id(fingerprint: str) -> str:
    """The identifier of a key: it is in the name of its file and in commits, and says nothing about the key."""
    return fingerprint[:ID_LENGTH]


def key_file(folder: Path, fingerprint: str) -> Path:
    """Where the key with this fingerprint belongs."""
    return folder / KEYS / f"{PREFIX}{key_id(fingerprint)}{SUFFIX}"


def fingerprint_of(key: bytes) -> str:
    """A text that is the same for the same key, and from which the key cannot be computed."""
    return hmac.digest(key, FINGERPRINT_LABEL, "sha256").hex()


def pseudonyms(key: bytes, kind: str, identifiers: Sequence[str]) -> list[str]:
    """Pseudonyms of identifiers of one kind (`patient`, ...): 32 hexadecimal characters each (128 bits).

    The kind is part of the hashed text: a patient and a professional with the same number get different pseudonyms.
    """
    # The copies share the hash of the key and of the kind.
    begun = hmac.new(key, f"{kind}:".encode(), "sha256")
    found = []
    for identifier in identifiers:
        hashed = begun.copy()
        hashed.update(identifier.encode())
        found.append(hashed.hexdigest()[:32])
    return found


def _read(file: Path) -> bytes | None:
    """The key of a file; None if the file is none of a key. Raises OSError if it cannot be read."""
    try:
        key = bytes.fromhex(file.read_text(encoding="ascii"))
    except ValueError:
        return None
    return key if len(key) == KEY_BYTES else None


def _create(folder: Path) -> str:
    """Write a new key to the disk, whole or not at all, readable by this user only; returns its fingerprint."""
    key = secrets.token_bytes(KEY_BYTES)
    fingerprint = fingerprint_of(key)
    file = key_file(folder, fingerprint)
    file.parent.mkdir(parents=True, exist_ok=True)
    for private in (folder, file.parent):
        # A volume of a container engine may belong to another user, who alone may change its mode.
        if private.stat().st_uid == os.geteuid():
            private.chmod(0o700)
    temporary = file.with_name(f".{uuid4().hex}")
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as stream:
        stream.write(key.hex())
        stream.flush()
        os.fsync(stream.fileno())
    temporary.rename(file)
    for written in (file.parent, folder):
        descriptor = os.open(written, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
    return fingerprint


def _answer(folder: Path, request: Mapping[str, Any]) -> Mapping[str, Any]:
    """The answer to a request: `fingerprints` of files, `create` a key, or `pseudonyms` of identifiers of a kind."""
    match request["do"]:
        case "fingerprints":
            found: dict[str, str | None] = {}
            for file in map(Path, request["files"]):
                key = _read(file)
                found[str(file)] = fingerprint_of(key) if key else None
            return {"fingerprints": found}
        case "create":
            return {"fingerprint": _create(folder)}
        case _:
            key = _read(Path(request["file"]))
            if key is None:
                return {"damaged": request["file"]}
            return {"pseudonyms": pseudonyms(key, request["kind"], request["identifiers"])}


def main(folder: Path) -> None:
    """Answer requests until the end of the standard input. An error of the system is answered with its number."""
    for line in sys.stdin.buffer:
        try:
            answer = _answer(folder, json.loads(line))
        except OSError as error:
            answer = {"errno": error.errno, "file": str(error.filename or folder)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
