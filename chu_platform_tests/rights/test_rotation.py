"""The key is rotated: other pseudonyms, the same figures, and the old key is of no use any more."""

import shutil
from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path

import pytest

from chu_platform.kpis.kpi_consultation_rate_by_professional import kpi_consultation_rate_by_professional
from chu_platform.pseudonymisation.key_process import key_files
from chu_platform.rights import rotate as module
from chu_platform.storage.lake import Lake
from chu_platform.storage.provenance import KEY, data_commits
from chu_platform.tables.table import Layer
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import digests
from chu_platform_tests.rights.erasing import contents, rows_of

pytestmark = pytest.mark.system

PSEUDONYMS = {
    "restricted/pseudonyms/patient_pseudonym": "patient_key",
    "restricted/pseudonyms/professional_pseudonym": "professional_key",
    "restricted/pseudonyms/stay_surrogate": "stay_key",
    "restricted/pseudonyms/consultation_surrogate": "consultation_key",
}


@dataclass(frozen=True)
class Rotated:
    """A home whose key was rotated, after a kill; the same home before; and a copy of the old key."""

    home: Home
    before: Home
    old_key: Path


@pytest.fixture(scope="module")
def rotated(made: Home, tmp_path_factory: pytest.TempPathFactory) -> Rotated:
    folder = tmp_path_factory.mktemp("rotation")
    home = made.copy(folder / "home")
    (key,) = key_files(home.secrets)
    old_key = Path(shutil.copy(key, folder))
    dying = f"""
import os, signal
from {module.__name__} import purge_history
from {module.__name__.rpartition(".")[0]} import rotate
rotate.purge_history = lambda lake, tables, report: (purge_history(lake, tables[:3], report), os.kill(os.getpid(), 9))
from chu_platform.cli import main
main()
"""
    process = home.start("keys", "rotate", program=dying)
    printed, _ = process.communicate()
    assert process.returncode == -9, printed[-3000:]
    assert key.exists()
    done = home.chu("keys", "rotate")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return Rotated(home, made, old_key)


def texts(lake: Lake, folder: str, column: str) -> Set[str]:
    return {row[column] for row in rows_of(lake, folder)}


@pytest.mark.parametrize("folder", PSEUDONYMS)
def test_pseudonyms_are_disjoint(rotated: Rotated, folder: str) -> None:
    old, new = (texts(home.lake, folder, PSEUDONYMS[folder]) for home in (rotated.before, rotated.home))
    assert len(old) == len(new) and not old & new


def test_published_figures_are_identical(rotated: Rotated) -> None:
    by_pseudonym = kpi_consultation_rate_by_professional.exact
    old, new = (digests(home.lake) for home in (rotated.before, rotated.home))
    compared = [f for f in old if f"/{Layer.KPIS}/" in f and f != by_pseudonym.folder]
    assert len(compared) > 15
    assert [folder for folder in compared if old[folder] != new[folder]] == []
    rows = [
        sorted(
            str({k: v for k, v in row.items() if k != "professional_key"})
            for row in rows_of(h.lake, by_pseudonym.folder)
        )
        for h in (rotated.before, rotated.home)
    ]
    assert rows[0] == rows[1]


def test_no_old_pseudonym_is_in_a_file_of_the_lake(rotated: Rotated) -> None:
    old = {text.encode() for f, column in PSEUDONYMS.items() for text in texts(rotated.before.lake, f, column)}
    some = sorted(old)[:: max(1, len(old) // 200)]
    for file in (f for f in rotated.home.lake.root.rglob("*") if f.is_file()):
        assert not any(text in content for content in contents(file) for text in some), file


def test_every_pseudonymised_table_names_the_new_key(rotated: Rotated) -> None:
    (key,) = key_files(rotated.home.secrets)
    identifier = key.stem.removeprefix("pseudonymisation-")
    lake = rotated.home.lake
    for folder in ("pseudonymised/facts/fact_consultation", "pseudonymised/kpis/kpi_hospitalisation_rate"):
        assert next(data_commits(lake.root / folder, 10**6))[KEY] == identifier


def test_the_old_key_is_destroyed_and_of_no_use(rotated: Rotated, tmp_path: Path) -> None:
    assert rotated.old_key.name not in [f.name for f in key_files(rotated.home.secrets)]
    secrets = tmp_path / "secrets"
    (secrets / "keys").mkdir(parents=True)
    shutil.copy(rotated.old_key, secrets / "keys")
    home = Home(rotated.home.folder, rotated.home.pack, {"CHU_SECRETS": str(secrets)})
    done = home.chu("materialize")
    assert done.returncode == 1
    assert "where there is only another one: restore the key file from its backup" in done.stderr


def test_the_next_run_and_the_verification_find_nothing_to_do(rotated: Rotated) -> None:
    done = rotated.home.materialize()
    assert "up to date" in done.stdout
    assert rotated.home.chu("verify").returncode == 0
