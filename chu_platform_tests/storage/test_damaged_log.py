"""A damaged log is recognised, set aside, and the table is made again; `chu verify` names it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from chu_platform.storage.damage import damage_of
from chu_platform.storage.lake import DamagedLog, Lake
from chu_platform_tests.pipeline.lake_rows import rows
from chu_platform_tests.storage.small_table import lake_of, put, rows_of, visits

pytestmark = pytest.mark.integration

FIRST = {"2017": ["a", "b"], "2018": ["c"]}
SECOND = {"2017": ["a", "b"], "2018": ["x"], "2019": ["y", "z"]}
TABLE = visits()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return lake_of(tmp_path / "lake", TABLE, FIRST, SECOND)


def commit(lake: Lake, version: int) -> Path:
    return lake.path(TABLE) / "_delta_log" / f"{version:020}.json"


def codes(lake: Lake) -> list[str]:
    return sorted(rows(lake, TABLE)["code"].to_pylist())


DAMAGES: dict[str, Callable[[Lake], object]] = {
    "newest commit empty": lambda lake: commit(lake, 1).write_bytes(b""),
    "newest commit of zeros": lambda lake: commit(lake, 1).write_bytes(bytes(4096)),
    "newest commit cut in a line": lambda lake: commit(lake, 1).write_bytes(commit(lake, 1).read_bytes()[:-40]),
    "all commits empty": lambda lake: [commit(lake, version).write_bytes(b"") for version in (0, 1)],
    "older commit overwritten": lambda lake: commit(lake, 0).write_text("no commit\n"),
    "older commit lost": lambda lake: commit(lake, 0).unlink(),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_table_with_a_damaged_log_is_made_again(lake: Lake, name: str) -> None:
    DAMAGES[name](lake)
    with pytest.raises(
        DamagedLog, match=r"restricted/sources/visits cannot be read.* materialise sources/visits again"
    ):
        lake.open(TABLE)
    assert lake.recover(TABLE)
    assert lake.recover(TABLE) == []
    put(lake, TABLE, rows_of(SECOND))
    assert codes(lake) == ["a", "b", "x", "y", "z"]
    assert damage_of(lake, TABLE) == []


def test_what_is_set_aside_is_kept(lake: Lake) -> None:
    commit(lake, 1).write_bytes(b"half of a commit")
    assert lake.recover(TABLE) == [commit(lake, 1).name]
    assert codes(lake) == ["a", "b", "c"]
    assert commit(lake, 1).with_name(f"{commit(lake, 1).name}.unreadable").read_bytes() == b"half of a commit"


@pytest.mark.parametrize("cut", [1, 2])
def test_a_commit_cut_at_the_end_of_a_line_is_found_and_mended(lake: Lake, cut: int) -> None:
    """Such a commit can be read, and lacks files."""
    lines = commit(lake, 1).read_text().splitlines()
    # The last lines of the second commit remove the replaced file, and add the new ones before it.
    added = [line for line in lines if "add" in json.loads(line)]
    kept = [line for line in lines if line not in added[-cut:]]
    commit(lake, 1).write_text("\n".join(kept))
    assert codes(lake) != ["a", "b", "x", "y", "z"]
    found = damage_of(lake, TABLE)
    assert {d.folder for d in found} == {"campaign_year=2019", "campaign_year=2018"} or cut == 1 == len(found)
    assert "missing in its log, which was cut: materialise sources/visits again" in found[0].finding
    put(lake, TABLE, rows_of(SECOND))
    assert codes(lake) == ["a", "b", "x", "y", "z"]
    assert damage_of(lake, TABLE) == []
