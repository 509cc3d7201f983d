"""The pack with unmistakable identities, and the lake made of it."""

from pathlib import Path
from subprocess import CompletedProcess

import pytest

from chu_platform.care_database.server import EmbeddedPostgres
from chu_platform_tests.pipeline.canaries import WORD, plant_in_database, plant_in_files
from chu_platform_tests.pipeline.home import Home

MARKED = "marked"


@pytest.fixture(scope="session")
def marked_pack(pack: Path, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack like the other one, but for its identities and some rows: what a later delivery may be."""
    target = tmp_path_factory.mktemp("marked-delivery") / "pack"
    plant_in_files(pack, target)
    dump = target / "BDD PostgreSQL" / "DATA2023"
    plant_in_database(postgres, dump, MARKED)
    postgres.dump(MARKED, dump)
    return target


@pytest.fixture(scope="session")
def marked_run(
    made: Home, marked_pack: Path, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Home, CompletedProcess[str]]:
    """A home made of the marked pack by one undisturbed run, with the same keys, and what the run printed.

    It reads the care database where CHU_POSTGRES_URL says, with a password.
    """
    url = postgres.url(MARKED).replace("@/", f":{WORD}password@/")
    settings = {"CHU_POSTGRES_URL": url, "CHU_SECRETS": str(made.secrets)}
    home = Home(tmp_path_factory.mktemp("marked") / "home", marked_pack, settings)
    return home, home.materialize()
