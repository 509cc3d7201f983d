"""Signing in, sessions, one-time links, and the wait after wrong passwords."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chu_platform.errors import ChuError
from chu_platform.identity import failures, passwords
from chu_platform.identity.passwords import WeakPassword
from chu_platform.identity.person import OWNER
from chu_platform.identity.principal import ANYBODY, Principal
from chu_platform.identity.sessions import IDLE_SECONDS, LINK_SECONDS, MAX_SECONDS, NOTED_EVERY_SECONDS, SignInRefused
from chu_platform.tables.access_policy import Profile
from chu_platform_tests.identity.people import HEAD, OPERATOR, PASSWORD, Clock, accounts, sessions, with_password

pytestmark = pytest.mark.unit

HERE = "192.0.2.1"
AT_ONCE = 20


def test_the_right_password_begins_a_session_and_its_end_ends_it(tmp_path: Path) -> None:
    accounts(tmp_path, "head-a")
    found = with_password(tmp_path, "head-a", Clock())
    token = found.begin_with_password("head-a", PASSWORD, HERE)
    assert found.principal(token) == Principal("head-a", (HEAD,))
    assert sessions(tmp_path, Clock()).principal(token).name == "head-a", "another process knows it"
    found.end(token)
    assert found.principal(token) == found.principal("other") == found.principal(None) == ANYBODY


def test_a_wrong_password_and_an_unknown_account_get_the_same_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts(tmp_path, "head-a", "head-b")
    found = with_password(tmp_path, "head-a", Clock())
    verified = []
    verify = passwords._HASHER.verify

    def noted(stored: str, password: str) -> bool:
        verified.append(stored)
        return verify(stored, password)

    monkeypatch.setattr(type(passwords._HASHER), "verify", lambda _, stored, password: noted(stored, password))
    answers = set()
    for name in ("head-a", "head-b", "nobody", "\ud800"):
        with pytest.raises(SignInRefused) as refused:
            found.begin_with_password(name, "another password", HERE)
        answers.add((str(refused.value), refused.value.wait))
    assert answers == {("the name or the password is wrong", 0)}
    assert len(verified) == 4, "each was compared with a hash, with or without an account"


def test_wrong_passwords_make_an_account_wait_longer_each_time(tmp_path: Path) -> None:
    accounts(tmp_path, "head-a")
    clock = Clock()
    found = with_password(tmp_path, "head-a", clock)

    def attempt(password: str) -> int:
        with pytest.raises(SignInRefused) as refused:
            found.begin_with_password("head-a", password, HERE)
        return refused.value.wait

    assert [attempt("wrong") for _ in range(failures.FREE_OF_ACCOUNT)] == [0] * failures.FREE_OF_ACCOUNT
    waits = []
    for _ in range(9):
        waits.append(attempt(PASSWORD))
        assert attempt(PASSWORD) == waits[-1], "the right password has to wait too, and does not count"
        clock.now += waits[-1]
        assert attempt("wrong") == 0
    assert waits == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]
    clock.now += 3600
    token = found.begin_with_password("head-a", PASSWORD, HERE)
    assert found.principal(token).name == "head-a"
    assert attempt("wrong") == 0, "after a success the count begins again"


def test_an_address_waits_whatever_accounts_it_tries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "is_right", lambda *_: False)
    found = sessions(tmp_path, Clock())

    def attempt(number: int, address: str) -> int:
        with pytest.raises(SignInRefused) as refused:
            found.begin_with_password(f"head-{number}", "wrong", address)
        return refused.value.wait

    # The addresses of one IPv6 customer are one.
    waits = [attempt(number, f"2001:db8::{number:x}") for number in range(failures.FREE_OF_ADDRESS + 1)]
    assert waits == [0] * failures.FREE_OF_ADDRESS + [30]
    assert attempt(0, HERE) == 0


def test_a_session_ends_when_it_is_idle_and_in_any_case(tmp_path: Path) -> None:
    accounts(tmp_path, "head-a")
    clock = Clock()
    found = with_password(tmp_path, "head-a", clock)
    idle = found.begin_with_password("head-a", PASSWORD, HERE)
    used = found.begin_with_password("head-a", PASSWORD, HERE)
    clock.now += IDLE_SECONDS - 1
    assert found.principal(used).name == "head-a"
    clock.now += 1
    assert found.principal(idle) == ANYBODY
    begun = clock.now - IDLE_SECONDS
    while clock.now < begun + MAX_SECONDS:
        assert found.principal(used).name == "head-a"
        # The last request is noted once a minute.
        clock.now += IDLE_SECONDS - NOTED_EVERY_SECONDS
    assert clock.now < begun + MAX_SECONDS + IDLE_SECONDS, "it was used until its end"
    assert found.principal(used) == ANYBODY


def test_a_withdrawal_takes_effect_at_the_next_request(tmp_path: Path) -> None:
    known = accounts(tmp_path, "head-a", "head-b")
    known.add("head-a", OPERATOR)
    clock = Clock()
    found = with_password(tmp_path, "head-a", clock)
    token = found.begin_with_password("head-a", PASSWORD, HERE)
    link = found.new_link("head-a")
    known.remove("head-a", Profile.HEAD)
    assert found.principal(token) == Principal("head-a", (OPERATOR,))
    known.remove("head-a")
    assert found.principal(token) == ANYBODY
    known.add("head-a", HEAD)
    assert found.principal(token) == ANYBODY, "a new account with the same name has no session of the old one"
    assert found.person_of_link(link) is None


def test_a_link_signs_in_once_also_in_a_race(tmp_path: Path) -> None:
    accounts(tmp_path, "head-a")
    found = sessions(tmp_path, Clock())
    link = found.new_link("head-a")

    def use(_: int) -> str | None:
        try:
            return found.begin_with_link(link)
        except SignInRefused:
            return None

    with ThreadPoolExecutor(AT_ONCE) as threads:
        begun = [token for token in threads.map(use, range(AT_ONCE)) if token]
    assert len(begun) == 1
    assert found.principal(begun[0]).name == "head-a"


def test_a_link_expires(tmp_path: Path) -> None:
    accounts(tmp_path, "head-a")
    clock = Clock()
    found = sessions(tmp_path, clock)
    link = found.new_link("head-a")
    clock.now += LINK_SECONDS - 1
    assert found.person_of_link(link) == Principal("head-a", (HEAD,))
    clock.now += 1
    assert found.person_of_link(link) is None
    with pytest.raises(SignInRefused, match="expired"):
        found.begin_with_link(link, PASSWORD)
    with pytest.raises(ChuError, match="there is no account head-b"):
        found.new_link("head-b")


@pytest.mark.parametrize("weak", ["", "too short", "aaaaabbbbbccccc", "head-a is my name", "a" * 9 + "bcdefg" * 50])
def test_a_weak_password_is_refused_and_leaves_the_link(tmp_path: Path, weak: str) -> None:
    accounts(tmp_path, "head-a")
    found = sessions(tmp_path, Clock())
    link = found.new_link("head-a")
    with pytest.raises(WeakPassword) as refused:
        found.begin_with_link(link, weak)
    assert not weak or weak not in str(refused.value)
    assert found.principal(found.begin_with_link(link, PASSWORD)).name == "head-a"


def test_a_new_password_ends_all_sessions_and_links(tmp_path: Path) -> None:
    accounts(tmp_path, "head-a")
    found = with_password(tmp_path, "head-a", Clock())
    mine, stolen = (found.begin_with_password("head-a", PASSWORD, HERE) for _ in range(2))
    link = found.new_link("head-a")
    with pytest.raises(SignInRefused):
        found.set_password(mine, "not my password", "une pomme, un cheval", HERE)
    now = found.set_password(mine, PASSWORD, "une pomme, un cheval", HERE)
    assert [found.principal(t).name for t in (now, mine, stolen)] == ["head-a", "public", "public"]
    assert found.person_of_link(link) is None
    with pytest.raises(SignInRefused):
        found.begin_with_password("head-a", PASSWORD, HERE)
    # However a keyboard composes its accents.
    composed = found.set_password(now, "une pomme, un cheval", "été, forêt, naïf", HERE)
    assert found.principal(composed).name == "head-a"
    assert found.begin_with_password("head-a", "e\u0301te\u0301, fore\u0302t, nai\u0308f", HERE)


def test_a_code_signs_in_as_the_person_of_a_session_and_lives_no_longer(tmp_path: Path) -> None:
    clock = Clock()
    found = sessions(tmp_path, clock, "oidc")
    (tmp_path / "groups.toml").write_text(
        '[[group]]\nname = "g"\nprofile = "operator"\npurpose = "operation"\n'
        "expires = 2027-06-30\nreviewed = 2026-11-30\n"
    )
    token, begun = found.begin_of_subject("8c1", ["g"]), clock.now
    assert found.principal(token) == Principal("oidc:8c1", (OPERATOR,))
    clock.now += IDLE_SECONDS - 1
    found.principal(token)
    code = found.new_code(token)
    assert code
    by_code = found.begin_with_link(code)
    assert found.principal(by_code) == Principal("oidc:8c1", (OPERATOR,))
    assert found.new_code("other") is None
    while clock.now < begun + MAX_SECONDS:
        assert found.principal(by_code).name == "oidc:8c1"
        clock.now += IDLE_SECONDS - NOTED_EVERY_SECONDS
    assert found.principal(by_code) == ANYBODY, "its day began with the session"


def test_only_the_way_of_signing_in_of_the_settings_counts(tmp_path: Path) -> None:
    accounts(tmp_path, "head-a")
    clock = Clock()
    opened = sessions(tmp_path, clock, "open")
    owner = opened.begin_with_link(opened.new_link("owner"))
    account = opened.begin_with_link(opened.new_link("head-a"))
    subject = opened.begin_of_subject("8c1", [])
    held = {
        access: [sessions(tmp_path, clock, access).principal(t) for t in (owner, account, subject)]
        for access in ("open", "accounts", "oidc")
    }
    head, somebody = Principal("head-a", (HEAD,)), Principal("oidc:8c1", ())
    assert held == {
        "open": [OWNER, head, ANYBODY],
        "accounts": [ANYBODY, head, ANYBODY],
        "oidc": [ANYBODY, ANYBODY, somebody],
    }
    with pytest.raises(SignInRefused, match="identity provider"):
        sessions(tmp_path, clock, "oidc").begin_with_password("head-a", PASSWORD, HERE)
    assert opened.end_of_subject("8c1") == 1
    assert sessions(tmp_path, clock, "oidc").principal(subject) == ANYBODY


def test_no_secret_and_no_entered_name_is_stored(tmp_path: Path) -> None:
    accounts(tmp_path, "head-a")
    found = with_password(tmp_path, "head-a", Clock())
    secrets = [
        found.begin_with_password("head-a", PASSWORD, HERE),
        found.new_link("head-a"),
        PASSWORD,
        "typed into the wrong field",
        HERE,
    ]
    with pytest.raises(SignInRefused):
        found.begin_with_password(secrets[3], "x", HERE)
    stored = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"$argon2id$" in stored
    assert [secret for secret in secrets if secret.encode() in stored] == []
