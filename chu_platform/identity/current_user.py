"""Who runs a command: whoever has signed in with `chu login`, or the account of the user of the operating system.

Where CHU_ACCESS is `open`, the owner of CHU_HOME holds all profiles: they can read the files anyway.
"""

import os
import pwd

from chu_platform.errors import ChuError
from chu_platform.identity.accounts import Accounts
from chu_platform.identity.command_login import kept_token
from chu_platform.identity.person import OWNER
from chu_platform.identity.principal import ANYBODY, Principal
from chu_platform.identity.sessions import Sessions
from chu_platform.settings import Settings


def current_user(settings: Settings) -> Principal:
    """The principal of this process; ANYBODY if its user has not signed in, and has no account.

    The user is the effective one that the kernel knows: variables such as USER or SUDO_USER are not trusted. Raises
    ChuError if the sign-in of `chu login` has ended: nobody becomes another principal unnoticed.
    """
    if token := kept_token(settings):
        principal = Sessions.of(settings).principal(token)
        if principal == ANYBODY:
            raise ChuError("the sign-in of `chu login` has ended: sign in again, or forget it with `chu logout`")
        return principal
    if settings.access == "open" and owns_home(settings):
        return OWNER
    return Accounts(settings.accounts_folder).principal_of_system_user(_system_user()) or ANYBODY


def owns_home(settings: Settings) -> bool:
    """Whether CHU_HOME belongs to the user of this process. One that does not exist yet will belong to them."""
    try:
        return settings.home.stat().st_uid == os.geteuid()
    except FileNotFoundError:
        return True


def _system_user() -> str:
    """The name of the user of this process; its number if it has no name, as in a container."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
