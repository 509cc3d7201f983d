"""The whole pipeline with the lake in an object store, each zone with credentials of its own."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chu_platform.engine.engine import Engine
from chu_platform.settings import Settings
from chu_platform.storage.lake import Lake, active_files
from chu_platform.storage.store import lake_root
from chu_platform.storage.store_path import StorePath, StoreUnavailable
from chu_platform.tables.table import Layer, Table, Zone
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import differences, every_table, rows
from chu_platform_tests.storage.s3_server import BUCKET, S3Server, s3_server

pytestmark = pytest.mark.system
pytest.importorskip("moto", reason="moto is not installed")

LAKE = f"s3://{BUCKET}/hospital"
# Who works for the platform may write in all zones, because one engine reads and writes all of them.
USERS = {
    "restricted": ["hospital/"],
    "pseudonymised": ["hospital/pseudonymised/"],
    "published": ["hospital/published/"],
}
FACT = "pseudonymised/facts/fact_death"
# A program that kills itself when the engine has written the files of a table.
DIES_BEFORE_THE_CHECKS = """
import os, signal
from chu_platform.graph import step
step.examine = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
from chu_platform.cli import main
main()
"""
STRANGER = "stranger"
FAILURE = "the credentials are refused"
CELL = ("published/kpis/kpi_deaths_by_region", "year=2019", "region_code=11")
COMMANDS = (
    ("materialize",),
    ("verify",),
    ("verify", "--repair"),
    ("upgrade",),
    ("kpi", "kpi_deaths_by_region"),
    ("trace", *CELL),
    ("rebuild", CELL[0], "--as-of", "0"),
    ("restore", "facts/fact_death", "0"),
    ("dictionary", "documents"),
    ("portal", "export", "pages"),
    ("serve", "--port", "3990"),
    ("serve", "--port", "3990", "--read-only"),
)


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server() as running:
        running.create_users({**USERS, STRANGER: []})
        yield running


def home_of(server: S3Server, folder: Path, made: Home, **users: str) -> Home:
    """A home whose lake is in the store; `users` are those of the zones. A zone without one has the stranger's."""
    folder.mkdir()
    options = {
        f"CHU_LAKE_OPTIONS_{zone.upper()}": str(server.options_file(folder / zone, user))
        for zone, user in users.items()
    }
    settings = {"CHU_LAKE": LAKE, "CHU_SECRETS": str(made.secrets), **options, **server.options(STRANGER)}
    return Home(folder / "home", made.pack, settings)


def lake_of(home: Home) -> Lake:
    """The lake of a home in the store."""
    options: dict[str, Any] = {
        f"lake_options_{zone}": home.settings[f"CHU_LAKE_OPTIONS_{zone.upper()}"] for zone in Zone
    }
    return Lake(lake_root(Settings(_env_file=None, home=home.folder, lake=LAKE, **options)))


@pytest.fixture(scope="module")
def stored(server: S3Server, made: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home whose lake in the store was made by `chu materialize`, on the embedded engine."""
    folder = tmp_path_factory.mktemp("stored") / "stored"
    home = home_of(server, folder, made, **{zone: zone for zone in USERS})
    home.materialize()
    return home


def versions(lake: Lake) -> dict[str, int]:
    return {table.folder: lake.version(table) for table in every_table()}


def place(lake: Lake, table: Table) -> StorePath:
    found = lake.place_of(table)
    assert isinstance(found, StorePath)
    return found


def test_the_tables_are_those_of_a_lake_in_a_folder(made: Home, stored: Home) -> None:
    lake = lake_of(stored)
    compared = [t for t in every_table() if t.layer not in (Layer.REPORTS, Layer.REJECTS)]
    found = {t.folder: differences(rows(made.lake, t), rows(lake, t)) for t in compared}
    assert {folder: texts for folder, texts in found.items() if texts} == {}


def test_nothing_is_made_twice_and_the_lake_is_sound(stored: Home) -> None:
    before = versions(lake_of(stored))
    again = stored.materialize()
    assert "up to date" in again.stdout
    assert versions(lake_of(stored)) == before
    verified = stored.chu("verify")
    assert (verified.returncode, "no findings" in verified.stdout) == (0, True), verified.stdout + verified.stderr


def test_a_killed_run_leaves_nothing_visible_and_the_next_one_ends(stored: Home) -> None:
    lake = lake_of(stored)
    (fact,) = (t for t in every_table() if t.folder == FACT)
    before, files = versions(lake), set(place(lake, fact).names())
    dying = stored.start("materialize", "--force", "--select", "key:facts/fact_death", program=DIES_BEFORE_THE_CHECKS)
    dying.communicate(timeout=3600)
    assert dying.returncode == -signal.SIGKILL
    assert versions(lake) == before
    left = {name for name in set(place(lake, fact).names()) - files if name.endswith(".parquet")}
    assert left
    # It waits until the lease of the killed run expires.
    stored.materialize("--force", "--select", "key:facts/fact_death")
    assert versions(lake) == before
    assert left <= set(lake.require(fact).vacuum(0, dry_run=True, enforce_retention_duration=False, full=True))


def test_damage_is_found_and_repaired(stored: Home) -> None:
    lake = lake_of(stored)
    (fact,) = (t for t in every_table() if t.folder == FACT)
    (exact,) = (t for t in every_table() if t.folder == "pseudonymised/kpis/kpi_deaths_by_region")
    expected = rows(lake, fact), rows(lake, exact)
    lost = active_files(lake.require(fact))[0]["path"]
    (place(lake, fact) / lost).unlink()
    newest = [n for n in place(lake, exact).names() if n.startswith("_delta_log/") and n.endswith(".json")][-1]
    (place(lake, exact) / newest).write_bytes(b"")
    found = stored.chu("verify")
    assert found.returncode == 1
    assert f"{fact.folder}: its file {lost} does not exist" in found.stdout + found.stderr
    assert f"the log of {exact.folder} cannot be read" in found.stdout + found.stderr
    repaired = stored.chu("verify", "--repair")
    assert (repaired.returncode, "no findings" in repaired.stdout) == (0, True), repaired.stdout + repaired.stderr
    assert (rows(lake, fact), rows(lake, exact)) == expected
    past = stored.chu("restore", "facts/fact_death", "0")
    assert (past.returncode, f"{FACT} cannot go back to version 0" in past.stderr) == (1, True), past.stderr


def test_maintenance_runs_on_every_table(stored: Home) -> None:
    done = stored.materialize("--select", "group:maintenance")
    assert all(f"maintenance of {t.layer}/{t.name}" in done.stdout for t in every_table())


def test_the_portal_needs_the_credentials_of_the_published_zone_only(
    server: S3Server, stored: Home, made: Home, tmp_path: Path
) -> None:
    reader = home_of(server, tmp_path / "reader", made, published="published")
    exported = reader.chu("portal", "export", str(tmp_path / "pages"))
    assert exported.returncode == 0, exported.stderr
    assert (tmp_path / "pages" / "index.html").is_file()
    # The description of the tables came from the lake.
    assert not (reader.folder / "work" / "catalogue.json").exists()
    assert stored.chu("kpi", "kpi_deaths_by_region").returncode == 0
    refused(reader.chu("kpi", "kpi_deaths_by_region"), server)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_refused_credentials_are_one_clear_error(
    server: S3Server, stored: Home, made: Home, tmp_path: Path, command: tuple[str, ...]
) -> None:
    assert stored.settings["CHU_LAKE"] == LAKE  # the lake exists
    refused(home_of(server, tmp_path / "stranger", made).chu(*command), server)


def refused(done: "subprocess.CompletedProcess[str]", server: S3Server) -> None:
    """Check that a command has failed with one line that says why, without a word of the store or a secret."""
    printed = done.stdout + done.stderr
    assert done.returncode == 1, printed
    assert len([line for line in printed.splitlines() if f"the lake {LAKE} cannot be used: {FAILURE}" in line]) == 1
    hidden = [value for user in server.users.values() for value in user]
    assert [w for w in ("Traceback", "arn:", "<Error>", "Forbidden", server.url, *hidden) if w in printed] == []


def test_the_engine_says_that_its_credentials_are_refused(server: S3Server, stored: Home, tmp_path: Path) -> None:
    options = server.options_file(tmp_path / "options", STRANGER)
    settings = Settings(_env_file=None, home=tmp_path, lake=LAKE, lake_options_restricted=options)
    (table,) = (t for t in every_table() if t.folder == "published/kpis/kpi_deaths_by_region")
    engine = Engine(settings)
    try:
        with pytest.raises(StoreUnavailable, match="the credentials of the engine are refused while computing"):
            engine.arrow(engine.query("SELECT * FROM {t}", {"t": engine.read(lake_of(stored).place_of(table), 0)}))
    finally:
        engine.close()
