"""Accounts and sessions for tests, with a clock that stands still."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from chu_platform.identity import passwords
from chu_platform.identity.accounts import Accounts
from chu_platform.identity.principal import Held
from chu_platform.identity.sessions import Sessions
from chu_platform.settings import Access
from chu_platform.tables.access_policy import Profile, Purpose

TODAY = date(2026, 11, 30)
LATER = date(2027, 6, 30)
PASSWORD = "un cheval, une pomme"
HEAD = Held(Profile.HEAD, Purpose.STEERING, LATER, frozenset({"010000024"}))
OPERATOR = Held(Profile.OPERATOR, Purpose.OPERATION, LATER)


@dataclass
class Clock:
    """Seconds since 1970, which only a test moves on."""

    now: float = datetime(2026, 11, 30, 12, tzinfo=UTC).timestamp()

    def __call__(self) -> float:
        return self.now


def accounts(folder: Path, *names: str, held: Held = HEAD) -> Accounts:
    """Accounts that all hold the same."""
    found = Accounts(folder, lambda: TODAY)
    for name in names:
        found.add(name, held)
    return found


def sessions(folder: Path, clock: Clock, access: Access = "accounts") -> Sessions:
    """Sessions with this clock."""
    return Sessions(folder, access, clock)


def with_password(folder: Path, name: str, clock: Clock, password: str = PASSWORD) -> Sessions:
    """Sessions of accounts of which one has chosen a password, by its link."""
    found = sessions(folder, clock)
    found.end(found.begin_with_link(found.new_link(name), password))
    return found


def hash_cheaply(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let hashes of passwords cost nothing, until the end of a test."""
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    passwords._hash_of_nobody.cache_clear()
