"""Certificates of erasure, signed with a key of their own (Ed25519, RFC 8032): an altered one does not verify."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from chu_platform.errors import ChuError, reason_of
from chu_platform.storage.durable import write_bytes_whole, write_whole

PRIVATE_FILE: Final = Path("keys", "certificate.pem")
PUBLIC_FILE: Final = Path("keys", "certificate-public.pem")
ONLY_THIS_USER: Final = 0o600


def sign(secrets: Path, statement: Mapping[str, Any], file: Path) -> None:
    """Write a statement with its signature. The first time, the key is created."""
    key = _private_key(secrets)
    signature = key.sign(_signed_bytes(statement)).hex()
    text = json.dumps({"certificate": statement, "signature": signature}, ensure_ascii=False, indent=1)
    write_whole(file, text + "\n", 0o700)


def verify(public_key: Path, file: Path) -> Mapping[str, Any]:
    """The statement of a certificate. Raises ChuError if it is altered, or not signed with the key of `public_key`."""
    try:
        key = load_pem_public_key(public_key.read_bytes())
    except (OSError, ValueError):
        raise ChuError(f"{public_key} is no public key of certificates: give its file with --key") from None
    if not isinstance(key, Ed25519PublicKey):
        raise ChuError(f"{public_key} is a key of another kind: give the file of the platform with --key")
    try:
        read = json.loads(file.read_text(encoding="utf-8"))
        statement, signature = read["certificate"], bytes.fromhex(read["signature"])
        if {*read} != {"certificate", "signature"} or not isinstance(statement, dict):
            raise KeyError
    except OSError as error:
        raise ChuError(f"{file} cannot be read: {reason_of(error)}") from None
    except (ValueError, KeyError, TypeError):
        raise ChuError(f"{file} is not a certificate, or was altered") from None
    try:
        key.verify(signature, _signed_bytes(statement))
    except InvalidSignature:
        raise ChuError(f"{file} was altered, or was signed with another key") from None
    return statement


def _signed_bytes(statement: Mapping[str, Any]) -> bytes:
    """The bytes that are signed: they do not depend on the order or on the layout of the file."""
    return json.dumps(statement, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _private_key(secrets: Path) -> Ed25519PrivateKey:
    file = secrets / PRIVATE_FILE
    if not file.exists():
        new = Ed25519PrivateKey.generate()
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        public = new.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        write_bytes_whole(secrets / PUBLIC_FILE, public)
        private = new.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write_bytes_whole(file, private, ONLY_THIS_USER)
    try:
        key = load_pem_private_key(file.read_bytes(), None)
    except (OSError, ValueError):
        raise ChuError(f"{file} is no key of certificates: restore it from its backup") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ChuError(f"{file} is a key of another kind: restore it from its backup")
    return key
