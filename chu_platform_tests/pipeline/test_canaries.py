"""No identity of a pack is found outside the restricted zone, or in the logs and other files of a run."""

import zlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from chu_platform.ingest.delivered import rejects_of
from chu_platform.pseudonymisation.consultation_surrogate import consultation_surrogate
from chu_platform.pseudonymisation.stay_surrogate import stay_surrogate
from chu_platform.sources.consultation import consultation
from chu_platform.sources.deces import deces
from chu_platform.sources.hospitalisations import hospitalisations
from chu_platform.sources.patient import patient
from chu_platform.sources.professionnel_sante import professionnel_sante
from chu_platform.tables.table import Table
from chu_platform_tests.pipeline.canaries import NUMBERS, WORD, canaries_in, canary_in
from chu_platform_tests.pipeline.conftest import Marked
from chu_platform_tests.pipeline.home import Home

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    "table",
    [
        patient,
        deces,
        professionnel_sante,
        consultation_surrogate,
        stay_surrogate,
        *map(rejects_of, (deces, hospitalisations, consultation, professionnel_sante)),
    ],
    ids=lambda t: f"{t.layer}/{t.name}",
)
def test_the_identities_are_in_the_restricted_tables(marked: Marked, table: Table) -> None:
    """Otherwise the search for them in other places would prove nothing."""
    home = marked.home
    assert canaries_in(home.lake.path(table))


def test_every_kind_of_identity_was_planted(marked: Marked) -> None:
    home = marked.home
    values = {
        str(value)
        for table in (patient, professionnel_sante, deces)
        for column in DeltaTable(home.lake.path(table)).to_pyarrow_table().columns
        for value in column.unique().to_pylist()
    }
    assert all(number in values for number in NUMBERS if number != "0918273645"), "all canaries must be in the pack"


@pytest.mark.parametrize("zone", ["pseudonymised", "published"])
def test_no_identity_is_in_a_zone_that_is_not_restricted(marked: Marked, zone: str) -> None:
    home = marked.home
    assert canaries_in(home.lake.root / zone) == []


def test_no_identity_is_in_a_delta_log_of_any_zone(marked: Marked) -> None:
    home = marked.home
    logs = list(home.lake.root.rglob("_delta_log"))
    assert len(logs) > 40
    # Numbers of consultations and stays are no identities inside the restricted zone.
    assert [found for log in logs for found in canaries_in(log, with_source_numbers=False)] == []


def test_no_identity_is_in_the_storage_of_dagster(marked: Marked) -> None:
    home = marked.home
    assert (home.folder / "dagster" / "history" / "runs.db").exists()
    assert canaries_in(home.folder / "dagster") == []


def test_no_identity_is_in_the_other_files_of_a_run(marked: Marked) -> None:
    home = marked.home
    assert canaries_in(home.folder, excluded=[home.lake.root, home.folder / "dagster"]) == []


def test_no_identity_and_no_password_is_printed(marked: Marked) -> None:
    assert canary_in(marked.printed.encode()) is None


def test_no_identity_is_in_the_output_and_files_of_a_failed_run(
    marked: Marked, marked_pack: Path, tmp_path: Path
) -> None:
    """Deliveries without headers: the first row of persons is where column names are expected."""
    pack = tmp_path / "pack"
    for name in ("DECES EN FRANCE/deces.csv", "Etablissement de SANTE/professionnel_sante.csv"):
        (pack / name).parent.mkdir(parents=True, exist_ok=True)
        lines = (marked_pack / name).read_bytes().split(b"\n")
        assert WORD.encode() in lines[1]
        (pack / name).write_bytes(b"\n".join(lines[1:]))
    home = Home(tmp_path / "home", pack, {"CHU_POSTGRES_URL": f"postgresql://reader:{WORD}password@localhost/care"})
    failed = home.chu("materialize", "--select", "key:sources/deces or key:sources/professionnel_sante")
    assert failed.returncode == 1
    assert failed.stderr.count("FAILED") == 2
    assert canary_in((failed.stdout + failed.stderr).encode()) is None, failed.stderr
    assert canaries_in(home.folder) == []


def test_the_search_reads_compressed_files(tmp_path: Path) -> None:
    values = pa.table({"plain": ["x"] * 1000, "hidden": pa.array([f"mme {WORD.lower()}"] * 1000).dictionary_encode()})
    pq.write_table(values, tmp_path / "compressed.parquet", compression="zstd")
    (tmp_path / "packed.bin").write_bytes(zlib.compress(f"{WORD} in a file that is not searched".encode()))
    assert canaries_in(tmp_path) == ["compressed.parquet, bytes: canari"] or [
        s.split(",")[0] for s in canaries_in(tmp_path)
    ] == ["compressed.parquet"]


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("1917000001", "1917000001"),
        ("stay;1918999901;x", "1918999901"),
        ("x1917000001", None),
        ("191700000", None),
        ("19170000012", None),
        ("0.1917000001", None),
        ("the Canari of", "canari"),
        ("0918273645", "0918273645"),
    ],
)
def test_a_canary_is_found_as_a_whole(content: str, found: str | None) -> None:
    assert canary_in(content.encode()) == found
