"""Copies of the shared lake and its pack for tests that change files."""

import shutil
from pathlib import Path

import pytest

from chu_platform.settings import Settings
from chu_platform_tests.pipeline.home import Home


def settings_of(home: Home, pack: Path | None = None) -> Settings:
    """The settings of a home; `pack` replaces its pack."""
    return Settings(home=home.folder, sources=pack or home.pack)


@pytest.fixture(scope="session")
def home(made: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A copy of the shared lake: `chu trace` writes temporary files into the lake, and into the journal."""
    return made.copy(tmp_path_factory.mktemp("traced") / "home")


def changeable_copy(made: Home, folder: Path) -> Home:
    """A copy of a home and of its pack."""
    shutil.copytree(made.pack, folder / "pack")
    return made.copy(folder / "home", folder / "pack")
