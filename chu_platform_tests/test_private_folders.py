"""Other users of the machine can reach the published zone, and nothing else of CHU_HOME."""

import stat
from collections.abc import Mapping
from pathlib import Path

import pytest

from chu_platform.graph.dagster_instance import exclusive, open_instance
from chu_platform.graph.run_resources import RunResources
from chu_platform.private_folders import protect_folders
from chu_platform.settings import Settings

FOLDERS = {".": 0o711, "dagster": 0o700, "work": 0o700, "secrets": 0o700, "lake": 0o711}
ZONES = {"lake/restricted": 0o700, "lake/pseudonymised": 0o750, "lake/published": 0o755}


def modes(home: Path) -> Mapping[str, int]:
    return {name: stat.S_IMODE((home / name).stat().st_mode) for name in (*FOLDERS, *ZONES)}


@pytest.mark.integration
@pytest.mark.parametrize("exists", [False, True])
def test_only_the_published_zone_can_be_reached(exists: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "")  # put back after the test
    home = tmp_path / "home"
    if exists:  # as earlier versions have made it
        for name in FOLDERS:
            (home / name).mkdir(parents=True, exist_ok=True)
            (home / name).chmod(0o755)
    settings = Settings(_env_file=None, home=home)
    with exclusive(settings), open_instance(settings), RunResources(settings, lambda _: None) as resources:
        assert resources.key is not None
    assert modes(home) == {**FOLDERS, **ZONES}


@pytest.mark.unit
def test_rights_are_only_taken_away(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, home=tmp_path / "home", lake=tmp_path / "for everybody")
    for folder, mode in ((settings.home, 0o700), (settings.dagster_home, 0o500), (settings.lake_folder, 0o1777)):
        folder.mkdir()
        folder.chmod(mode)
    protect_folders(settings)
    found = [stat.S_IMODE(f.stat().st_mode) for f in (settings.home, settings.dagster_home, settings.lake_folder)]
    settings.dagster_home.chmod(0o700)  # so that it can be deleted
    assert found == [0o700, 0o500, 0o1777]
    assert not settings.work_folder.exists()
