"""The provenance of a table, read from its log at any version."""

from pathlib import Path

import pytest
from deltalake import DeltaTable, write_deltalake

from chu_platform.storage.commit import commit_written
from chu_platform.storage.commit_log import commits
from chu_platform.storage.lake import Lake
from chu_platform.storage.provenance import data_commits, last_data_commit
from chu_platform.storage.restore import restore
from chu_platform.tables.partitions import CAMPAIGNS, PartitionRange
from chu_platform_tests.storage.small_table import rows_of, visits, written

pytestmark = pytest.mark.integration


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def commit(lake: Lake, run: str, code: str, partition_range: PartitionRange | None = None, file: str = "a") -> int:
    year = partition_range.first if partition_range else "2017"
    metadata = {
        "run": run,
        "slices": f"{year}...{year}" if partition_range else None,
        "whole": partition_range is None,
        "files": [{"name": "visits.csv", "sha256": file}],
    }
    with written(lake, visits(), rows_of({year: [code]})) as write:
        return commit_written(lake, visits(), write, partition_range or CAMPAIGNS.every(), metadata).version


def runs(lake: Lake, version: int) -> list[str]:
    return [metadata["run"] for metadata in data_commits(lake.path(visits()), version)]


def test_an_older_version_has_the_metadata_of_its_own_commit(lake: Lake) -> None:
    for number in range(3):
        commit(lake, f"run {number}", f"code {number}")
    delta = DeltaTable(lake.path(visits()), version=1)
    # The history of delta-rs numbers the newest commit with the loaded version.
    assert delta.history()[0]["version"] == 1 and "run 2" in str(delta.history()[0])
    assert last_data_commit(lake.path(visits()), delta)["run"] == "run 1"


def test_a_restored_table_has_the_metadata_of_the_restored_commit(lake: Lake) -> None:
    for number in range(3):
        commit(lake, f"run {number}", f"code {number}")
    restore(lake, visits(), 1, "a restoring run")
    assert lake.provenance(visits())["run"] == "run 1"
    assert runs(lake, 3) == ["run 1"]
    assert runs(lake, 2) == ["run 2"]


def test_partitions_have_the_metadata_of_the_commits_that_made_them(lake: Lake) -> None:
    commit(lake, "too old to matter", "x")
    commit(lake, "all", "y")
    commit(lake, "2018", "z", CAMPAIGNS.between("2018", "2018"))
    assert runs(lake, 2) == ["2018", "all"]
    assert runs(lake, 1) == ["all"]


def test_a_restore_drops_the_commits_of_later_partitions(lake: Lake) -> None:
    commit(lake, "all", "y")
    commit(lake, "2018", "z", CAMPAIGNS.between("2018", "2018"))
    restore(lake, visits(), 0, "a restoring run")
    assert runs(lake, 2) == ["all"]


def test_commits_of_other_tools_are_listed_without_metadata(lake: Lake) -> None:
    commit(lake, "platform", "x")
    write_deltalake(lake.path(visits()), rows_of({"2017": ["y"]}), mode="append")
    foreign, own = commits(lake.path(visits()))
    assert (foreign.version, foreign.user_metadata, len(foreign.added)) == (1, None, 1)
    assert own.user_metadata and '"platform"' in own.user_metadata
    assert runs(lake, 1) == ["platform"]


def test_the_same_rows_from_another_file_are_committed_with_its_name(lake: Lake) -> None:
    commit(lake, "first", "x", file="a")
    assert commit(lake, "the same again", "x", file="a") == 0
    assert commit(lake, "in another order", "x", file="b") == 1
    assert lake.provenance(visits())["files"][0]["sha256"] == "b"
    (newest, _) = commits(lake.path(visits()))
    assert (newest.added, newest.removed) == ([], [])


def test_metadata_may_contain_characters_that_end_lines(lake: Lake) -> None:
    """U+2028 and U+0085 end a line of text, but not a line of the log."""
    commit(lake, "a run", "a", file="a\u2028b\x85c")
    found = last_data_commit(lake.path(visits()), lake.require(visits()))
    assert found["files"] == [{"name": "visits.csv", "sha256": "a\u2028b\x85c"}]
