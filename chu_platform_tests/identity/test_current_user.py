"""Who runs a command."""

import os
import pwd
from pathlib import Path

import pytest

from chu_platform.errors import ChuError
from chu_platform.identity.accounts import Accounts
from chu_platform.identity.command_login import forget_token, keep_token, kept_token
from chu_platform.identity.current_user import current_user
from chu_platform.identity.person import OWNER
from chu_platform.identity.principal import ANYBODY, Principal
from chu_platform.identity.sessions import Sessions
from chu_platform.settings import Access, Settings
from chu_platform.tables.access_policy import Profile
from chu_platform_tests.identity.people import HEAD, OPERATOR

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the sign-in of this user."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def settings_of(home: Path, access: Access = "open") -> Settings:
    return Settings(_env_file=None, home=home, access=access)


def test_the_owner_of_the_home_holds_all_profiles_where_access_is_open(tmp_path: Path) -> None:
    assert current_user(settings_of(tmp_path)) == OWNER
    assert current_user(settings_of(tmp_path / "new")) == OWNER
    assert {held.profile for held in OWNER.held} == set(Profile)
    for access in ("accounts", "oidc"):
        assert current_user(settings_of(tmp_path, access)) == ANYBODY


def test_anybody_else_is_the_account_of_the_user_of_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of(tmp_path)
    accounts = Accounts(settings.accounts_folder)
    accounts.add("head-a", HEAD, "61234")
    # Anybody can set these.
    for name in ("USER", "LOGNAME", "SUDO_USER", "SUDO_UID"):
        monkeypatch.setenv(name, "61234")
    monkeypatch.setattr(os, "geteuid", lambda: 61235)
    assert current_user(settings) == ANYBODY
    monkeypatch.setattr(os, "geteuid", lambda: 61234)
    assert current_user(settings) == Principal("head-a", (HEAD,))


def test_the_owner_can_have_an_account_where_access_is_not_open(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "accounts")
    Accounts(settings.accounts_folder).add("operator", OPERATOR, pwd.getpwuid(os.geteuid()).pw_name)
    assert current_user(settings) == Principal("operator", (OPERATOR,))


def test_a_sign_in_counts_before_all_else_and_its_end_is_told(tmp_path: Path, state: Path) -> None:
    settings = settings_of(tmp_path)
    accounts = Accounts(settings.accounts_folder)
    accounts.add("head-a", HEAD)
    sessions = Sessions.of(settings)
    keep_token(settings, sessions.begin_with_link(sessions.new_link("head-a")))
    (file,) = (state / "chu").iterdir()
    assert file.stat().st_mode & 0o077 == 0
    assert current_user(settings) == Principal("head-a", (HEAD,))
    assert current_user(settings_of(tmp_path / "other")) == OWNER, "the sign-in is that of one deployment"
    accounts.remove("head-a")
    with pytest.raises(ChuError, match="has ended"):
        current_user(settings)
    forget_token(settings)
    assert kept_token(settings) is None
    assert current_user(settings) == OWNER
