"""What several test packages share: one pack, its care database, and the lake made of it by the real command."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chu_platform.care_database.server import EmbeddedPostgres
from chu_platform.demo.pack import write_pack
from chu_platform_tests.pipeline.home import Home

CARE = "care"


@pytest.fixture(scope="session")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small synthetic pack, written once; its expected indicators lie beside it. Nobody may change it."""
    folder = tmp_path_factory.mktemp("delivery") / "pack"
    write_pack(folder, 0.001, progress=lambda _: None)
    return folder


@pytest.fixture(scope="session")
def made(pack: Path, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home whose lake `chu materialize` has made of the pack, on the embedded engine. Nobody may change it."""
    home = Home(tmp_path_factory.mktemp("embedded") / "home", pack)
    home.materialize()
    return home


@pytest.fixture(scope="session")
def postgres(pack: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A server of the tests' own, with the dump of the pack in the database `care`. Nobody may change that one."""
    with EmbeddedPostgres(tmp_path_factory.mktemp("postgres")) as server:
        server.restore(pack / "BDD PostgreSQL" / "DATA2023", CARE)
        yield server
