"""Who signed in: an account, somebody whom the identity provider knows, or the owner of CHU_HOME."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from chu_platform.identity.accounts import OWNER_NAME, SUBJECT, principal_where
from chu_platform.identity.principal import Held, Principal
from chu_platform.identity.provider_groups import held_by_groups
from chu_platform.settings import Access
from chu_platform.tables.access_policy import Profile, Purpose

OWNER: Final = Principal(
    OWNER_NAME, tuple(Held(profile, purpose, date.max) for profile in Profile for purpose in Purpose)
)


@dataclass(frozen=True)
class Person:
    """The number of an account; or the subject of the identity provider, with its groups; or neither: the owner."""

    account: int | None = None
    subject: str | None = None
    groups: Sequence[str] = ()

    @property
    def columns(self) -> tuple[int | None, str | None, str]:
        """The values of the columns account, subject and groups."""
        return self.account, self.subject, json.dumps(list(self.groups))


THE_OWNER: Final = Person()


def person_of(account: int | None, subject: str | None, groups: str) -> Person:
    """The person in the columns account, subject and groups."""
    return Person(account, subject, tuple(json.loads(groups)))


def principal_of_person(
    connection: sqlite3.Connection, person: Person, access: Access, folder: Path, today: date
) -> Principal | None:
    """The principal that a person is today; None if they are not (any more) one under this CHU_ACCESS.

    `folder` is that of the accounts, where the groups of the identity provider are mapped to profiles.
    """
    if person.subject is not None:
        if access != "oidc":
            return None
        name = f"{SUBJECT}{person.subject}"
        own = principal_where(connection, "name = ?", name, today)
        return Principal(name, (*held_by_groups(folder, person.groups, today), *(own.held if own else ())))
    if person.account is not None:
        return principal_where(connection, "id = ?", person.account, today) if access != "oidc" else None
    return OWNER if access == "open" else None
