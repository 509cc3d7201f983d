"""The sign-in of `chu login`: the token of a session, in a file of the user of the operating system.

All processes of this user have it, whichever terminal they were started from.
"""

import hashlib
import os
from pathlib import Path

from chu_platform.errors import ChuError, reason_of
from chu_platform.settings import Settings


def kept_token(settings: Settings) -> str | None:
    """The token that `chu login` has kept for this CHU_SECRETS; None if there is none."""
    file = _file(settings)
    try:
        return file.read_text(encoding="ascii").strip() or None if file else None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ChuError(f"the sign-in {file} cannot be read: {reason_of(error)}") from None


def keep_token(settings: Settings, token: str) -> None:
    """Keep a token for the next commands of this user. Raises ChuError if it cannot be written."""
    file = _file(settings)
    if file is None:
        raise ChuError("this user has no home folder to keep the sign-in in: set XDG_STATE_HOME to a folder of theirs")
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = file.with_name(f"{file.name}.{os.getpid()}")
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as stream:
            stream.write(token)
        temporary.replace(file)
    except OSError as error:
        raise ChuError(f"the sign-in {file} cannot be written: {reason_of(error)}") from None


def forget_token(settings: Settings) -> None:
    """Forget the token that is kept."""
    if file := _file(settings):
        file.unlink(missing_ok=True)


def _file(settings: Settings) -> Path | None:
    """The file of this user and of this CHU_SECRETS; None for a user without a home folder."""
    try:
        state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    except RuntimeError:
        return None
    deployment = hashlib.sha256(os.fsencode(settings.accounts_folder)).hexdigest()[:16]
    return state / "chu" / f"session-{deployment}"
