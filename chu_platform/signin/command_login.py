"""The sign-in of `chu login` and `chu logout`."""

import getpass
import sys

from chu_platform.errors import ChuError
from chu_platform.identity.command_login import forget_token, keep_token, kept_token
from chu_platform.identity.principal import ANYBODY, Principal
from chu_platform.identity.sessions import Sessions
from chu_platform.settings import Settings

# Stands for the address of a client where wrong passwords are counted.
ADDRESS = "command line"


def sign_in_to_commands(settings: Settings, name: str | None) -> Principal:
    """Sign in as an account by its password, or by a one-time code, which is asked for. The sign-in before ends."""
    sessions = Sessions.of(settings)
    secret = _asked(f"password of {name}: " if name else "code of the page /moi: ")
    token = sessions.begin_with_password(name, secret, ADDRESS) if name else sessions.begin_with_link(secret.strip())
    principal = sessions.principal(token)
    if principal == ANYBODY:
        raise ChuError("the account was removed meanwhile")
    sign_out_of_commands(settings)
    keep_token(settings, token)
    return principal


def sign_out_of_commands(settings: Settings) -> bool:
    """End the sign-in of this user of the system; whether there was one."""
    token = kept_token(settings)
    if token:
        Sessions.of(settings).end(token)
        forget_token(settings)
    return token is not None


def _asked(prompt: str) -> str:
    """What is typed without being shown; without a terminal, the first line of the standard input."""
    return getpass.getpass(prompt) if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
