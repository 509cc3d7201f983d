"""`chu user`, `chu login` and `chu logout`, and servers that do not start."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from chu_platform.cli import app
from chu_platform.errors import ChuError
from chu_platform.identity.current_user import current_user
from chu_platform.identity.principal import Principal
from chu_platform.identity.sessions import Sessions, SignInRefused
from chu_platform.portal import __main__ as portal
from chu_platform.settings import Settings, load_settings
from chu_platform.tables.access_policy import Profile, Purpose
from chu_platform_tests.identity.people import HEAD, PASSWORD
from chu_platform_tests.signin.browsers import account, browser, keep, settings_of

pytestmark = pytest.mark.unit

ADD = ("user", "add", "head-a", "--profile", "head", "--purpose", "steering", "--expires", "2027-06-30")


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("CHU_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CHU_ACCESS", "accounts")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return load_settings()


def chu(*arguments: str, typed: str = "") -> Result:
    """What a command did; `typed` is its standard input. Any error but that of the command line is raised."""
    done = CliRunner().invoke(app, arguments, input=typed)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def test_accounts_are_added_listed_and_removed() -> None:
    assert chu("user", "list").stdout == "there is no account\n"
    added = chu(*ADD, "--establishment", "F010000024", "--establishment", "2a0000014", "--system-user", "marie")
    assert "chu user link head-a gives a link" in added.stdout
    chu("user", "add", "auditor", "--profile", "auditor", "--purpose", "audit", "--expires", "2027-01-01")
    listed = chu("user", "list").stdout.splitlines()
    assert listed[0].startswith("auditor, no password: auditor for audit until 2027-01-01, reviewed ")
    assert "head-a (system user marie), no password: head of 010000024 2A0000014 for steering until" in listed[1]
    assert chu("user", "review", "head-a").stdout == "the grants of head-a are reviewed\n"
    assert chu("user", "remove", "head-a", "--profile", "head").stdout == "head-a is not head any more\n"
    assert "head-a (system user marie), no password: nothing" in chu("user", "list").stdout
    assert chu("user", "remove", "head-a").stdout == "head-a is removed\n"
    with pytest.raises(ChuError, match="there is no account head-a"):
        chu("user", "link", "head-a")


@pytest.mark.parametrize(
    ("changed", "to"),
    [("head", "chief"), ("steering", "pleasure"), ("2027-06-30", "30/06/2027"), ("head-a", "--help-me")],
)
def test_a_wrong_command_line_is_status_2(changed: str, to: str) -> None:
    arguments = [to if argument == changed else argument for argument in ADD]
    assert chu(*arguments, "--establishment", "010000024").exit_code == 2


def test_a_purpose_for_which_no_table_opens_is_refused() -> None:
    with pytest.raises(ChuError, match="no table opens to head for research: give --purpose steering"):
        chu(*(part if part != "steering" else "research" for part in ADD), "--establishment", "010000024")
    with pytest.raises(ChuError, match="give --purpose research or steering"):
        chu("user", "add", "ana", "--profile", "analyst", "--purpose", "audit", "--expires", "2027-01-01")
    assert chu("user", "list").stdout == "there is no account\n"


def test_a_link_leads_to_the_portal_of_the_settings(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    chu(*ADD, "--establishment", "010000024")
    link = chu("user", "link", "head-a").stdout.strip()
    assert link.startswith("http://127.0.0.1:3001/lien/")
    assert browser(settings).get(link).status_code == 200
    monkeypatch.setenv("CHU_PORTAL_URL", "https://portail.chu.example/")
    assert chu("user", "link", "head-a").stdout.startswith("https://portail.chu.example/lien/")
    assert chu("user", "link", "head-a", "--hours", "200").exit_code == 2


def test_login_makes_the_next_commands_those_of_the_account(settings: Settings) -> None:
    account(settings)
    with pytest.raises(SignInRefused) as refused:
        chu("login", "head-a", typed="not my password\n")
    assert "not my password" not in str(refused.value)
    done = chu("login", "head-a", typed=f"{PASSWORD}\n")
    assert done.stdout == "signed in as head-a; end it with chu logout\n"
    assert current_user(settings) == Principal("head-a", (HEAD,))
    chu("user", "add", "auditor", "--profile", "auditor", "--purpose", "audit", "--expires", "2027-01-01")
    # A one-time token, such as the code of the page /moi.
    chu("login", typed=f"{Sessions.of(settings).new_link('auditor')}\n")
    found = current_user(settings)
    assert found.name == "auditor"
    assert [(held.profile, held.purpose) for held in found.held] == [(Profile.AUDITOR, Purpose.AUDIT)]
    assert chu("logout").stdout == "signed out\n"
    assert current_user(settings).name == "public"
    assert chu("logout").stdout == "nobody was signed in\n"


def test_no_option_takes_a_password() -> None:
    for command in (("user", "add"), ("user", "link"), ("login",)):
        shown = chu(*command, "--help").stdout.lower()
        assert "--password" not in shown


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"CHU_ACCESS": "open"}, "CHU_ACCESS=open serves this machine only"),
        ({}, "sign-in beyond this machine needs TLS"),
        ({"CHU_TLS_CERTIFICATE": "/nowhere/c.pem", "CHU_TLS_KEY": "/nowhere/k.pem"}, "does not exist"),
    ],
)
def test_a_server_that_would_not_be_safe_does_not_start(
    given: dict[str, str], why: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.argv", ["portal", "3001", "--host", "0.0.0.0"])
    with pytest.raises(SystemExit) as stopped:
        portal.run()
    told = capsys.readouterr().err
    assert stopped.value.code == 1
    assert told.startswith("portal: ") and why in told and told.count("\n") == 1
    monkeypatch.setenv("CHU_LISTEN", "0.0.0.0")
    with pytest.raises(ChuError, match=why):
        chu("serve")


def test_accounts_that_cannot_be_read_open_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = settings_of(tmp_path)
    account(settings)
    client = browser(settings)
    keep(client, "any")
    (settings.accounts_folder / "accounts.db").write_bytes(b"damaged" * 1000)
    assert client.get("/who").text == "public"
    assert client.get("/own").status_code == 303
    unavailable = client.get("/lien/x")
    assert (unavailable.status_code, "indisponible" in unavailable.text) == (503, True)
    told = capsys.readouterr().err
    assert "cannot be used (SQLITE_NOTADB)" in told
    assert "Traceback" not in told
