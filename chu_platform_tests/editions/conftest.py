"""The lake with its first edition, a corrected copy of it, and an engine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chu_platform.engine.engine import Engine
from chu_platform_tests.editions.corrected_lake import correct, settings_of
from chu_platform_tests.pipeline.home import Home


@pytest.fixture(scope="module")
def first(made: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The lake with its first edition. Nobody may change it."""
    return made.copy(tmp_path_factory.mktemp("editions") / "home")


@pytest.fixture
def home(first: Home, tmp_path: Path) -> Home:
    """A lake whose next edition has other figures: 40 more stays in the first whole year."""
    home = first.copy(tmp_path / "home")
    correct(home.lake, 40)
    return home


@pytest.fixture(scope="module")
def engine(first: Home) -> Iterator[Engine]:
    """One engine for all releases: it takes longer to start than an edition to be made."""
    engine = Engine(settings_of(first))
    yield engine
    engine.close()
