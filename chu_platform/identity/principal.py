"""The person for whom a serving component reads rows, with the profiles that they hold."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from chu_platform.tables.access_policy import Profile, Purpose


@dataclass(frozen=True)
class Held:
    """A profile that an account holds for a purpose, until the end of the day `expires`.

    `establishments` are the FINESS site numbers of the own sites. `professional` is the pseudonym of the practitioner
    that the account is bound to.
    """

    profile: Profile
    purpose: Purpose
    expires: date
    establishments: frozenset[str] = frozenset()
    professional: str | None = None


@dataclass(frozen=True)
class Principal:
    """An account with the profiles that it holds today. `name` is the name of the account, not of the person."""

    name: str
    held: Sequence[Held]


# Who has not signed in. Public figures need no account.
ANYBODY: Final = Principal("public", ())
