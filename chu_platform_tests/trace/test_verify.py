"""`chu verify` finds and reports everything that was changed after it was recorded."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from chu_platform.catalogue import catalogue
from chu_platform.errors import ChuError
from chu_platform.facts.fact_satisfaction import fact_satisfaction
from chu_platform.indicators.indicator import recomputations
from chu_platform.references.region import region
from chu_platform.settings import Settings
from chu_platform.storage.damage import damage_of
from chu_platform.storage.lake import Lake
from chu_platform.storage.maintenance import maintain
from chu_platform.tables.maintenance_policy import Policy
from chu_platform.tables.table import Layer, Zone
from chu_platform.trace.verify import verify
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.storage.small_table import put, rows_of, visits
from chu_platform_tests.trace.conftest import changeable_copy, settings_of

pytestmark = pytest.mark.integration

STAYS = "Hospitalisation/Hospitalisations.csv"
REGISTER = "Etablissement de SANTE/etablissement_sante.csv"


def test_an_unchanged_lake_has_no_findings(home: Home) -> None:
    progress: list[str] = []
    found = verify(settings_of(home), None, 0, progress.append)
    assert found.findings == []
    published = [home.lake.arrow(t) for t in catalogue() if t.layer is Layer.PUBLISHED and t.name in recomputations()]
    assert found.cells == sum(map(len, published)) > 10_000
    assert found.files > 30 and found.tables > 100
    assert progress, "the progress must be reported"


def test_a_lake_without_tables_is_an_error(tmp_path: Path) -> None:
    for zone in Zone:
        (tmp_path / "lake" / zone).mkdir(parents=True)
    with pytest.raises(ChuError, match="has no table yet: nothing was verified"):
        verify(Settings(_env_file=None, home=tmp_path, sources=tmp_path), None, 0, lambda _: None)


@pytest.fixture(scope="module")
def findings(made: Home, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The findings after four changes: a byte of a file, a file, a row in a data file, a row added by another tool."""
    home = changeable_copy(made, tmp_path_factory.mktemp("changed"))
    stays = home.pack / STAYS
    content = bytearray(stays.read_bytes())
    content[-20] ^= 1
    stays.write_bytes(content)
    (home.pack / REGISTER).unlink()
    (file,) = (Path(f) for f in DeltaTable(home.lake.path(region)).file_uris())
    rows = pq.read_table(file)
    changed = pa.array(["Nulle part", *rows["region_label"].to_pylist()[1:]], pa.string())
    pq.write_table(rows.set_column(rows.column_names.index("region_label"), "region_label", changed), file)
    added = home.lake.arrow(fact_satisfaction).slice(0, 1)
    write_deltalake(home.lake.path(fact_satisfaction), added, mode="append")
    done = home.chu("verify", "--sample", "1", "--seed", "0")
    assert done.returncode == 1 and "a sample of 1 cells, seed 0" in done.stdout
    *lines, last = done.stdout.splitlines()
    found = [line.removeprefix("FOUND ") for line in lines if line.startswith("FOUND ")]
    assert last.endswith(f"tables: {len(found)} findings")
    return found


@pytest.mark.parametrize(
    "beginning",
    [
        f"delivered file {STAYS} (read by Hospitalisations): changed: ",
        f"delivered file {REGISTER} (read by etablissement_sante): removed: ",
        "table pseudonymised/references/region: its file ",
        "table pseudonymised/facts/fact_satisfaction: its version 1 was committed at ",
    ],
    ids=["one byte", "one file", "one row", "another tool"],
)
def test_each_change_is_reported(findings: list[str], beginning: str) -> None:
    assert len([f for f in findings if f.startswith(beginning)]) == 1, findings


def test_nothing_else_is_reported(findings: list[str]) -> None:
    assert len([f for f in findings if not f.startswith("indicator ")]) == 4, findings


def test_files_that_maintenance_rewrote_are_compared_by_their_rows(tmp_path: Path) -> None:
    lake, table = Lake(tmp_path / "lake"), visits()
    put(lake, table, rows_of({"2017": ["a", "b"], "2018": ["c"]}))
    # Compacted by maintenance: the rows of each partition are the committed rows.
    (file,) = (Path(f) for f in DeltaTable(lake.path(table)).file_uris() if "2017" in f)
    rows = pq.ParquetFile(file).read()
    delta = DeltaTable(lake.path(table))
    delta.optimize.compact()
    assert damage_of(lake, table) == []
    write_deltalake(lake.path(table), rows_of({"2017": ["x"]}), mode="append")
    maintain(lake, table, Policy(small_files=2), "a run")
    found = [d.finding for d in damage_of(lake, table)]
    assert len(found) == 2 and "by another tool (WRITE)" in found[0]
    assert found[1].endswith("campaign_year=2017, rewritten by maintenance: its rows are not the committed rows")
    assert len(rows) == 2
