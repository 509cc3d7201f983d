"""Who runs a command: the account that is linked to the user of the operating system.

Where CHU_ACCESS is `open`, the owner of CHU_HOME holds all profiles: they can read the files anyway.
"""

import os
import pwd
from datetime import date
from typing import Final

from chu_platform.identity.accounts import OWNER_NAME, Accounts
from chu_platform.identity.principal import ANYBODY, Held, Principal
from chu_platform.settings import Settings
from chu_platform.tables.access_policy import Profile, Purpose

OWNER: Final = Principal(
    OWNER_NAME, tuple(Held(profile, purpose, date.max) for profile in Profile for purpose in Purpose)
)


def current_user(settings: Settings) -> Principal:
    """The principal of this process; ANYBODY if the user of the system has no account. Raises ChuError if unreadable.

    The user is the effective one that the kernel knows: variables such as USER or SUDO_USER are not trusted.
    """
    if settings.access == "open" and _owns_home(settings):
        return OWNER
    return Accounts(settings.accounts_folder).principal_of_system_user(_system_user()) or ANYBODY


def _owns_home(settings: Settings) -> bool:
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
