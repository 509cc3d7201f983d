"""What a table's log says of itself, whichever version is loaded."""

from pathlib import Path

import pytest
from deltalake import DeltaTable, write_deltalake

from chu_platform.storage.commit import publish
from chu_platform.storage.commit_log import commits
from chu_platform.storage.lake import Lake
from chu_platform.storage.provenance import data_commits, last_data_commit
from chu_platform.storage.restore import restore
from chu_platform.tables.partitions import CAMPAIGNS, PartitionRange
from chu_platform_tests.storage.tables import rows_of, staged, visits

pytestmark = pytest.mark.integration


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def published(lake: Lake, run: str, code: str, partition_range: PartitionRange | None = None, file: str = "a") -> int:
    year = partition_range.first if partition_range else "2017"
    said = {
        "run": run,
        "slices": f"{year}...{year}" if partition_range else None,
        "whole": partition_range is None,
        "files": [{"name": "visits.csv", "sha256": file}],
    }
    with staged(lake, visits(), rows_of({year: [code]})) as folder:
        return publish(lake, visits(), folder, partition_range or CAMPAIGNS.every(), said).version


def runs(lake: Lake, version: int) -> list[str]:
    return [said["run"] for said in data_commits(lake.path(visits()), version)]


def test_a_table_loaded_at_an_older_version_tells_of_the_publication_of_that_version(lake: Lake) -> None:
    for number in range(3):
        published(lake, f"run {number}", f"code {number}")
    delta = DeltaTable(lake.path(visits()), version=1)
    # delta-rs calls its newest commit by the loaded version.
    assert delta.history()[0]["version"] == 1 and "run 2" in str(delta.history()[0])
    assert last_data_commit(delta)["run"] == "run 1"


def test_a_restored_table_tells_of_the_publication_it_went_back_to(lake: Lake) -> None:
    for number in range(3):
        published(lake, f"run {number}", f"code {number}")
    restore(lake, visits(), 1, "a restoring run")
    assert lake.provenance(visits())["run"] == "run 1"
    assert runs(lake, 3) == ["run 1"]
    assert runs(lake, 2) == ["run 2"]


def test_slices_are_explained_by_the_publications_that_made_them(lake: Lake) -> None:
    published(lake, "too old to matter", "x")
    published(lake, "all", "y")
    published(lake, "2018", "z", CAMPAIGNS.between("2018", "2018"))
    assert runs(lake, 2) == ["2018", "all"]
    assert runs(lake, 1) == ["all"]


def test_going_back_before_a_slice_was_made_forgets_it(lake: Lake) -> None:
    published(lake, "all", "y")
    published(lake, "2018", "z", CAMPAIGNS.between("2018", "2018"))
    restore(lake, visits(), 0, "a restoring run")
    assert runs(lake, 2) == ["all"]


def test_the_commits_of_other_tools_say_nothing_and_are_seen(lake: Lake) -> None:
    published(lake, "ours", "x")
    write_deltalake(lake.path(visits()), rows_of({"2017": ["y"]}), mode="append")
    stranger, ours = commits(lake.path(visits()))
    assert (stranger.version, stranger.user_metadata, len(stranger.added)) == (1, None, 1)
    assert ours.user_metadata and '"ours"' in ours.user_metadata
    assert runs(lake, 1) == ["ours"]


def test_the_same_rows_from_another_file_name_the_file_that_is_there(lake: Lake) -> None:
    published(lake, "first", "x", file="a")
    assert published(lake, "the same again", "x", file="a") == 0
    assert published(lake, "in another order", "x", file="b") == 1
    assert lake.provenance(visits())["files"][0]["sha256"] == "b"
    (newest, _) = commits(lake.path(visits()))
    assert (newest.added, newest.removed) == ([], [])
