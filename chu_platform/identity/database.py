"""The file of accounts, sessions and one-time links: a SQLite database in CHU_SECRETS/accounts, for this user only.

Several processes use it at once (portal, webservers, commands). Each change is one transaction, which is on the disk
when it ends. Nothing is kept between two requests, so a withdrawal takes effect at the next one. The rollback journal
is the default one of SQLite: it also works on file systems of a network, where a write-ahead log does not.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from chu_platform.errors import ChuError, reason_of

FILE: Final = "accounts.db"
WAIT_SECONDS: Final = 10.0
VERSION: Final = 2
# What brings a database of an earlier version to the next one.
CHANGES: Final = {1: "ALTER TABLE held ADD COLUMN professional TEXT"}
SCHEMA: Final = f"""
CREATE TABLE account (
    -- Never used again, so that a new account with an old name has none of its sessions.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    password TEXT,  -- the hash by Argon2
    system_user TEXT UNIQUE,
    created TEXT NOT NULL
) STRICT;
-- Days are ISO dates, moments are seconds since 1970, secrets are SHA-256; establishments are separated by spaces; a
-- professional is a pseudonym.
CREATE TABLE held (
    account INTEGER NOT NULL REFERENCES account ON DELETE CASCADE,
    profile TEXT NOT NULL,
    purpose TEXT NOT NULL,
    expires TEXT NOT NULL,
    reviewed TEXT NOT NULL,
    establishments TEXT NOT NULL,
    professional TEXT,
    PRIMARY KEY (account, profile, purpose)
) STRICT;
-- Who signed in is an account, somebody of the identity provider (a subject), or neither: the owner of CHU_HOME.
CREATE TABLE session (
    hash BLOB PRIMARY KEY,
    account INTEGER REFERENCES account ON DELETE CASCADE,
    subject TEXT,
    groups TEXT NOT NULL,
    begun INTEGER NOT NULL,
    seen INTEGER NOT NULL
) STRICT;
CREATE TABLE one_time (
    hash BLOB PRIMARY KEY,
    account INTEGER REFERENCES account ON DELETE CASCADE,
    subject TEXT,
    groups TEXT NOT NULL,
    begun INTEGER,
    expires INTEGER NOT NULL
) STRICT;
-- What is not finished at the identity provider; the browser is the hash of its cookie.
CREATE TABLE redirection (
    hash BLOB PRIMARY KEY,
    browser BLOB NOT NULL,
    nonce TEXT NOT NULL,
    verifier TEXT NOT NULL,
    back TEXT NOT NULL,
    expires INTEGER NOT NULL
) STRICT;
-- Wrong passwords of a name or of an address, of which there is only the hash.
CREATE TABLE failure (
    what BLOB PRIMARY KEY,
    count INTEGER NOT NULL,
    last INTEGER NOT NULL,
    until INTEGER NOT NULL
) STRICT;
PRAGMA user_version = {VERSION};
""".split(";\n")


class Database:
    """The database in a folder, which is created with the first account."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / FILE

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection for reading; empty tables if there is no database. Raises ChuError if it cannot be read."""
        with self._explained(), closing(self._opened()) as connection:
            if _version(connection) in CHANGES:
                with self.writing():
                    pass
            if _version(connection) == 0:
                with closing(sqlite3.connect(":memory:", isolation_level=None)) as empty:
                    _create_tables(empty)
                    yield empty
            else:
                yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction: all of it is written at the end, or nothing. Raises ChuError if it cannot be written."""
        with self._explained():
            self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(self.file, os.O_WRONLY | os.O_CREAT, 0o600))
            with closing(self._opened()) as connection:
                connection.execute("BEGIN IMMEDIATE")
                try:
                    if _version(connection) == 0:
                        _create_tables(connection)
                    while (version := _version(connection)) in CHANGES:
                        connection.execute(CHANGES[version])
                        connection.execute(f"PRAGMA user_version = {version + 1}")
                    yield connection
                except BaseException:
                    connection.execute("ROLLBACK")
                    raise
                connection.execute("COMMIT")

    def _opened(self) -> sqlite3.Connection:
        place = f"{self.file.absolute().as_uri()}?mode=rw" if self.file.exists() else ":memory:"
        connection = sqlite3.connect(place, uri=True, timeout=WAIT_SECONDS, isolation_level=None)
        # Also the end of a transaction is on the disk; what is deleted is overwritten.
        for pragma in ("foreign_keys = ON", "synchronous = EXTRA", "secure_delete = ON"):
            connection.execute(f"PRAGMA {pragma}")
        if _version(connection) > VERSION:
            connection.close()
            raise ChuError(f"{self.file} was written by a later version of the platform: install that one")
        return connection

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Errors of the database as one sentence without values."""
        try:
            yield
        except OSError as error:
            raise ChuError(f"the accounts {self.file} cannot be used: {reason_of(error)}") from None
        except sqlite3.DatabaseError as error:
            name = getattr(error, "sqlite_errorname", type(error).__name__)
            raise ChuError(
                f"the accounts {self.file} cannot be used ({name}): let the user of this process read and write the "
                "file, end other programs that use it, or restore it from the backup"
            ) from None


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def _create_tables(connection: sqlite3.Connection) -> None:
    for statement in SCHEMA:
        connection.execute(statement)
