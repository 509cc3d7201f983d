"""Random tokens of sessions, one-time links and sign-ins under way. Only their hashes are stored."""

import hashlib
import secrets
from typing import Final

BYTES: Final = 32


def new_token() -> str:
    """256 random bits, as a text for cookies and addresses."""
    return secrets.token_urlsafe(BYTES)


def hash_of(token: str) -> bytes:
    """What is stored of a token. It needs no salt and no slow hash: nobody can guess 256 bits."""
    return hashlib.sha256(token.encode(errors="replace")).digest()
