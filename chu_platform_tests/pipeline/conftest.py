"""The pack with canaries, and the lake made from it."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from chu_platform.care_database.embedded_postgres import EmbeddedPostgres
from chu_platform_tests.conftest import once
from chu_platform_tests.pipeline.canaries import WORD, plant_in_database, plant_in_files
from chu_platform_tests.pipeline.home import Home

MARKED = "marked"
MARKED_COPY = "marked_copy"


# What is made of rows of persons up to the facts, a published table that is made of them, and the reports. The other
# tables are made of these. All tables: `test_canaries_everywhere`.
OF_PERSONS = " or ".join(
    [
        *(f"+key:facts/fact_{name}" for name in ("consultation", "hospitalisation", "prescription", "follow_up")),
        "+key:dimensions/bridge_professional_establishment",
        "+key:published/kpi_deaths_by_region",
        "group:reports",
    ]
)


@dataclass(frozen=True)
class Marked:
    """A home made from the marked pack by a main job without failure, with the same keys, and the output of the job.

    The run has read the care database of CHU_POSTGRES_URL, whose address has a password.
    """

    home: Home
    printed: str


@pytest.fixture(scope="session")
def marked_pack(pack: Path, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack that differs from the shared one in its identities and some rows, as a later delivery may."""

    def make(folder: Path) -> None:
        plant_in_files(pack, folder / "pack")
        dump = folder / "pack" / "BDD PostgreSQL" / "DATA2023"
        plant_in_database(postgres, dump, MARKED)
        postgres.dump(MARKED, dump)

    return once(tmp_path_factory, "marked-delivery", make) / "pack"


@pytest.fixture(scope="session")
def marked(
    made: Home, marked_pack: Path, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Marked:
    """The lake of the marked pack. Tests must not change it."""

    def home_in(folder: Path) -> Home:
        return Home(folder / "home", marked_pack, {"CHU_SECRETS": str(made.secrets)})

    def make(folder: Path) -> None:
        postgres.restore(marked_pack / "BDD PostgreSQL" / "DATA2023", MARKED_COPY)
        url = postgres.url(MARKED_COPY).replace("@/", f":{WORD}password@/")
        home = home_in(folder)
        done = Home(home.folder, home.pack, {**home.settings, "CHU_POSTGRES_URL": url}).materialize(
            "--select", OF_PERSONS
        )
        (folder / "printed").write_text(done.stdout + done.stderr, encoding="utf-8")

    folder = once(tmp_path_factory, "marked", make)
    return Marked(home_in(folder), (folder / "printed").read_text(encoding="utf-8"))
