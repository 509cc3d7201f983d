"""Passwords: which ones are allowed, and their hashes by Argon2id (RFC 9106)."""

import threading
import unicodedata
from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from chu_platform.errors import ChuError
from chu_platform.identity.secret_tokens import new_token

# CNIL (délibération 2022-100): 12 characters are enough where wrong passwords lead to a wait, as they do here.
MIN_LENGTH: Final = 12
MAX_LENGTH: Final = 256
MIN_DIFFERENT: Final = 5
_HASHER: Final = PasswordHasher()
# A hash takes 64 MiB of memory, so one is computed at a time.
_ONE_AT_A_TIME: Final = threading.Lock()


class WeakPassword(ChuError):
    """A password that is not allowed. The message never contains it."""


def hashed(password: str, name: str) -> str:
    """The hash of a new password of an account, with salt and parameters. Raises WeakPassword."""
    written = _normal(password)
    if len(written) < MIN_LENGTH or len(set(written)) < MIN_DIFFERENT:
        raise WeakPassword(
            f"the password has fewer than {MIN_LENGTH} characters, or fewer than {MIN_DIFFERENT} different ones"
        )
    if len(written) > MAX_LENGTH:
        raise WeakPassword(f"the password has more than {MAX_LENGTH} characters")
    if name in written.lower():
        raise WeakPassword("the password contains the name of the account")
    with _ONE_AT_A_TIME:
        return _HASHER.hash(written)


def is_right(password: str, stored: str | None) -> bool:
    """Whether a password is that of the stored hash. Without one, the answer is no, and takes as long."""
    nobody = _hash_of_nobody()
    with _ONE_AT_A_TIME:
        try:
            _HASHER.verify(stored or nobody, _normal(password[:MAX_LENGTH]))
        except (VerificationError, InvalidHashError):
            return False
    return stored is not None


@cache
def _hash_of_nobody() -> str:
    """A hash that is compared with where an account has none, so that the time does not tell whether it exists."""
    return _HASHER.hash(new_token())


def _normal(password: str) -> str:
    """The same text for the same characters, however a keyboard composes them; always one of UTF-8."""
    return unicodedata.normalize("NFKC", password).encode(errors="replace").decode()
