"""Accounts: what they hold, until when, and how they are stored."""

import multiprocessing
import sqlite3
import stat
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from chu_platform.errors import ChuError
from chu_platform.identity.accounts import Account, Accounts, ReviewedGrant
from chu_platform.identity.principal import Held, Principal
from chu_platform.tables.access_policy import Profile, Purpose
from chu_platform_tests.identity.people import HEAD, LATER, OPERATOR, TODAY, accounts

WRITERS, ACCOUNTS_EACH = 4, 10


@pytest.mark.unit
def test_an_account_holds_what_was_granted(tmp_path: Path) -> None:
    found = accounts(tmp_path, "head-a")
    found.add("head-a", OPERATOR, system_user="marie")
    assert found.principal("head-a") == Principal("head-a", (HEAD, OPERATOR))
    assert found.principal_of_system_user("marie") == found.principal("head-a")
    assert found.principal("head-b") is None
    assert found.principal_of_system_user("pierre") is None
    grants = (ReviewedGrant(HEAD, TODAY), ReviewedGrant(OPERATOR, TODAY))
    assert found.every() == [Account("head-a", "marie", False, grants, 1)]


@pytest.mark.unit
def test_a_grant_ends_after_its_last_day(tmp_path: Path) -> None:
    accounts(tmp_path, "head-a")
    assert Accounts(tmp_path, lambda: LATER).principal("head-a") == Principal("head-a", (HEAD,))
    over = Accounts(tmp_path, lambda: LATER + timedelta(days=1))
    assert over.principal("head-a") == Principal("head-a", ())
    assert over.every()[0].grants == (ReviewedGrant(HEAD, TODAY),), "it is still listed"


@pytest.mark.unit
def test_a_grant_of_the_same_profile_and_purpose_is_replaced_as_reviewed(tmp_path: Path) -> None:
    accounts(tmp_path, "head-a")
    other = Held(Profile.HEAD, Purpose.STEERING, date(2028, 1, 1), frozenset({"2A0000014", "010000024"}))
    next_year = Accounts(tmp_path, lambda: date(2027, 1, 1))
    next_year.add("head-a", other)
    assert next_year.every()[0].grants == (ReviewedGrant(other, date(2027, 1, 1)),)
    Accounts(tmp_path, lambda: date(2027, 2, 2)).review("head-a")
    assert next_year.every()[0].grants[0].reviewed == date(2027, 2, 2)


@pytest.mark.unit
def test_accounts_and_profiles_can_be_removed(tmp_path: Path) -> None:
    found = accounts(tmp_path, "head-a", "head-b")
    found.add("head-a", OPERATOR)
    found.remove("head-a", Profile.HEAD)
    assert found.principal("head-a") == Principal("head-a", (OPERATOR,))
    found.remove("head-a")
    assert [account.name for account in found.every()] == ["head-b"]
    with pytest.raises(ChuError, match="there is no account head-a"):
        found.remove("head-a")
    with pytest.raises(ChuError, match="there is no account head-b with the profile analyst"):
        found.remove("head-b", Profile.ANALYST)
    with pytest.raises(ChuError, match="there is no account head-a"):
        found.review("head-a")


@pytest.mark.unit
@pytest.mark.parametrize(
    ("name", "held", "why"),
    [
        ("Marie Curie", OPERATOR, "2 to 64 characters"),
        ("x", OPERATOR, "2 to 64 characters"),
        ("public", OPERATOR, "reserved"),
        ("owner", OPERATOR, "reserved"),
        ("oidc:", OPERATOR, "2 to 64 characters"),
        ("oidc:marie curie", OPERATOR, "2 to 64 characters"),
        ("own", Held(Profile.PRACTITIONER, Purpose.CARE_QUALITY, LATER), "bound to a professional"),
        ("own", replace(OPERATOR, professional="ab" * 16), "and no other, is bound"),
        ("late", Held(Profile.OPERATOR, Purpose.OPERATION, date(2026, 11, 29)), "is over"),
        ("head", Held(Profile.HEAD, Purpose.STEERING, LATER), "needs its sites"),
        ("operator", Held(Profile.OPERATOR, Purpose.OPERATION, LATER, frozenset({"010000024"})), "has no sites"),
        ("head", Held(Profile.HEAD, Purpose.STEERING, LATER, frozenset({"10000024"})), "no FINESS number"),
    ],
)
def test_what_no_account_can_be_is_refused(tmp_path: Path, name: str, held: Held, why: str) -> None:
    found = accounts(tmp_path)
    with pytest.raises(ChuError, match=why):
        found.add(name, held)
    assert found.every() == []


@pytest.mark.unit
def test_a_system_user_has_one_account(tmp_path: Path) -> None:
    found = accounts(tmp_path, "head-a")
    found.add("head-a", HEAD, "marie")
    with pytest.raises(ChuError, match="linked to the account head-a"):
        found.add("head-b", HEAD, "marie")
    assert [account.name for account in found.every()] == ["head-a"], "nothing of it was written"


@pytest.mark.unit
def test_only_the_owner_may_read_the_file(tmp_path: Path) -> None:
    folder = tmp_path / "secrets" / "accounts"
    found = accounts(folder)
    assert found.every() == []
    assert not folder.exists(), "reading creates nothing"
    found.add("head-a", HEAD)
    assert [stat.S_IMODE(p.stat().st_mode) for p in (folder, folder / "accounts.db")] == [0o700, 0o600]


@pytest.mark.unit
def test_a_damaged_and_a_later_file_are_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "accounts.db"
    file.write_bytes(b"no database" * 1000)
    for call in (lambda: accounts(tmp_path).every(), lambda: accounts(tmp_path, "head-a")):
        with pytest.raises(ChuError, match=r"accounts\.db cannot be used \(SQLITE_NOTADB\)"):
            call()
    file.unlink()
    accounts(tmp_path, "head-a")
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(ChuError, match="later version"):
        accounts(tmp_path).every()


@pytest.mark.unit
def test_a_file_of_the_version_before_is_read_and_goes_on(tmp_path: Path) -> None:
    accounts(tmp_path, "head-a")
    connection = sqlite3.connect(tmp_path / "accounts.db")
    connection.executescript("ALTER TABLE held DROP COLUMN professional; PRAGMA user_version = 1")
    connection.close()
    assert accounts(tmp_path).principal("head-a") == Principal("head-a", (HEAD,))
    own = Held(Profile.PRACTITIONER, Purpose.CARE_QUALITY, LATER, professional="ab" * 16)
    found = accounts(tmp_path, "own", held=own)
    assert found.principal("own") == Principal("own", (own,))


@pytest.mark.unit
def test_professionals_get_other_pseudonyms(tmp_path: Path) -> None:
    own = Held(Profile.PRACTITIONER, Purpose.CARE_QUALITY, LATER, professional="old")
    found = accounts(tmp_path, "own-a", "own-b", held=own)
    found.add("own-c", replace(own, professional="other"))
    found.rename_professionals({"old": "new"}.get)
    found.rename_professionals({"old": "new"}.get)
    assert [a.grants[0].held.professional for a in found.every()] == ["new", "new", "other"]


@pytest.mark.integration
def test_several_processes_write_at_once_and_nothing_is_lost(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write, args=(tmp_path, number)) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0] * WRITERS
    assert len(accounts(tmp_path).every()) == WRITERS * ACCOUNTS_EACH
    assert sorted(p.name for p in tmp_path.iterdir()) == ["accounts.db"]


def _write(folder: Path, number: int) -> None:
    accounts(folder, *(f"head-{number}-{i}" for i in range(ACCOUNTS_EACH)))
