"""A patient is erased: nothing is found any more, everything else is as if the patient had never been delivered."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from deltalake import DeltaTable

from chu_platform.care_database.embedded_postgres import EmbeddedPostgres
from chu_platform.pseudonymisation.opposition import opposition
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import digests
from chu_platform_tests.rights.erasing import Canary, canary_of, pack_without, rows_of, traces

pytestmark = pytest.mark.system


@dataclass(frozen=True)
class Erased:
    """A home from which a patient was erased, what the command printed, and the rows of a lake without the patient."""

    home: Home
    canary: Canary
    printed: str
    without: Mapping[str, str]

    @property
    def certificate(self) -> Path:
        """The only certificate."""
        (file,) = (self.home.folder / "certificates").glob("*.json")
        return file


@pytest.fixture(scope="module")
def erased(made: Home, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Erased:
    folder = tmp_path_factory.mktemp("erasure")
    canary = canary_of(made.lake)
    pack_without(canary, made.pack, folder / "pack", postgres)
    fresh = Home(folder / "fresh", folder / "pack", {"CHU_SECRETS": str(made.secrets)})
    fresh.materialize()
    home = made.copy(folder / "home")
    logs = home.folder / "work" / "logs"
    logs.mkdir(parents=True)
    (logs / "careless.log").write_text(f"no row for {canary.family} {canary.first}\n", encoding="utf-8")
    done = home.chu("erase", "persons", canary.request(folder))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return Erased(home, canary, done.stdout + done.stderr, without_list(digests(fresh.lake)))


def without_list(found: Mapping[str, str]) -> Mapping[str, str]:
    """Hashes of the rows of all tables but the opposition list."""
    return {folder: rows for folder, rows in found.items() if folder != opposition.folder}


def test_the_search_finds_the_patient_before(made: Home, erased: Erased) -> None:
    """Otherwise a search without a finding would prove nothing."""
    found = traces(made.lake.root, erased.canary)
    for folder in (
        "restricted/sources/Patient/",
        "restricted/pseudonyms/",
        "pseudonymised/facts/",
        "pseudonymised/dim",
    ):
        assert any(name.startswith(folder) for name in found), folder
    assert any(name.startswith("postgres/") for name in traces(made.folder / "work", erased.canary))


def test_nothing_is_found_in_the_home(erased: Erased) -> None:
    assert traces(erased.home.folder, erased.canary) == []
    assert not list((erased.home.secrets / "erasures").iterdir())


def test_all_tables_are_as_without_the_patient(erased: Erased) -> None:
    found = without_list(digests(erased.home.lake))
    assert [folder for folder, rows in erased.without.items() if found[folder] != rows] == []


def test_no_old_version_can_be_read(erased: Erased) -> None:
    for folder in ("restricted/sources/Patient", "pseudonymised/facts/fact_hospitalisation"):
        path = erased.home.lake.root / folder
        current = DeltaTable(path).version()
        assert current > 0
        with pytest.raises(Exception, match="No files in log segment"):
            DeltaTable(path, version=0).to_pyarrow_table()


def test_the_command_prints_nothing_of_the_patient(erased: Erased) -> None:
    texts = (erased.canary.family, *erased.canary.unique)
    assert not any(text in erased.printed for text in texts)


def test_the_list_holds_hashes_only(erased: Erased) -> None:
    rows = rows_of(erased.home.lake, opposition.folder)
    assert {"patient", "person", "name", "day", "contact"} <= {row["kind"] for row in rows}
    assert {len(row["hash"]) for row in rows} == {64}


def test_the_certificate_verifies_and_an_altered_one_does_not(erased: Erased, tmp_path: Path) -> None:
    done = erased.home.chu("erase", "verify", str(erased.certificate))
    assert done.returncode == 0, done.stderr
    statement = json.loads(erased.certificate.read_text())["certificate"]
    assert statement["found"] == 0
    assert statement["rows_erased"]["restricted/sources/Patient"] == 1
    assert statement["rows_erased"]["restricted/sources/Consultation"] == len(erased.canary.consultations)
    assert statement["rows_erased"]["restricted/sources/Hospitalisations"] == len(erased.canary.stays)
    assert 'PostgreSQL table "Patient"' in statement["still_held_by"]
    assert any(name.endswith("Hospitalisations.csv") for name in statement["still_held_by"])
    altered = tmp_path / "altered.json"
    altered.write_text(erased.certificate.read_text().replace('"found": 0', '"found": 1'))
    assert erased.home.chu("erase", "verify", str(altered)).returncode == 1


def test_the_figures_are_those_of_the_delivered_rows(erased: Erased) -> None:
    done = erased.home.chu("verify")
    assert done.returncode == 0, done.stdout[-3000:]


def test_a_second_delivery_brings_nothing_back(erased: Erased, tmp_path: Path) -> None:
    """The same dump is restored into a new embedded server, and all sources are read again."""
    home = erased.home.copy(tmp_path / "home")
    pack = tmp_path / "pack"
    shutil.copytree(home.pack, pack)
    again = Home(home.folder, pack)
    again.materialize("--select", "group:sources", "--force")
    again.materialize()
    assert traces(home.folder, erased.canary) == []
    assert without_list(digests(home.lake)) == without_list(digests(erased.home.lake))


def test_the_same_request_again_finds_nobody(erased: Erased, tmp_path: Path) -> None:
    home = erased.home.copy(tmp_path / "home")
    done = home.chu("erase", "persons", erased.canary.request(tmp_path))
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert len(list((home.folder / "certificates").glob("*.json"))) == 2
    assert without_list(digests(home.lake)) == without_list(digests(erased.home.lake))
