"""A step of a table with the same code and inputs reads nothing; any difference makes it run again."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from chu_platform.graph.run_resources import RunResources
from chu_platform.graph.step import run_step
from chu_platform.settings import Settings
from chu_platform.storage.commit import commit_without_data
from chu_platform.storage.provenance import last_data_commit, operation_metadata
from chu_platform.tables.checks import between, holds
from chu_platform.tables.columns import LONG, STRING, Column
from chu_platform.tables.partitions import CAMPAIGNS
from chu_platform.tables.rows import Computed
from chu_platform.tables.table import Table
from chu_platform_tests.storage.small_table import put, rows_of, visits

pytestmark = pytest.mark.integration

YEARS = CAMPAIGNS.every()
calls = 0


def counted(visits: pa.Table) -> pa.Table:
    global calls
    calls += 1
    return pa.table({"code": visits["code"].cast(pa.string()), "total": pa.array([len(visits)] * len(visits))})


COUNTS = Table(
    name="counts",
    layer=visits().layer,
    zone=visits().zone,
    grain="a visit",
    label="Comptes",
    owner="team:tests",
    columns=[Column("code", STRING, "code", "Code", key=True), Column("total", LONG, "number of visits", "Nombre")],
    rows=Computed(counted),
    reads={"visits": visits()},
)


@pytest.fixture
def resources(tmp_path: Path) -> RunResources:
    resources = RunResources(Settings(_env_file=None, home=tmp_path), lambda _: None)
    put(resources.lake, INPUT, rows_of({"2018": ["a"], "2019": ["b", "c"]}))
    return resources


INPUT = COUNTS.reads["visits"]


def runs(resources: RunResources, table: Table = COUNTS) -> int:
    """How often the function of the table is called by a step; 0 if the step says that the table is up to date."""
    before = calls
    result = run_step(resources, table, None, "a run")
    assert result.up_to_date == (calls == before)
    return calls - before


def test_a_second_step_reads_nothing_and_returns_the_same_result(resources: RunResources) -> None:
    first = run_step(resources, COUNTS, None, "a run")
    before = calls
    second = run_step(resources, COUNTS, None, "a run")
    assert calls == before and second.up_to_date and not first.up_to_date
    assert second.check_results == first.check_results
    assert second.commits[COUNTS] == replace(first.commits[COUNTS], changed=[])


def test_a_new_version_of_an_input_makes_it_run(resources: RunResources) -> None:
    assert [runs(resources), runs(resources)] == [1, 0]
    put(resources.lake, INPUT, rows_of({"2018": ["a"], "2019": ["b"]}))
    assert [runs(resources), runs(resources)] == [1, 0]


def test_the_same_rows_of_another_version_are_remembered_too(resources: RunResources) -> None:
    assert runs(resources) == 1
    version = resources.lake.version(COUNTS)
    DeltaTable(resources.lake.path(INPUT)).alter.set_table_properties({"delta.logRetentionDuration": "interval 9 days"})
    assert [runs(resources), runs(resources)] == [1, 0]
    assert resources.lake.version(COUNTS) == version


def test_a_version_of_maintenance_leaves_it_up_to_date(resources: RunResources) -> None:
    """The commit of maintenance has another version and the same rows."""
    assert runs(resources) == 1
    delta = resources.lake.require(INPUT)
    before, last_commit = delta.version(), last_data_commit(resources.lake.path(INPUT), delta)
    commit_without_data(resources.lake, INPUT, delta, operation_metadata(INPUT, "optimize", "a run", last_commit))
    assert resources.lake.version(INPUT) == before + 1
    assert [runs(resources), runs(resources)] == [0, 0]


OTHERS: Mapping[str, Mapping[str, Any]] = {
    "another check": {"checks": [holds("total_positive", "total > 0", "d")]},
    "another bound of a check": {"checks": [between("total", 0, 7)]},
    "another column": {"columns": [*COUNTS.columns[:1], Column("total", LONG, "another text", "Nombre", key=True)]},
}


@pytest.mark.parametrize("name", OTHERS)
def test_another_declaration_makes_it_run(resources: RunResources, name: str) -> None:
    checked = replace(COUNTS, checks=[between("total", 0, 8)])
    assert [runs(resources, checked), runs(resources, checked)] == [1, 0]
    other = replace(checked, **OTHERS[name])
    assert [runs(resources, other), runs(resources, other)] == [1, 0]


@pytest.mark.parametrize("damage", ["a lost file", "a cut file", "a lost table", "a restored version", "a lost record"])
def test_a_changed_table_is_made_again(resources: RunResources, damage: str) -> None:
    assert [runs(resources), runs(resources)] == [1, 0]
    root = resources.lake.path(COUNTS)
    (file,) = (Path(f) for f in DeltaTable(root).file_uris())
    match damage:
        case "a lost file":
            file.unlink()
        case "a cut file":
            file.write_bytes(file.read_bytes()[:-1])
        case "a lost table":
            for path in sorted(root.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
        case "a restored version":
            DeltaTable(root).alter.set_table_properties({"delta.logRetentionDuration": "interval 9 days"})
        case "a lost record":
            (resources.lake.root / COUNTS.zone / ".made" / "sources.counts.json").write_text("{")
    assert [runs(resources), runs(resources)] == [1, 0]
    assert resources.lake.arrow(COUNTS)["total"].to_pylist() == [3, 3, 3]


def test_force_makes_it_run(resources: RunResources) -> None:
    assert [runs(resources), runs(resources)] == [1, 0]
    resources.force = True
    assert [runs(resources), runs(resources)] == [1, 1]


def test_rows_that_depend_on_the_moment_are_always_made(resources: RunResources) -> None:
    def made(tables: object) -> pa.Table:
        global calls
        calls += 1
        return pa.table({"code": ["a"], "total": [calls]})

    changing = replace(COUNTS, name="changing", rows=Computed(made, given=("tables",)), reads={})
    assert [runs(resources, changing), runs(resources, changing)] == [1, 1]
