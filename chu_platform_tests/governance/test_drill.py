"""The drill of backup and restoration: what it copies, what it finds, and that a wiped lake comes back as it was."""

import hashlib
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest

from chu_platform.errors import ChuError
from chu_platform.governance import drill as module
from chu_platform.governance.drill import drill, last_drill
from chu_platform.graph.dagster_instance import open_instance
from chu_platform.settings import Settings
from chu_platform.storage.lake import Lake
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.storage.small_table import put, rows_of, visits


def everything(folder: Path) -> dict[str, str]:
    """The fingerprints of all files of a folder, without locks and temporary files, by relative path."""
    return {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and ".staging" not in file.parts
    }


@pytest.mark.system
def test_what_is_wiped_comes_back_as_it_was(made: Home, tmp_path: Path) -> None:
    home = made.copy(tmp_path / "home")
    folder = tmp_path / "drill"
    before = everything(home.folder / "lake")
    done = home.chu("drill", str(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    assert everything(home.folder / "lake") == before
    result = last_drill(Settings(home=home.folder))
    assert result is not None
    assert result.succeeded
    assert result.files >= len(before)
    # The disaster: the lake, its key and Dagster's storage are gone.
    for name in ("lake", "secrets", "dagster"):
        shutil.rmtree(home.folder / name)
    assert home.chu("verify").returncode == 1
    for name in ("lake", "dagster"):
        shutil.copytree(folder / "backup" / name, home.folder / name)
    shutil.copytree(folder / "secrets", home.folder / "secrets")
    verified = home.chu("verify")
    assert verified.returncode == 0, verified.stdout
    assert everything(home.folder / "lake") == before
    # The key and the history of runs are back as well: no table is made of other rows.
    assert list((home.folder / "dagster" / "history" / "runs").glob("*.db"))
    home.materialize("--select", "group:facts")
    assert everything(home.folder / "lake" / "pseudonymised" / "facts") == {
        path.removeprefix("pseudonymised/facts/"): hash_
        for path, hash_ in before.items()
        if path.startswith("pseudonymised/facts/")
    }


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A home with a lake of one table, a key, and Dagster's storage."""
    settings = Settings(_env_file=None, home=tmp_path / "home", sources=tmp_path / "pack")
    put(Lake(settings.lake_folder), visits(), rows_of({"2017": ["a", "b"]}))
    settings.secrets_folder.mkdir(mode=0o700)
    (settings.secrets_folder / "pseudonymisation.key").write_text("ab" * 32, encoding="ascii")
    (settings.secrets_folder / "pseudonymisation.key").chmod(0o600)
    settings.needs_file.write_text("need,reader\n", encoding="utf-8")
    return settings


@pytest.fixture
def no_verification(monkeypatch: pytest.MonkeyPatch) -> None:
    """`chu verify` on what is restored is part of the system test."""
    monkeypatch.setattr(module, "_verified", lambda *_: [])


@pytest.mark.integration
@pytest.mark.usefixtures("no_verification")
def test_everything_is_copied_with_its_rights(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "")
    folder = tmp_path / "drill"
    with open_instance(settings) as instance:
        # Somebody uses the database of the accounts: the last change is not in its main file yet.
        accounts = settings.secrets_folder / "accounts.db"
        with closing(sqlite3.connect(accounts, isolation_level=None)) as used:
            used.execute("PRAGMA journal_mode = WAL")
            used.execute("CREATE TABLE account (name TEXT)")
            used.execute("INSERT INTO account VALUES ('one')")
            for _ in range(2):
                # The second drill replaces the first one.
                assert drill(settings, instance, folder, lambda _: None) == []
    home = folder / "home"
    assert everything(home / "lake") == everything(settings.lake_folder)
    assert (home / "needs.csv").read_bytes() == settings.needs_file.read_bytes()
    assert (home / "secrets" / "pseudonymisation.key").stat().st_mode & 0o777 == 0o600
    assert (home / "lake" / "restricted").stat().st_mode & 0o777 == 0o700
    assert folder.stat().st_mode & 0o777 == 0o700
    with closing(sqlite3.connect(home / "secrets" / "accounts.db")) as restored:
        assert restored.execute("SELECT name FROM account").fetchall() == [("one",)]
    assert not list(home.rglob("*-wal"))
    found = last_drill(settings)
    assert found is not None
    assert (found.succeeded, found.files) == (True, len(json.loads((folder / "manifest.json").read_text())))


@pytest.mark.integration
def test_what_does_not_come_back_is_named(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "")

    def damage(_settings: Settings, home: Path) -> list[str]:
        manifest = json.loads((home.parent / "manifest.json").read_text())
        (home / "needs.csv").write_text("another\n", encoding="utf-8")
        (home / "lake" / "format.json").unlink()
        (home / "secrets" / "pseudonymisation.key").unlink()
        return list(module._differences(home.parent, manifest))

    monkeypatch.setattr(module, "_verified", damage)
    with open_instance(settings) as instance:
        found = drill(settings, instance, tmp_path / "drill", lambda _: None)
    assert found == [
        "lake/format.json is in the backup, and was not restored",
        "needs.csv is not as it was backed up",
        "secrets/pseudonymisation.key is not as it was backed up",
    ]
    recorded = last_drill(settings)
    assert recorded is not None
    assert not recorded.succeeded


@pytest.mark.integration
def test_a_drill_harms_nothing_else(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "")
    other = tmp_path / "other"
    other.mkdir()
    (other / "photo.jpg").write_bytes(b"x")
    with open_instance(settings) as instance:
        for folder, message in (
            (settings.home / "drill", "contain each other"),
            (tmp_path, "contain each other"),
            (other, "neither an empty folder nor one of an earlier drill"),
        ):
            with pytest.raises(ChuError, match=message):
                drill(settings, instance, folder, lambda _: None)
        assert list(other.iterdir()) == [other / "photo.jpg"]
        shutil.rmtree(settings.lake_folder)
        with pytest.raises(ChuError, match=r"there is no lake in .*: run `chu materialize` first"):
            drill(settings, instance, tmp_path / "drill", lambda _: None)
        assert not (tmp_path / "drill").exists()


@pytest.mark.integration
def test_a_run_in_progress_is_not_backed_up(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "")

    @dg.job
    def nothing() -> None:
        """A job without steps."""

    with open_instance(settings) as instance:
        instance.create_run_for_job(nothing, status=dg.DagsterRunStatus.STARTED)
        with pytest.raises(ChuError, match="a run is in progress"):
            drill(settings, instance, tmp_path / "drill", lambda _: None)
    assert not (tmp_path / "drill").exists()
