"""A corrected delivery: the old and the new figure are traced and rebuilt, and the differences are listed."""

from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from chu_platform.errors import ChuError
from chu_platform.facts.fact_death import fact_death
from chu_platform.facts.fact_death_by_age import fact_death_by_age
from chu_platform.facts.fact_death_coverage import fact_death_coverage
from chu_platform.graph.run_resources import RunResources
from chu_platform.graph.step import run_step
from chu_platform.kpis.kpi_deaths_by_region import kpi_deaths_by_region
from chu_platform.masks.stay_mask import stay_mask
from chu_platform.sources.deces import deces
from chu_platform.sources.deces_insee_csv import deces_insee_csv
from chu_platform.sources.deces_insee_fixe import deces_insee_fixe
from chu_platform.tables.table import Table
from chu_platform.trace.published_cells import find_cell
from chu_platform.trace.rebuild import RebuildResult, rebuild, result_lines
from chu_platform.trace.trace import Tracer
from chu_platform.trace.trace_command import run_trace
from chu_platform_tests.facts.death_files import ODD, deaths_of, write_periods
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import rows
from chu_platform_tests.trace.conftest import changeable_copy, settings_of

pytestmark = pytest.mark.integration

FILE = "DECES EN FRANCE/deces.csv"
PARIS, MARSEILLE = "75056", "13055"
# Files of a year, and of a month of it in the other format.
INSEE_FILES = ("deces-2019.txt", "Deces_2019_M02.csv")
CELL = ["year=2019", "region_code=11"]


@dataclass(frozen=True)
class Corrected:
    """The home after the correction, the pack before it, and the number of the corrected line."""

    home: Home
    before: Path
    line: int


@pytest.fixture(scope="module")
def corrected(made: Home, tmp_path_factory: pytest.TempPathFactory) -> Corrected:
    """One death of 2019 was in Marseille, not in Paris. INSEE files contain the deaths of that year too, and others."""
    home = changeable_copy(made, tmp_path_factory.mktemp("corrected"))
    file = home.pack / FILE
    lines = file.read_text(encoding="utf-8").split("\n")
    occurrences = Counter(lines)
    at = next(
        i for i, ln in enumerate(lines) if occurrences[ln] == 1 and ",2019-" in ln and ln.split(",")[-2][:2] == "75"
    )
    fields = lines[at].split(",")
    fields[-2] = MARSEILLE
    lines[at] = ",".join(fields)
    file.write_text("\n".join(lines), encoding="utf-8", newline="")
    of_year = [death for death in deaths_of(file) if death.date_deces.startswith("2019")]
    write_periods(home.pack / "INSEE", [*of_year, *(death for death in ODD if death.nom not in ("STAR*RED", "COUPE"))])
    for other in {*(home.pack / "INSEE").iterdir()} - {home.pack / "INSEE" / name for name in INSEE_FILES}:
        other.unlink()
    with RunResources(settings_of(home), lambda _: None) as resources:
        for table in (
            deces,
            deces_insee_fixe,
            deces_insee_csv,
            fact_death,
            fact_death_by_age,
            fact_death_coverage,
            kpi_deaths_by_region.exact,
            kpi_deaths_by_region.masked,
        ):
            run_step(
                resources, table, table.partition_scheme.every() if table.partition_scheme else None, "the correction"
            )
    return Corrected(home, made.pack, at + 1)


def rebuilt(corrected: Corrected, table: str, version: int | None, pack: Path | None = None) -> RebuildResult:
    return rebuild(settings_of(corrected.home, pack), table, version, lambda _: None)


def test_both_figures_are_traced_and_their_differences_are_listed(corrected: Corrected) -> None:
    lines: list[str] = []
    assert run_trace(
        settings_of(corrected.home), kpi_deaths_by_region.masked.folder, CELL, False, True, 0, lines.append
    )
    deaths = {
        version: next(
            r["deaths"]
            for r in corrected.home.lake.arrow(kpi_deaths_by_region.masked, version=version).to_pylist()
            if (r["year"], r["region_code"], r["sex"], r["age_band"]) == (2019, "11", "all", "all")
        )
        for version in (0, 1)
    }
    assert deaths[0] == deaths[1] + 1
    output = "\n".join(lines)
    then, now = output.split("WHAT DIFFERS")
    assert f"  deaths: {deaths[0]}, equal" in then
    assert f"{FILE} (sha256 " in then and "changed: " in then, "the file that was read does not exist any more"
    (since,) = (ln.rpartition(": ")[2] for ln in then.splitlines() if ln.startswith(f"    delivered since: {FILE}: "))
    numbers = [(int(first), int(last or first)) for first, _, last in (r.partition("-") for r in since.split(", "))]
    text = (corrected.home.pack / FILE).read_text(encoding="utf-8").splitlines()
    people = {text[number - 1] for first, last in numbers for number in range(first, last + 1)}
    assert len(people) == deaths[1], "all deaths except the corrected one; some lines are repeated"
    assert [ln for ln in then.splitlines() if ln.startswith("    delivered since: INSEE/")]
    assert f"  deaths: {deaths[0]} then, {deaths[1]} now" in now
    for table in (deces, fact_death, kpi_deaths_by_region.exact, kpi_deaths_by_region.masked):
        assert f"  {table.folder}: version 0 then, 1 now" in now
    assert f"    {FILE}: sha256 " in now
    assert "rows of restricted/sources/deces (numerator): 0 changed, 0 added, 1 removed" in now
    assert now.rstrip().endswith("then: equal to its recomputation; now: equal to its recomputation")


def test_the_added_line_is_listed_for_the_other_region(corrected: Corrected) -> None:
    lines: list[str] = []
    assert run_trace(
        settings_of(corrected.home),
        kpi_deaths_by_region.masked.folder,
        ["year=2019", "region_code=93"],
        False,
        False,
        0,
        lines.append,
    )
    assert f"    added: {FILE}, lines {corrected.line}" in lines


def test_a_death_in_several_files_counts_once_and_all_its_lines_are_listed(corrected: Corrected) -> None:
    with closing(Tracer(settings_of(corrected.home))) as tracer:
        for region in ("04", "11"):
            found = tracer.trace(
                find_cell(tracer.lake, kpi_deaths_by_region.masked.folder, ["year=2019", f"region_code={region}"], None)
            )
            assert found.equal, found.differences
            if region == "11":
                one, *insee = found.sources
                delivered = {ln.text for ln in one.lines[FILE]}
                assert found.exact and found.exact["deaths"] == len(delivered) == len(one.rows)
                people = {"*".join(text.split(",")[:2]) for text in delivered}
                for source in insee:
                    lines = [ln.text for found_lines in source.lines.values() for ln in found_lines]
                    assert lines and all(any(person in text for person in people) for text in lines)
                assert [name for s in insee for name in s.lines] == [f"INSEE/{name}" for name in INSEE_FILES]


@pytest.mark.parametrize(
    ("table", "version"), [(kpi_deaths_by_region.masked, 0), (kpi_deaths_by_region.masked, 1), (fact_death, 0)]
)
def test_both_versions_can_be_rebuilt(corrected: Corrected, table: Table, version: int) -> None:
    found = rebuilt(corrected, table.folder, version)
    assert found.equal and found.stored == found.rebuilt > 1000 and found.notes == []


def test_a_source_is_rebuilt_only_from_the_original_file(corrected: Corrected) -> None:
    with pytest.raises(ChuError, match=f"was made from {FILE}, which is changed: .*; set CHU_SOURCES"):
        rebuilt(corrected, "sources/deces", 0)
    assert rebuilt(corrected, "sources/deces", 0, corrected.before).equal
    assert rebuilt(corrected, "sources/deces", 1).equal


def test_a_rebuild_does_not_change_the_lake(corrected: Corrected) -> None:
    lake = corrected.home.lake
    assert [lake.version(t) for t in (deces, fact_death, kpi_deaths_by_region.masked)] == [1, 1, 1]
    assert not list(lake.root.rglob("rebuild-*"))


def test_rows_that_are_not_rebuilt_are_counted(corrected: Corrected) -> None:
    """The data file of a published table was changed, so that its rows are not those made from its inputs."""
    one = "year = 2019 AND region_code = '11' AND sex = 'all' AND age_band = 'all'"
    files = DeltaTable(corrected.home.lake.path(kpi_deaths_by_region.masked)).file_uris()
    (file,) = (f for f in files if duckdb.connect().sql(f"FROM '{f}' WHERE {one}").fetchall())
    content = Path(file).read_bytes()
    query = f"SELECT * REPLACE (CASE WHEN {one} THEN 1 ELSE deaths END AS deaths) FROM '{file}'"
    table = duckdb.connect().sql(query).to_arrow_table()
    try:
        pq.write_table(table, file)
        found = rebuilt(corrected, kpi_deaths_by_region.masked.folder, 1)
    finally:
        Path(file).write_bytes(content)
    assert not found.equal
    assert (found.only_stored, found.only_rebuilt, found.columns) == (1, 1, {"deaths": 1})
    assert "\n".join(result_lines(found, "it")).startswith("NOT EQUAL: 1 of the ")


@pytest.mark.parametrize(
    ("table", "version", "reason"),
    [
        ("reports/check_result", None, "depends on the time at which it was made"),
        ("rejects/deces", None, "rebuild sources/deces"),
        ("facts/fact_death", 7, "has no version 7"),
        ("facts/fact_birth", None, "there is no table"),
    ],
)
def test_an_impossible_rebuild_is_refused(corrected: Corrected, table: str, version: int | None, reason: str) -> None:
    with pytest.raises(ChuError, match=reason):
        rebuilt(corrected, table, version)


def test_the_code_that_made_each_version_is_in_the_lake(made: Home) -> None:
    code = made.lake.root / "pseudonymised" / ".code" / f"{made.lake.provenance(stay_mask.table)['code_version']}.json"
    text = code.read_text(encoding="utf-8")
    # The recorded code contains the functions of the table and the functions that they call.
    assert '"chu_platform.sdc.suppression.protect"' in text and '.MaskFamily.table.<locals>.rows.cells"' in text
    assert len(rows(made.lake, stay_mask.table)) == made.lake.provenance(stay_mask.table)["rows"]["kept"]
