"""A lake that a test may spoil, with a delivery of its own."""

import shutil
from pathlib import Path

import pytest

from chu_platform.settings import Settings
from chu_platform_tests.pipeline.home import Home


def settings_of(home: Home, pack: Path | None = None) -> Settings:
    """The settings by which the commands run in a home; `pack` takes the place of its own."""
    return Settings(home=home.folder, sources=pack or home.pack)


@pytest.fixture(scope="session")
def home(made: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The made lake, elsewhere: what looks at it needs temporary files beside it, and keeps a log of who saw rows."""
    return made.copy(tmp_path_factory.mktemp("traced") / "home")


def spoilable(made: Home, folder: Path) -> Home:
    """A copy of a home and of its pack."""
    shutil.copytree(made.pack, folder / "pack")
    return made.copy(folder / "home", folder / "pack")
