"""Signing in, by password, one-time link or identity provider; sessions; and who a session stands for.

A session is a row of the database of accounts, and its token is in a cookie of the browser, or in a file of the user of
`chu login`. Any process that reads CHU_SECRETS/accounts recognises it, and it ends everywhere at once.
"""

import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from chu_platform.errors import ChuError
from chu_platform.identity import failures, passwords
from chu_platform.identity.accounts import NAME, OWNER_NAME, require_account
from chu_platform.identity.database import Database
from chu_platform.identity.person import THE_OWNER, Person, person_of, principal_of_person
from chu_platform.identity.principal import ANYBODY, Principal
from chu_platform.identity.secret_tokens import hash_of, new_token
from chu_platform.settings import Access, Settings

# A session ends after so many seconds without a request, and after so many in any case.
IDLE_SECONDS: Final = 3600
MAX_SECONDS: Final = 12 * 3600
# The last request is noted at most so often.
NOTED_EVERY_SECONDS: Final = 60
LINK_SECONDS: Final = 24 * 3600
CODE_SECONDS: Final = 300


@dataclass(frozen=True)
class _Session:
    """A session that has not ended: of whom, and when they signed in and sent their last request."""

    person: Person
    begun: int
    seen: int


class SignInRefused(ChuError):
    """A sign-in that is refused. `wait` is the number of seconds until the next attempt is looked at; 0 for none."""

    def __init__(self, message: str, wait: int = 0) -> None:
        super().__init__(message)
        self.wait = wait


class Sessions:
    """The sessions of a deployment. Each method reads or writes the database at once."""

    def __init__(self, folder: Path, access: Access, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._access = access
        self._clock = clock
        self._database = Database(folder)

    @classmethod
    def of(cls, settings: Settings) -> "Sessions":
        """The sessions of the deployment of the settings."""
        return cls(settings.accounts_folder, settings.access)

    def begin_with_password(self, name: str, password: str, address: str) -> str:
        """The token of a new session of an account. Raises SignInRefused.

        The answer says the same, and takes as long, for a wrong password and for an account that does not exist.
        """
        if self._access == "oidc":
            raise SignInRefused("the identity provider signs in, not the platform")
        with self._database.writing() as connection:
            wait = failures.count_attempt(connection, name, address, self._clock())
        if wait:
            raise SignInRefused(f"too many attempts: try again in {wait} s", wait)
        known = name if NAME.fullmatch(name) else ""
        with self._database.reading() as connection:
            found = connection.execute("SELECT id, password FROM account WHERE name = ?", (known,)).fetchone()
        account, stored = found or (None, None)
        if not passwords.is_right(password, stored):
            raise SignInRefused("the name or the password is wrong")
        with self._database.writing() as connection:
            # Not if it was removed, or has another password, meanwhile.
            same = connection.execute("SELECT 1 FROM account WHERE (id, password) = (?, ?)", (account, stored))
            if same.fetchone() is None:
                raise SignInRefused("the name or the password is wrong")
            failures.forget_attempt(connection, name, address)
            return self._begin(connection, Person(account))

    def begin_of_subject(self, subject: str, groups: Sequence[str]) -> str:
        """The token of a new session of somebody whom the identity provider has signed in."""
        with self._database.writing() as connection:
            return self._begin(connection, Person(subject=subject, groups=groups))

    def new_link(self, name: str, seconds: int = LINK_SECONDS) -> str:
        """A token that signs in once as an account, or as the owner of CHU_HOME. Raises ChuError if there is none."""
        with self._database.writing() as connection:
            person = THE_OWNER if name == OWNER_NAME else Person(require_account(connection, name))
            return self._new_one_time(connection, person, None, seconds)

    def new_code(self, token: str) -> str | None:
        """A token that signs in once as the person of a session, for `chu login`; None without a session."""
        with self._database.writing() as connection:
            found = self._session(connection, token)
            return self._new_one_time(connection, found.person, found.begun, CODE_SECONDS) if found else None

    def person_of_link(self, token: str) -> Principal | None:
        """Who would sign in with a one-time token, which stays valid; None if it is not."""
        with self._database.reading() as connection:
            found = connection.execute(
                "SELECT account, subject, groups FROM one_time WHERE hash = ? AND expires > ?",
                (hash_of(token), self._now),
            ).fetchone()
            return self._principal(connection, person_of(*found)) if found else None

    def begin_with_link(self, token: str, new_password: str | None = None) -> str:
        """The token of a new session, for a one-time token, which is used up. Its account gets the new password.

        Raises SignInRefused if the token was used already or has expired, and WeakPassword, which leaves it valid.
        """
        principal = self.person_of_link(token)
        hashed = passwords.hashed(new_password, principal.name) if principal and new_password is not None else None
        with self._database.writing() as connection:
            # Of several at once, the first transaction deletes the row.
            found = connection.execute(
                "DELETE FROM one_time WHERE hash = ? AND expires > ? RETURNING account, subject, groups, begun",
                (hash_of(token), self._now),
            ).fetchone()
            if principal is None or found is None:
                raise SignInRefused("this link was used already, or has expired: ask for another one")
            person = person_of(*found[:3])
            if hashed is not None and person.account is not None:
                _replace_password(connection, person.account, hashed)
            return self._begin(connection, person, found[3])

    def set_password(self, token: str, old: str, new: str, address: str) -> str:
        """Give the account of a session a new password. All its sessions end; the token of a new one.

        Raises SignInRefused and WeakPassword.
        """
        principal = self.principal(token)
        hashed = passwords.hashed(new, principal.name)
        checked = self.begin_with_password(principal.name, old, address)
        with self._database.writing() as connection:
            found = self._session(connection, checked)
            if found is None or found.person.account is None:
                raise SignInRefused("the session has ended: sign in again")
            _replace_password(connection, found.person.account, hashed)
            return self._begin(connection, found.person)

    def principal(self, token: str | None) -> Principal:
        """Who a session stands for, with the profiles that they hold now; ANYBODY without a session."""
        if token is None:
            return ANYBODY
        with self._database.reading() as connection:
            found = self._session(connection, token)
            principal = self._principal(connection, found.person) if found else None
        if found is None or principal is None:
            return ANYBODY
        if self._now - found.seen >= NOTED_EVERY_SECONDS:
            with self._database.writing() as connection:
                connection.execute("UPDATE session SET seen = ? WHERE hash = ?", (self._now, hash_of(token)))
        return principal

    def end(self, token: str) -> None:
        """End a session."""
        with self._database.writing() as connection:
            connection.execute("DELETE FROM session WHERE hash = ?", (hash_of(token),))

    def end_of_subject(self, subject: str) -> int:
        """End all sessions of somebody whom the identity provider has signed in; their number."""
        with self._database.writing() as connection:
            connection.execute("DELETE FROM one_time WHERE subject = ?", (subject,))
            return connection.execute("DELETE FROM session WHERE subject = ?", (subject,)).rowcount

    @property
    def _now(self) -> int:
        return int(self._clock())

    def _begin(self, connection: sqlite3.Connection, person: Person, begun: int | None = None) -> str:
        """A new session, of a person who signed in at `begun`, or now. Those that have ended are deleted."""
        token = new_token()
        connection.execute("DELETE FROM session WHERE begun <= ? OR seen <= ?", self._oldest)
        connection.execute(
            "INSERT INTO session (hash, account, subject, groups, begun, seen) VALUES (?, ?, ?, ?, ?, ?)",
            (hash_of(token), *person.columns, begun or self._now, self._now),
        )
        return token

    def _new_one_time(self, connection: sqlite3.Connection, person: Person, begun: int | None, seconds: int) -> str:
        token = new_token()
        connection.execute("DELETE FROM one_time WHERE expires <= ?", (self._now,))
        connection.execute(
            "INSERT INTO one_time (hash, account, subject, groups, begun, expires) VALUES (?, ?, ?, ?, ?, ?)",
            (hash_of(token), *person.columns, begun, self._now + seconds),
        )
        return token

    def _session(self, connection: sqlite3.Connection, token: str) -> _Session | None:
        """The session of a token; None if it has ended."""
        found = connection.execute(
            "SELECT account, subject, groups, begun, seen FROM session WHERE hash = ? AND begun > ? AND seen > ?",
            (hash_of(token), *self._oldest),
        ).fetchone()
        return _Session(person_of(*found[:3]), *found[3:]) if found else None

    @property
    def _oldest(self) -> tuple[int, int]:
        """The begin and the last request of a session that has just ended."""
        return self._now - MAX_SECONDS, self._now - IDLE_SECONDS

    def _principal(self, connection: sqlite3.Connection, person: Person) -> Principal | None:
        today = date.fromtimestamp(self._clock())
        return principal_of_person(connection, person, self._access, self._folder, today)


def _replace_password(connection: sqlite3.Connection, account: int, hashed: str) -> None:
    """Give an account another password. All its sessions and links end."""
    connection.execute("UPDATE account SET password = ? WHERE id = ?", (hashed, account))
    connection.execute("DELETE FROM session WHERE account = ?", (account,))
    connection.execute("DELETE FROM one_time WHERE account = ?", (account,))
