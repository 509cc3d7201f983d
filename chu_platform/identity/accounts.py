"""The accounts of this deployment, and the profiles that each holds, with purpose, expiry date and last review."""

import re
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from chu_platform.errors import ChuError
from chu_platform.identity.database import Database
from chu_platform.identity.principal import ANYBODY, Held, Principal
from chu_platform.tables.access_policy import Profile, Purpose

NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{1,63}")
# The subjects of an identity provider are apart from the names of accounts.
SUBJECT: Final = "oidc:"
SUBJECT_NAME: Final = re.compile(rf"{SUBJECT}[\w.@|-]{{1,200}}", re.ASCII)
FINESS: Final = re.compile(r"\d[0-9AB]\d{7}")
# The account of the owner of CHU_HOME where CHU_ACCESS is `open`. It is not stored.
OWNER_NAME: Final = "owner"
OF_OWN_SITES: Final = frozenset({Profile.HEAD, Profile.CLINICIAN})


@dataclass(frozen=True)
class ReviewedGrant:
    """A profile that an account holds, and the day on which somebody last confirmed that it is needed."""

    held: Held
    reviewed: date


@dataclass(frozen=True)
class Account:
    """An account. `system_user` is the user of the operating system whose commands it stands for, if there is one.

    No other account ever has its `number`, also not a later one with its name.
    """

    name: str
    system_user: str | None
    has_password: bool
    grants: Sequence[ReviewedGrant]
    number: int


class Accounts:
    """The accounts in a folder. Each method reads or writes the file at once; any number of processes may do so."""

    def __init__(self, folder: Path, today: Callable[[], date] = date.today) -> None:
        self._database = Database(folder)
        self._today = today

    def principal(self, name: str) -> Principal | None:
        """The account with the profiles that it holds today; None if there is no such account."""
        with self._database.reading() as connection:
            return principal_where(connection, "name = ?", name, self._today())

    def principal_of_system_user(self, user: str) -> Principal | None:
        """The same for the account that is linked to a user of the operating system."""
        with self._database.reading() as connection:
            return principal_where(connection, "system_user = ?", user, self._today())

    def every(self) -> Sequence[Account]:
        """All accounts by name, with all their grants, expired ones included."""
        with self._database.reading() as connection:
            found = connection.execute("SELECT id, name, system_user, password FROM account ORDER BY name").fetchall()
            return [
                Account(name, user, password is not None, _grants(connection, number), number)
                for number, name, user, password in found
            ]

    def add(self, name: str, held: Held, system_user: str | None = None) -> None:
        """Create an account, or add a grant to one that exists. A grant of the same profile and purpose is replaced.

        Raises ChuError for an invalid name or grant, or if another account is linked to the user of the system.
        """
        _require_valid(name, held, self._today())
        with self._database.writing() as connection:
            today = self._today().isoformat()
            connection.execute("INSERT OR IGNORE INTO account (name, created) VALUES (?, ?)", (name, today))
            if system_user is not None:
                _link(connection, name, system_user)
            connection.execute(
                "INSERT OR REPLACE INTO held SELECT id, ?, ?, ?, ?, ?, ? FROM account WHERE name = ?",
                (
                    held.profile.value,
                    held.purpose.value,
                    held.expires.isoformat(),
                    today,
                    " ".join(sorted(held.establishments)),
                    held.professional,
                    name,
                ),
            )

    def remove(self, name: str, profile: Profile | None = None) -> None:
        """Remove an account, with its sessions and links; or only what it holds of a profile.

        Raises ChuError if there is none.
        """
        with self._database.writing() as connection:
            if profile is None:
                removed = connection.execute("DELETE FROM account WHERE name = ?", (name,)).rowcount
            else:
                removed = connection.execute(
                    "DELETE FROM held WHERE profile = ? AND account = (SELECT id FROM account WHERE name = ?)",
                    (profile.value, name),
                ).rowcount
        if not removed:
            what = "" if profile is None else f" with the profile {profile}"
            raise ChuError(f"there is no account {name}{what}: `chu user list` lists them")

    def rename_professionals(self, renamed: Callable[[str], str | None]) -> None:
        """Bind accounts to other pseudonyms of their professionals: `renamed` gives that of an old one, or None."""
        with self._database.reading() as connection:
            bound = connection.execute("SELECT DISTINCT professional FROM held WHERE professional NOTNULL").fetchall()
        if changes := [(new, old) for (old,) in bound if (new := renamed(old)) is not None]:
            with self._database.writing() as connection:
                connection.executemany("UPDATE held SET professional = ? WHERE professional = ?", changes)

    def review(self, name: str) -> None:
        """Note that what an account holds was reviewed today. Raises ChuError if there is no such account."""
        with self._database.writing() as connection:
            account = require_account(connection, name)
            connection.execute("UPDATE held SET reviewed = ? WHERE account = ?", (self._today().isoformat(), account))


def require_account(connection: sqlite3.Connection, name: str) -> int:
    """The number of an account. Raises ChuError if there is none."""
    found = connection.execute("SELECT id FROM account WHERE name = ?", (name,)).fetchone()
    if found is None:
        raise ChuError(f"there is no account {name}: `chu user list` lists them, `chu user add` creates one")
    return int(found[0])


def principal_where(connection: sqlite3.Connection, condition: str, value: object, today: date) -> Principal | None:
    """The account that meets a condition, with the profiles that it holds today; None if there is none."""
    found = connection.execute(f"SELECT id, name FROM account WHERE {condition}", (value,)).fetchone()
    if found is None:
        return None
    number, name = found
    return Principal(name, valid_on(today, (grant.held for grant in _grants(connection, number))))


def valid_on(today: date, held: Iterable[Held]) -> Sequence[Held]:
    """What is not expired on a day."""
    return tuple(one for one in held if today <= one.expires)


def _grants(connection: sqlite3.Connection, account: int) -> Sequence[ReviewedGrant]:
    rows = connection.execute(
        "SELECT profile, purpose, expires, reviewed, establishments, professional FROM held WHERE account = ? "
        "ORDER BY 1, 2",
        (account,),
    )
    return tuple(
        ReviewedGrant(
            Held(
                Profile(profile),
                Purpose(purpose),
                date.fromisoformat(expires),
                frozenset(establishments.split()),
                professional,
            ),
            date.fromisoformat(reviewed),
        )
        for profile, purpose, expires, reviewed, establishments, professional in rows
    )


def _link(connection: sqlite3.Connection, name: str, system_user: str) -> None:
    other = connection.execute(
        "SELECT name FROM account WHERE system_user = ? AND name <> ?", (system_user, name)
    ).fetchone()
    if other:
        raise ChuError(f"the system user {system_user} is linked to the account {other[0]} already: remove that first")
    connection.execute("UPDATE account SET system_user = ? WHERE name = ?", (system_user, name))


def _require_valid(name: str, held: Held, today: date) -> None:
    """Raise ChuError with the reason if an account cannot have this name or hold this grant."""
    if not NAME.fullmatch(name) and not SUBJECT_NAME.fullmatch(name):
        raise ChuError(
            "the name of an account has 2 to 64 characters of a-z, 0-9, '.', '_', '-', or is oidc: and a subject of "
            "the identity provider: choose another one"
        )
    if name in (ANYBODY.name, OWNER_NAME):
        raise ChuError(f"the name {name} is reserved: choose another one")
    if held.expires < today:
        raise ChuError(f"the expiry date {held.expires} is over: choose a later one")
    require_own(held)


def require_own(held: Held) -> None:
    """Raise ChuError with the reason if a profile lacks its sites or its professional, or has what it cannot have."""
    if (held.profile is Profile.PRACTITIONER) is not (held.professional is not None):
        raise ChuError(
            "the profile practitioner, and no other, is bound to a professional: `chu user add` has --rpps and --adeli"
        )
    if held.profile in OF_OWN_SITES and not held.establishments:
        raise ChuError(f"the profile {held.profile} needs its sites: name their FINESS numbers (--establishment)")
    if held.profile not in OF_OWN_SITES and held.establishments:
        raise ChuError(f"the profile {held.profile} has no sites: leave them out")
    for establishment in held.establishments:
        if not FINESS.fullmatch(establishment):
            raise ChuError(f"{establishment!r} is no FINESS number of a site: give its nine characters, e.g. 010000024")
