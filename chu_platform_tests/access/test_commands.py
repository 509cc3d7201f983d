"""What commands print to which account: nothing outside its grants, and each answer is in the journal."""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from chu_platform.access.entries import Answer, Entry
from chu_platform.access.journal import Journal
from chu_platform.identity.accounts import Accounts
from chu_platform.identity.current_user import _system_user
from chu_platform.identity.principal import Held
from chu_platform.kpis.kpi_consultation_rate_by_establishment import EXACT
from chu_platform.tables.access_policy import Profile, Purpose
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import rows

pytestmark = pytest.mark.integration

KPI = ("kpi", "consultation_rate_by_establishment", "--json")
TRACED = "published/kpis/kpi_consultation_rate_by_establishment"
Row = Mapping[str, Any]


@pytest.fixture(scope="module")
def places(made: Home) -> Sequence[Row]:
    """The rows of the years of establishments, the largest first."""
    found = rows(made.lake, EXACT).to_pylist()
    sites = [r for r in found if r["level"] == "establishment" and r["period_grain"] == "year" and r["code"][0] == "F"]
    return sorted(sites, key=lambda r: (-r["consultations"], r["code"]))


@pytest.fixture(scope="module")
def b(places: Sequence[Row]) -> Row:
    """Of another establishment than the largest one."""
    return next(r for r in places if r["code"] != places[0]["code"])


@pytest.fixture
def home(made: Home, tmp_path: Path) -> Home:
    """The shared lake with secrets of its own, and access control."""
    (tmp_path / "secrets").mkdir(mode=0o700)
    settings = {"CHU_SECRETS": str(tmp_path / "secrets"), "CHU_ACCESS": "accounts", "XDG_STATE_HOME": str(tmp_path)}
    return Home(made.folder, made.pack, settings)


def give(home: Home, profile: Profile, purpose: Purpose, *keys: str) -> None:
    """Give the user of this process an account with a profile at the establishments with these keys."""
    sites = frozenset(key.removeprefix("F") for key in keys)
    Accounts(home.secrets / "accounts").add("claire", Held(profile, purpose, date.max, sites), _system_user())


def journal(home: Home) -> Sequence[Answer]:
    entries = [Entry.of_line(line) for line in Journal(home.secrets).lines()]
    return [entry.answer for entry in entries if entry]


def of_year(row: Row, *options: str) -> Sequence[str]:
    year = row["period_start"].year
    return (*KPI, *options, "--from", f"{year}-01", "--to", f"{year}-12")


def assert_denied(home: Home, *arguments: str) -> None:
    """The command prints one sentence and no figure, and the journal has one more entry, a denial."""
    before = len(journal(home))
    done = home.chu(*arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("chu: the account ") and len(done.stderr.splitlines()) == 1
    (entry,) = journal(home)[before:]
    assert (entry.decision, entry.rows) == ("denied", 0)


def test_the_head_of_a_gets_a_and_nothing_else(home: Home, places: Sequence[Row], b: Row) -> None:
    a = places[0]
    give(home, Profile.HEAD, Purpose.STEERING, a["code"])
    done = home.chu(*of_year(a, "--establishment", a["code"]))
    assert (done.returncode, done.stderr) == (0, "")
    (row,) = json.loads(done.stdout)
    assert (row["code"], row["consultations"], row["patients"]) == (a["code"], a["consultations"], a["patients"])
    (entry,) = journal(home)
    assert (entry.principal, entry.profile, entry.rows, entry.decision) == ("claire", "head", 1, "allowed")
    assert a["code"] in entry.filter and str(a["period_start"].year) in entry.filter
    by_number = home.chu(*of_year(a, "--establishment", a["code"].removeprefix("F")))
    assert by_number.stdout == done.stdout
    assert_denied(home, *of_year(b, "--establishment", b["code"]))
    assert_denied(home, "kpi", "hospitalisation_rate", "--json")
    assert_denied(home, "risk", "facts/fact_hospitalisation")
    verified = home.chu("journal", "verify")
    assert (verified.returncode, verified.stdout) == (0, "5 entries, 1 to 5: no findings\n")


@pytest.mark.parametrize("profile", [None, Profile.CLINICIAN, Profile.AUDITOR, Profile.OPERATOR])
def test_who_may_not_see_exact_figures_gets_none(home: Home, places: Sequence[Row], profile: Profile | None) -> None:
    """Of a clinician, small cells are masked: the difference of two ranges would tell them."""
    a = places[0]
    if profile is Profile.CLINICIAN:
        give(home, profile, Purpose.CARE_QUALITY, a["code"])
    elif profile:
        give(home, profile, Purpose.AUDIT)
    assert_denied(home, *of_year(a, "--establishment", a["code"]))
    assert_denied(home, "trace", TRACED, "period_grain=all", "level=total")


def test_a_trace_shows_the_head_of_a_their_cell_without_delivered_rows(
    home: Home, tmp_path: Path, b: Row, places: Sequence[Row]
) -> None:
    home, a = home.copy(tmp_path / "home"), places[0]  # it writes temporary files into the lake
    give(home, Profile.HEAD, Purpose.STEERING, a["code"])
    done = home.chu("trace", TRACED, "period_grain=all", "level=establishment", f"code={a['code']}")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.rstrip().endswith("EQUAL") and "this account has no grant on the delivered tables" in done.stdout
    (entry,) = journal(home)
    assert (entry.decision, entry.rows, entry.profile) == ("allowed", 1, "head")
    assert_denied(home, "trace", TRACED, "period_grain=all", "level=establishment", f"code={b['code']}")
    assert_denied(home, "trace", TRACED, "period_grain=all", "level=total")


def test_the_owner_of_an_open_platform_goes_on_as_before(home: Home) -> None:
    open_home = Home(home.folder, home.pack, {**home.settings, "CHU_ACCESS": "open"})
    done = open_home.chu("risk", "facts/fact_hospitalisation", "--json")
    assert (done.returncode, done.stderr) == (0, "") and json.loads(done.stdout)
    (entry,) = journal(open_home)
    assert (entry.principal, entry.profile, entry.decision) == ("owner", "analyst", "allowed")
    # A journal that cannot be written: no figure.
    file = Journal(open_home.secrets).file
    file.unlink()
    file.mkdir()
    done = open_home.chu("risk", "facts/fact_hospitalisation")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("chu: the access journal ") and "cannot be written" in done.stderr


def test_a_changed_journal_is_found_by_the_command(home: Home, places: Sequence[Row]) -> None:
    assert home.chu("journal", "verify").stdout == "0 entries: no findings\n"
    assert_denied(home, *of_year(places[0]))
    file = Journal(home.secrets).file
    file.write_bytes(file.read_bytes().replace(b'"denied"', b'"allowed"'))
    done = home.chu("journal", "verify")
    assert done.returncode == 1 and done.stdout.startswith("FOUND entry 1, line 1 of ")
