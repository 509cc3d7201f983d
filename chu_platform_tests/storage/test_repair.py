"""A forced commit repairs damaged files and logs; older versions lead to the repaired one; restore refuses damage."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from deltalake import DeltaTable, write_deltalake

from chu_platform.errors import ChuError
from chu_platform.storage.commit import CommitResult, commit_written
from chu_platform.storage.damage import damage_of, rows_before
from chu_platform.storage.lake import Lake
from chu_platform.storage.maintenance import maintain
from chu_platform.storage.provenance import version_with_same_rows
from chu_platform.storage.restore import restore
from chu_platform.tables.maintenance_policy import Policy
from chu_platform.tables.partitions import CAMPAIGNS
from chu_platform_tests.pipeline.lake_rows import rows
from chu_platform_tests.storage.small_table import lake_of, put, rows_of, visits, written

pytestmark = pytest.mark.integration

FIRST = {"2017": ["a", "b"], "2018": ["c"]}
SECOND = {"2017": ["a", "b"], "2018": ["x"]}
TABLE = visits()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return lake_of(tmp_path / "lake", TABLE, FIRST, SECOND)


def repair(lake: Lake, made: Mapping[str, Sequence[str]] = SECOND) -> CommitResult:
    """Commit rows as `chu materialize --force` and `chu verify --repair` do."""
    with written(lake, TABLE, rows_of(made)) as write:
        return commit_written(lake, TABLE, write, CAMPAIGNS.every(), {"run": "repair"}, repair=True)


def file_of(lake: Lake, year: str, version: int | None = None) -> Path:
    (file,) = (f for f in DeltaTable(lake.path(TABLE), version=version).file_uris() if f"={year}/" in f)
    return Path(file)


def flip(file: Path) -> None:
    """Change one bit in the middle of a file."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def codes(lake: Lake) -> list[str]:
    return sorted(rows(lake, TABLE)["code"].to_pylist())


def test_a_changed_byte_is_repaired_with_the_same_rows(lake: Lake) -> None:
    flip(file_of(lake, "2017"))
    (found,) = damage_of(lake, TABLE)
    assert found.folder == "campaign_year=2017" and "differs from the committed file" in found.finding
    assert put(lake, TABLE, rows_of(SECOND)).changed == [], "without repair, bytes are not compared"
    assert repair(lake).changed == ["2017"]
    assert damage_of(lake, TABLE) == []
    assert codes(lake) == ["a", "b", "x"]
    assert repair(lake).changed == [], "nothing is damaged any more"
    # A table that was made from version 1 is recomputed from version 2, which has the same rows; version 0 is another.
    assert [version_with_same_rows(lake.path(TABLE), v) for v in (0, 1, 2)] == [0, 2, 2]


def test_a_repair_with_other_rows_is_another_version(lake: Lake) -> None:
    flip(file_of(lake, "2018"))
    repair(lake, FIRST)
    assert version_with_same_rows(lake.path(TABLE), 1) == 1


def test_a_file_of_maintenance_that_cannot_be_read_is_repaired(lake: Lake) -> None:
    write_deltalake(lake.path(TABLE), rows_of({"2017": ["y"]}), mode="append")
    assert repair(lake, {**SECOND, "2017": ["a", "b", "y"]}).changed == []
    assert damage_of(lake, TABLE) == []
    maintain(lake, TABLE, Policy(small_files=2), "a run")
    file = file_of(lake, "2017")
    file.write_bytes(b"PAR1" + bytes(file.stat().st_size - 8) + b"PAR1")
    assert {d.folder for d in damage_of(lake, TABLE)} == {"campaign_year=2017"}
    assert repair(lake).changed == ["2017"]
    assert damage_of(lake, TABLE) == []


def test_a_commit_by_another_tool_is_followed_by_one_of_the_platform(lake: Lake) -> None:
    DeltaTable(lake.path(TABLE)).alter.set_table_properties({"delta.logRetentionDuration": "interval 9 days"})
    assert "by another tool" in damage_of(lake, TABLE)[0].finding
    assert repair(lake).changed == []
    assert damage_of(lake, TABLE) == []
    write_deltalake(lake.path(TABLE), rows_of({"2018": ["y"]}), mode="append")
    assert repair(lake).changed == ["2018"]
    assert damage_of(lake, TABLE) == [] and codes(lake) == ["a", "b", "x"]
    # Version 4 had the rows of the other tool.
    assert version_with_same_rows(lake.path(TABLE), 4) == 4


def test_inputs_are_recorded_again_if_an_input_begins_again(lake: Lake) -> None:
    def commit(read: int) -> CommitResult:
        with written(lake, TABLE, rows_of(SECOND)) as write:
            provenance = {"run": "r", "read": {"restricted/sources/other": read}}
            return commit_written(lake, TABLE, write, CAMPAIGNS.every(), provenance)

    put(lake, TABLE, rows_of(FIRST))
    version = commit(7).version
    assert commit(9).version == version, "the same rows of a later version are not committed"
    assert commit(0).version == version + 1
    assert lake.provenance(TABLE)["read"] == {"restricted/sources/other": 0}
    assert version_with_same_rows(lake.path(TABLE), version) == version + 1


CHECKPOINTS: Mapping[str, Callable[[bytes], bytes]] = {
    "cut": lambda content: content[: len(content) // 2],
    "empty": lambda _: b"",
    "zeros": lambda content: bytes(len(content)),
}


@pytest.mark.parametrize("damage", CHECKPOINTS)
def test_a_damaged_checkpoint_is_set_aside_and_the_commits_are_read(lake: Lake, damage: str) -> None:
    DeltaTable(lake.path(TABLE)).create_checkpoint()
    (checkpoint,) = (lake.path(TABLE) / "_delta_log").glob("*.checkpoint*.parquet")
    checkpoint.write_bytes(CHECKPOINTS[damage](checkpoint.read_bytes()))
    (found,) = damage_of(lake, TABLE)
    assert "restricted/sources/visits cannot be read" in found.finding
    assert lake.recover(TABLE) == [checkpoint.name]
    assert damage_of(lake, TABLE) == [] and codes(lake) == ["a", "b", "x"]
    assert lake.version(TABLE) == 1


def test_a_damaged_commit_before_a_checkpoint_is_set_aside(lake: Lake) -> None:
    year = CAMPAIGNS.between("2018", "2018")
    with written(lake, TABLE, rows_of({"2018": ["c"]})) as write:
        commit_written(lake, TABLE, write, year, {"run": "r", "whole": False})
    DeltaTable(lake.path(TABLE)).create_checkpoint()
    commit = lake.path(TABLE) / "_delta_log" / f"{1:020}.json"
    commit.write_text('{"add":\n')
    assert [d.folder for d in damage_of(lake, TABLE)] == [None]
    assert lake.recover(TABLE) == [commit.name]
    assert damage_of(lake, TABLE) == [] and codes(lake) == ["a", "b", "c"]


def test_a_set_aside_log_is_found_until_the_table_is_made_again(lake: Lake) -> None:
    (lake.path(TABLE) / "_delta_log" / f"{0:020}.json").write_text("no commit\n")
    assert lake.recover(TABLE)
    (found,) = damage_of(lake, TABLE)
    assert "is set aside; it was not made again yet" in found.finding
    repair(lake)
    assert damage_of(lake, TABLE) == []


@pytest.mark.parametrize("damage", ["lost", "changed", "cut"])
def test_a_damaged_version_is_not_restored(lake: Lake, damage: str) -> None:
    put(lake, TABLE, rows_of({**SECOND, "2018": ["y"]}))
    file = file_of(lake, "2018", version=1)
    if damage == "lost":
        file.unlink()
    elif damage == "cut":
        file.write_bytes(file.read_bytes()[:-1])
    else:
        flip(file)
    cause = "lost; the oldest readable version is 0" if damage == "lost" else "is damaged, because its bytes"
    with pytest.raises(ChuError, match=rf"cannot go back to version 1: .*{cause}") as refused:
        restore(lake, TABLE, 1, "a run")
    assert damage == "lost" or "the newest version that can be restored is 0" in str(refused.value)
    assert lake.version(TABLE) == 2 and codes(lake) == ["a", "b", "y"]
    assert restore(lake, TABLE, 0, "a run") == 3
    assert codes(lake) == ["a", "b", "c"]


def test_nothing_is_restored_if_all_versions_are_damaged(lake: Lake) -> None:
    flip(file_of(lake, "2017"))
    with pytest.raises(ChuError, match="no earlier version can be restored; `chu verify --repair` makes a damaged"):
        restore(lake, TABLE, 0, "a run")


def test_history_continues_from_the_newest_version_without_damage(lake: Lake) -> None:
    warnings: list[str] = []
    assert sorted(rows_before(lake, TABLE, warnings.append)["code"].to_pylist()) == ["a", "b", "x"]
    assert warnings == []
    flip(file_of(lake, "2018"))
    assert sorted(rows_before(lake, TABLE, warnings.append)["code"].to_pylist()) == ["a", "b", "c"]
    flip(file_of(lake, "2017"))
    assert len(rows_before(lake, TABLE, warnings.append)) == 0
    assert warnings == [
        "WARNING restricted/sources/visits: version 1 is damaged, so its history continues from version 0",
        "WARNING restricted/sources/visits: no version of it is without damage, so its history is lost",
    ]
