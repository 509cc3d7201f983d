"""A step whose inputs were made from different rows of the same table leaves its table as it was."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from chu_platform.errors import TransientError
from chu_platform.graph import outdated as outdated_module
from chu_platform.graph.outdated import LakeState, outdated
from chu_platform.graph.run_resources import RunResources
from chu_platform.graph.step import run_step
from chu_platform.graph.step_result import StepResult
from chu_platform.settings import Settings
from chu_platform.storage.commit import commit_without_data
from chu_platform.storage.provenance import last_data_commit, operation_metadata
from chu_platform.storage.restore import restore
from chu_platform.tables.checks import holds
from chu_platform.tables.columns import LONG, Column
from chu_platform.tables.partitions import CAMPAIGNS
from chu_platform.tables.rows import Computed
from chu_platform.tables.table import Layer, Table, Zone
from chu_platform_tests.storage.small_table import put, rows_of, visits

pytestmark = pytest.mark.integration


def counted(visits: pa.Table) -> pa.Table:
    return pa.table({"total": [len(visits)]})


def compared(left: pa.Table, right: pa.Table) -> pa.Table:
    return pa.table({"total": [left["total"][0].as_py() - right["total"][0].as_py()]})


def table(name: str, rows: Computed, **reads: Table) -> Table:
    return Table(
        name=name,
        layer=Layer.KPIS,
        zone=Zone.PSEUDONYMISED,
        grain="all",
        label=name,
        owner="team:tests",
        columns=[Column("total", LONG, "total", "Total", nullable=False)],
        rows=rows,
        reads=reads,
    )


VISITS = replace(visits(), layer=Layer.FACTS)
LEFT, RIGHT = (table(name, Computed(counted), visits=VISITS) for name in ("left", "right"))
# Like a mask, it does not hold if its inputs do not fit together.
DIFFERENCE = replace(
    table("difference", Computed(compared), left=LEFT, right=RIGHT), checks=[holds("is_zero", "total = 0", "d")]
)
TABLES = [LEFT, RIGHT, DIFFERENCE]


@pytest.fixture
def resources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunResources:
    """A lake with the three tables, made of three visits."""
    resources = RunResources(Settings(_env_file=None, home=tmp_path), lambda _: None)
    monkeypatch.setattr(outdated_module, "catalogue", lambda: [VISITS, *TABLES])
    monkeypatch.setattr(outdated_module, "followers", lambda: TABLES)
    deliver(resources, "a", "b", "c")
    for made in TABLES:
        run(resources, made)
    return resources


def deliver(resources: RunResources, *codes: str) -> None:
    put(resources.lake, VISITS, rows_of({"2018": codes}))


def run(resources: RunResources, made: Table) -> StepResult:
    return run_step(resources, made, None, "a run")


def to_make(resources: RunResources) -> list[Table]:
    return outdated(LakeState(resources.lake)).tables


def waiting(resources: RunResources) -> dict[Table, str]:
    return outdated(LakeState(resources.lake)).waiting


def test_inputs_of_different_rows_wait_and_are_made_later(resources: RunResources) -> None:
    deliver(resources, "a", "b")
    run(resources, RIGHT)
    version = resources.lake.version(DIFFERENCE)
    result = run(resources, DIFFERENCE)
    assert result.waits.startswith("kpis/left and kpis/right were made from different rows of facts/visits; ")
    assert (resources.lake.version(DIFFERENCE), result.commits[DIFFERENCE].version) == (version, version)
    assert to_make(resources) == [LEFT, DIFFERENCE]
    for made in (LEFT, DIFFERENCE):
        assert not run(resources, made).waits
    assert to_make(resources) == []


def test_a_table_that_was_not_made_yet_says_why(resources: RunResources) -> None:
    later = replace(DIFFERENCE, name="later")
    deliver(resources, "a", "b")
    run(resources, RIGHT)
    with pytest.raises(TransientError, match=r"^kpis/later is not made: kpis/left and kpis/right were"):
        run(resources, later)


def test_an_input_that_is_older_than_what_is_read_beside_it_waits(resources: RunResources) -> None:
    both = table("both", Computed(lambda visits, left: compared(left, counted(visits))), visits=VISITS, left=LEFT)
    run(resources, both)
    deliver(resources, "a", "b")
    assert run(resources, both).waits.startswith("kpis/left was made from other rows of facts/visits than there are ")
    run(resources, LEFT)
    assert not run(resources, both).waits


def test_equal_rows_of_another_version_are_no_change(resources: RunResources) -> None:
    delta, root = resources.lake.require(VISITS), resources.lake.path(VISITS)
    metadata = operation_metadata(VISITS, "optimize", "a run", last_data_commit(root, delta))
    commit_without_data(resources.lake, VISITS, delta, metadata)
    assert resources.lake.version(VISITS) == 1
    assert to_make(resources) == []
    assert run(resources, LEFT).up_to_date
    assert not run(resources, DIFFERENCE).waits


def test_what_follows_is_made_in_order_and_only_if_rows_changed(resources: RunResources) -> None:
    deliver(resources, "a", "b", "x")
    assert to_make(resources) == TABLES
    run(resources, LEFT)
    assert to_make(resources) == [RIGHT, DIFFERENCE]
    run(resources, RIGHT)
    assert to_make(resources) == [], "the number of visits is the same"


def test_a_restored_table_holds_back_what_needs_it(resources: RunResources) -> None:
    deliver(resources, "a", "b")
    for made in TABLES:
        run(resources, made)
    restore(resources.lake, LEFT, 0, "a run")
    assert to_make(resources) == []
    assert waiting(resources) == {DIFFERENCE: "kpis/left was changed outside of its step: verify it, then make it"}


def test_a_failed_table_waits_until_an_input_changes(resources: RunResources) -> None:
    deliver(resources, "a", "b")
    ended = LakeState(resources.lake).written_at(VISITS) + 1
    found = outdated(LakeState(resources.lake), failed={LEFT: ended})
    assert found.tables == [RIGHT]
    assert found.waiting == {
        LEFT: "its last run failed, and nothing that it needs has changed since",
        DIFFERENCE: "it needs kpis/left, which waits",
    }
    assert outdated(LakeState(resources.lake), failed={LEFT: ended - 2}).tables == TABLES


def test_a_delivery_that_will_be_read_makes_all_that_needs_it(resources: RunResources) -> None:
    assert outdated(LakeState(resources.lake), [VISITS]).tables == TABLES


def test_a_backfill_of_unchanged_partitions_leaves_a_table_up_to_date(resources: RunResources) -> None:
    by_year = replace(
        VISITS, name="by_year", rows=Computed(lambda visits: visits), reads={"visits": VISITS}, derives_from=["visits"]
    )
    every, year = CAMPAIGNS.every(), CAMPAIGNS.between("2018", "2018")
    assert by_year.partition_scheme is CAMPAIGNS
    put(resources.lake, VISITS, rows_of({"2018": ["a"], "2019": ["b"], "2020": ["c"]}))
    run_step(resources, by_year, every, "a run")
    assert not run_step(resources, by_year, year, "a run").up_to_date
    assert run_step(resources, by_year, every, "a run").up_to_date
    # The year that has changed is made; another one has changed and is not.
    put(resources.lake, VISITS, rows_of({"2018": ["a", "x"], "2019": ["b"], "2020": ["c"]}))
    run_step(resources, by_year, year, "a run")
    assert run_step(resources, by_year, every, "a run").up_to_date
    put(resources.lake, VISITS, rows_of({"2018": ["a", "x"], "2019": ["b", "y"], "2020": ["c"]}))
    run_step(resources, by_year, year, "a run")
    assert not run_step(resources, by_year, every, "a run").up_to_date
