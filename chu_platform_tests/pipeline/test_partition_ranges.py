"""Some partitions are made again, and the others do not change."""

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest
from deltalake import DeltaTable

from chu_platform.facts.fact_death import fact_death
from chu_platform.graph.asset_keys import key_of
from chu_platform.graph.run_resources import RunResources
from chu_platform.graph.step import run_step
from chu_platform.kpis.kpi_deaths_by_region import EXACT as DEATHS
from chu_platform.settings import Settings
from chu_platform.sources.consultation import consultation
from chu_platform.sources.deces import deces
from chu_platform.storage.lake import Lake
from chu_platform.tables.partitions import DEATH_YEARS, MONTHLY
from chu_platform.tables.table import Table
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import rows

pytestmark = pytest.mark.integration


def files_by_year(lake: Lake, table: Table) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for path in DeltaTable(lake.path(table)).file_uris():
        year = path.split("death_year=")[1].split("/")[0]
        found.setdefault(year, set()).add(path.rsplit("/", 1)[1])
    return found


def actions(lake: Lake, table: Table) -> list[tuple[str, str]]:
    """The actions of the last commit (add or remove), and their files."""
    log = max((lake.path(table) / "_delta_log").glob("*.json"))
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return [(kind, a[kind]["path"]) for a in lines for kind in ("add", "remove") if kind in a]


def register_with(made: Home, pack: Path, *lines: str) -> Path:
    """A pack that contains only the register of deaths, with added lines."""
    target = pack / "DECES EN FRANCE" / "deces.csv"
    target.parent.mkdir(parents=True)
    shutil.copy(made.pack / "DECES EN FRANCE" / "deces.csv", target)
    with target.open("a", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)
    return pack


def test_only_the_requested_years_are_written_again(made: Home, tmp_path: Path) -> None:
    """Three years are corrected, and two are requested."""
    pack = register_with(
        made,
        tmp_path / "pack",
        *(f"TARD,JEAN,1,1930-01-01,75056,PARIS,,{year}-06-01,75056,{year}" for year in (2017, 2018, 2019)),
    )
    home = made.copy(tmp_path / "home", pack)
    before = files_by_year(home.lake, fact_death)
    home.materialize("--select", "key:sources/deces or key:facts/fact_death", "--partitions", "2018...2019")
    after = files_by_year(home.lake, fact_death)
    assert {y for y in before if before[y] != after[y]} == {"2018", "2019"}
    assert before.keys() == after.keys()
    done = actions(home.lake, fact_death)
    assert {kind for kind, _ in done} == {"add", "remove"}
    assert {path.split("/")[0] for _, path in done} == {"death_year=2018", "death_year=2019"}
    counts = [Counter(rows(h.lake, fact_death)["death_year"].to_pylist()) for h in (made, home)]
    assert counts[1] - counts[0] == {"2018": 1, "2019": 1}
    make_a_year_of_the_indicator(home, made)


def make_a_year_of_the_indicator(home: Home, made: Home) -> None:
    """One year is asked for. The other year whose deaths have changed is made too, so that the years fit together."""
    home.materialize("--select", "key:facts/fact_death_by_age or key:facts/fact_death_coverage")
    home.materialize("--select", "key:kpis/kpi_deaths_by_region", "--partitions", "2019")
    assert home.lake.provenance(DEATHS)["made_partitions"] == "(year = '2018') OR (year = '2019')"
    assert deaths_by_year(home) - deaths_by_year(made) == {2018: 1, 2019: 1}
    with home.instance() as instance:
        last = instance.get_runs(limit=1)[0]
        found = instance.fetch_materializations(key_of(DEATHS), limit=1000).records
    assert [r.partition_key for r in found if r.run_id == last.run_id] == ["2019"]
    # A year that has not changed is computed again, and its rows are the same.
    version = home.lake.version(DEATHS)
    settings = Settings(_env_file=None, home=home.folder, sources=home.pack)
    with RunResources(settings, lambda _: None) as resources:
        assert run_step(resources, DEATHS, DEATH_YEARS.every(), "a run").up_to_date
        again = run_step(resources, DEATHS, DEATH_YEARS.between("2016", "2016"), "a run")
    assert again.partial and not again.up_to_date and home.lake.version(DEATHS) == version


def deaths_by_year(home: Home) -> Counter[int]:
    """The deaths of all ages and both sexes in all places."""
    found: Counter[int] = Counter()
    for row in rows(home.lake, DEATHS).to_pylist():
        if (row["sex"], row["age_band"]) == ("all", "all") and row["region_code"] != "all":
            found[row["year"]] += row["deaths"]
    return found


@pytest.mark.parametrize("keys", ["1492", "2018...1492", "2019-13", "nothing"])
def test_partitions_that_do_not_exist_give_a_one_line_error(made: Home, keys: str) -> None:
    failed = made.chu("materialize", "--select", "key:facts/fact_death", "--partitions", keys)
    assert failed.returncode == 1
    assert failed.stderr.count("\n") == 1
    assert f"--partitions {keys}" in failed.stderr
    assert "death_year 1970" in failed.stderr


@pytest.fixture(scope="module")
def with_edges(made: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A lake with only the first partition of deaths read again, from a register with deaths before the first year."""
    pack = register_with(
        made,
        tmp_path_factory.mktemp("edges") / "pack",
        "AVANT,JEAN,1,1899-01-01,75056,PARIS,,1950-06-01,75056,1",
        "SANSJOUR,JEANNE,2,1899-01-01,75056,PARIS,,1969-00-00,75056,2",
        "APRES,JEAN,1,1950-01-01,75056,PARIS,,2019-06-01,75056,3",
    )
    home = made.copy(tmp_path_factory.mktemp("edge-lake") / "home", pack)
    home.materialize("--select", "key:sources/deces or key:facts/fact_death", "--partitions", "1970")
    return home


def test_deaths_before_the_first_year_are_in_its_partition(made: Home, with_edges: Home) -> None:
    before, after = files_by_year(made.lake, fact_death), files_by_year(with_edges.lake, fact_death)
    assert set(after) - set(before) == {"1950", "1969"}
    assert {y for y in before if before[y] != after[y]} <= {y for y in before if y <= "1970"}
    years = rows(with_edges.lake, fact_death).column("death_year").to_pylist()
    assert sorted(y for y in years if y < "1970") == ["1950", "1969"]


def test_rows_of_other_partitions_are_not_read_with_the_first(made: Home, with_edges: Home) -> None:
    names = rows(with_edges.lake, deces).column("nom").to_pylist()
    assert {"AVANT", "SANSJOUR"} <= set(names)
    assert "APRES" not in names


def test_rows_without_a_month_are_in_the_first_partition_only() -> None:
    first, later, last = MONTHLY.keys[0], MONTHLY.keys[5], MONTHLY.keys[-1]
    assert MONTHLY.between(first, first).holds(None)
    assert "IS NULL" in MONTHLY.between(first, later).predicate()
    assert not MONTHLY.between(later, last).holds(None)
    assert "IS NULL" not in MONTHLY.between(later, last).predicate()
    assert MONTHLY.every().key_of(None) == first
    assert consultation.partition_scheme is MONTHLY


def test_only_the_first_and_last_partition_are_open_ended() -> None:
    keys = DEATH_YEARS.keys
    first, last, inner = (DEATH_YEARS.between(k, k) for k in (keys[0], keys[-1], keys[10]))
    assert first.holds("1799")
    assert last.holds("9999")
    assert [y for y in (keys[9], keys[10], keys[11]) if inner.holds(y)] == [keys[10]]
    assert DEATH_YEARS.every().whole
    assert not DEATH_YEARS.between(keys[0], keys[-2]).whole
    # Each value is in the partition of exactly one key, which is that of key_of.
    for value in ("0001", "1970", "2019", "9999"):
        holding = [k for k in keys if DEATH_YEARS.between(k, k).holds(value)]
        assert holding == [DEATH_YEARS.every().key_of(value)]
