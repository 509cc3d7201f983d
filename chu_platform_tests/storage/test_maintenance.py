"""Maintenance reduces files and read time, keeps everything within the retention, and does not disturb writers."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import CommitProperties, DeltaTable, write_deltalake

from chu_platform.errors import ChuError
from chu_platform.storage.lake import Lake
from chu_platform.storage.maintenance import MaintenanceReport, Operation, maintain, plan
from chu_platform.storage.operations import DELTA_RS, Operations
from chu_platform.storage.restore import restore
from chu_platform.storage.table_state import measure
from chu_platform.tables.columns import DOUBLE, Column
from chu_platform.tables.maintenance_policy import Policy
from chu_platform.tables.partitions import CAMPAIGNS
from chu_platform.tables.table import Layout, Table
from chu_platform_tests.pipeline.lake_rows import digest
from chu_platform_tests.storage.ageing import age
from chu_platform_tests.storage.small_table import COLUMNS, POLICY, put, rows_of, visits

pytestmark = pytest.mark.integration

EIGHT_DAYS = timedelta(days=8)
ORDERED = replace(visits(), layout=Layout(z_order_by=["number", "code"]))
HOLD_LOCK = """
import sys, time
from pathlib import Path
from chu_platform.storage.lake import Lake
from chu_platform_tests.storage.small_table import visits
with Lake(Path(sys.argv[1])).write_lock(visits(), wait=False):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def append(lake: Lake, table: Table, rows: pa.Table) -> None:
    """Add rows as another tool does, without metadata of the platform."""
    write_deltalake(lake.path(table), rows.cast(table.schema), mode="append")


def codes(lake: Lake, table: Table, version: int | None = None) -> list[tuple[str | None, str]]:
    found = lake.arrow(table, ["campaign_year", "code"], version).to_pylist()
    return sorted(((r["campaign_year"], r["code"]) for r in found), key=str)


def fragmented(lake: Lake, table: Table, commits: int) -> list[tuple[str | None, str]]:
    """Make a table with many small commits, half additions and half replaced partitions; returns its rows."""
    put(lake, table, rows_of({"2017": ["a", "b"], "2018": ["c"]}))
    added: list[tuple[str | None, str]] = [("2017", "a"), ("2017", "b"), ("2018", "c")]
    for i in range(commits // 2):
        added_now = [("2017", f"x{i * 37 % 100}"), (None, f"u{i}")]
        append(lake, table, rows_of({year or "": [code] for year, code in added_now}))
        put(lake, table, rows_of({"2020": [f"r{i}"]}), CAMPAIGNS.between("2020", "2020"))
        added += added_now
    return sorted([*added, ("2020", f"r{commits // 2 - 1}")], key=str)


def done_of(report: MaintenanceReport) -> Sequence[Operation]:
    return [d.action.operation for d in report.done]


def metadata(commit: Mapping[str, str]) -> Mapping[str, object]:
    """The metadata of a commit; of the last data commit in it, the run only."""
    found: dict[str, Any] = json.loads(commit["userMetadata"])
    return {**found, "publication": {"run": found["publication"]["run"]}} if "publication" in found else found


def test_after_many_small_commits_files_are_reduced(lake: Lake) -> None:
    """After 200, with the time to read them: `test_many_commits`."""
    reduce_files(lake, 40)


def reduce_files(lake: Lake, commits: int) -> None:
    """Make a table with many small commits, and assert what maintenance and a restore make of it."""
    expected = fragmented(lake, ORDERED, commits)
    before = lake.version(ORDERED)
    report = maintain(lake, ORDERED, POLICY, "a run")
    found = (report.before.files, report.before.small_files, report.before.version)
    assert found == (commits + 3, commits + 1, commits)
    # One file per partition: 2017, 2018, 2020, and rows without a year.
    assert (report.after.files, report.after.small_files) == (4, 0)
    assert report.after.size < report.before.size / (commits / 20)
    assert report.after.commits == 0
    assert done_of(report) == [Operation.OPTIMIZE, Operation.CHECKPOINT]
    assert codes(lake, ORDERED) == expected
    assert codes(lake, ORDERED, before) == expected
    after_the_first_commit = sorted(
        [("2017", "a"), ("2017", "b"), ("2018", "c"), ("2017", "x0"), (None, "u0")], key=str
    )
    assert codes(lake, ORDERED, 1) == after_the_first_commit
    restore(lake, ORDERED, 1, "a run")
    assert codes(lake, ORDERED) == after_the_first_commit


def test_rewritten_files_keep_rows_partitions_types_and_no_names_in_the_log(lake: Lake) -> None:
    keep_rows_of_rewritten_files(lake, DELTA_RS)


def keep_rows_of_rewritten_files(lake: Lake, operations: Operations) -> None:
    """Make a table with many small files, and assert what maintenance makes of it."""
    expected = fragmented(lake, ORDERED, 20)
    names = sorted(lake.arrow(ORDERED, ["name"]).column("name").to_pylist())
    schema = DeltaTable(lake.path(ORDERED)).schema().to_json()
    untouched = [f for f in DeltaTable(lake.path(ORDERED)).file_uris() if "=2018/" in f or "=2020/" in f]
    maintain(lake, ORDERED, POLICY, "a run", operations)
    assert codes(lake, ORDERED) == expected
    assert sorted(lake.arrow(ORDERED, ["name"]).column("name").to_pylist()) == names
    delta = DeltaTable(lake.path(ORDERED))
    assert json.loads(delta.schema().to_json()) == json.loads(schema)
    files = delta.file_uris()
    assert set(untouched) < set(files)
    assert sorted(Path(f).parent.name.split("=")[1] for f in files) == [
        "2017",
        "2018",
        "2020",
        "__HIVE_DEFAULT_PARTITION__",
    ]
    for file in files:
        assert pq.read_metadata(file).row_group(0).column(0).compression == "ZSTD"
    actions = pa.table(delta.get_add_actions(flatten=True))
    assert {c for c in actions.column_names if c.startswith("min.")} == {"min.code", "min.number", "min.day"}
    assert (delta.protocol().min_reader_version, delta.protocol().reader_features) == (1, None)
    # The log and its checkpoints contain no name of a person.
    log = lake.path(ORDERED) / "_delta_log"
    checkpoint = next(log.glob("*.checkpoint.parquet"))
    texts = [f.read_text() for f in log.glob("*.json")] + [str(duckdb.read_parquet(str(checkpoint)).fetchall())]
    assert all("Name of" not in text for text in texts)
    # Each commit of maintenance contains its run and the metadata of the last data commit.
    (optimized,) = (
        c for c in delta.history() if c["operation"] == "OPTIMIZE" and "2017" in str(c["operationParameters"])
    )
    assert metadata(optimized) == {
        "run": "a run",
        "asset": "sources/visits",
        "operation": "optimize",
        "publication": {"run": "test"},
    }
    assert lake.provenance(ORDERED)["run"] == "test"
    if operations is not DELTA_RS:
        assert optimized["operationParameters"]["zOrderBy"] == '["number","code"]'
    # A second maintenance has nothing to do, and reports why.
    before = digest(lake.path(ORDERED))
    report = maintain(lake, ORDERED, POLICY, "a run", operations)
    assert report.skipped and report.skipped.startswith("nothing is due: 0 of 4 files are small")
    assert (report.before, report.done) == (report.after, [])
    assert digest(lake.path(ORDERED)) == before


def test_the_rows_of_a_rewritten_file_are_in_z_order(lake: Lake) -> None:
    # Z-order by a single column sorts the rows by this column.
    table = replace(visits(), layout=Layout(z_order_by=["number"]))

    def numbers() -> list[int]:
        (file, *_) = (f for f in DeltaTable(lake.path(table)).file_uris() if "2017" in f)
        found: list[int] = pq.read_table(file, columns=["number"]).column("number").to_pylist()
        return found

    put(lake, table, rows_of({"2017": ["b", "a"]}))
    append(lake, table, rows_of({"2017": ["z", "c", "y", "d"]}))
    maintain(lake, table, replace(POLICY, small_files=2), "a run")
    assert numbers() == sorted(map(ord, "badcyz"))


def test_partitions_of_two_columns_stay_separate(lake: Lake) -> None:
    table = replace(visits(), layout=Layout(partition_by=["number"]))
    put(lake, table, rows_of({"2017": ["ab"]}))
    expected: list[tuple[str | None, str]] = [("2017", "ab")]
    for pair in (["ba", "bb"], ["ab", "bc"], ["ba", "bb"]):
        append(lake, table, rows_of({"2017": pair, "": pair}))
        expected += [(year, code) for code in pair for year in ("2017", None)]
    rows = sorted(map(str, lake.arrow(table).to_pylist()))
    report = maintain(lake, table, replace(POLICY, small_files=2), "a run")
    # With and without a year, 195 and 196 had more than one file; 197 has one file each.
    assert (report.before.files, report.after.files) == (13, 6)
    assert sorted(map(str, lake.arrow(table).to_pylist())) == rows
    assert codes(lake, table) == sorted(expected, key=str)


@pytest.mark.parametrize(
    ("changed", "due"),
    [
        ({}, []),
        ({"small_files": 15, "files": 1000}, []),
        ({"small_files": 16, "files": 1000}, [Operation.OPTIMIZE, Operation.CHECKPOINT]),
        ({"small_files": 2, "files": 4}, [Operation.OPTIMIZE, Operation.CHECKPOINT]),
        ({"small_files": 2, "files": 5}, []),
        ({"expired_files": 1}, [Operation.VACUUM]),
        ({"commits": 19}, []),
        ({"commits": 20}, [Operation.CHECKPOINT]),
        ({"expired_log_files": 1}, [Operation.CLEAN_LOG]),
        ({"has_properties": False}, [Operation.SET_PROPERTIES]),
    ],
)
def test_operations_are_due_at_the_thresholds(lake: Lake, changed: Mapping[str, Any], due: Sequence[Operation]) -> None:
    put(lake, visits(), rows_of({"2017": ["a"]}))
    state = replace(measure(lake, visits(), POLICY), has_properties=True)
    assert [a.operation for a in plan(replace(state, **changed), POLICY)] == due


def test_vacuum_deletes_only_files_past_the_retention(lake: Lake) -> None:
    delete_files_past_the_retention(lake, DELTA_RS)


def delete_files_past_the_retention(lake: Lake, operations: Operations) -> None:
    """Replace the rows of a table, some long ago, and assert which files maintenance deletes."""
    table = visits()
    put(lake, table, rows_of({"2017": ["first"]}))
    put(lake, table, rows_of({"2017": ["second"]}))
    age(lake.path(table), EIGHT_DAYS)
    put(lake, table, rows_of({"2017": ["third"]}))
    folder = lake.path(table) / "campaign_year=2017"
    (file,) = DeltaTable(lake.path(table)).file_uris()
    for name in ("old", "young"):
        shutil.copy(file, folder / f"part-{name}.parquet")
    past = time.time() - EIGHT_DAYS.total_seconds()
    os.utime(folder / "part-old.parquet", (past, past))
    report = maintain(lake, table, POLICY, "a run", operations)
    assert (report.before.expired_files, report.after.expired_files) == (2, 0)
    assert report.before.expired_size > 0 == report.after.expired_size
    # The second version was the current one until now and can be read. A young file may belong to a running write.
    assert codes(lake, table, 1) == [("2017", "second")]
    assert codes(lake, table) == [("2017", "third")]
    remaining = {f.name for f in folder.glob("*.parquet")}
    assert "part-young.parquet" in remaining and "part-old.parquet" not in remaining and len(remaining) == 3
    with pytest.raises(duckdb.IOException):
        codes(lake, table, 0)
    assert {metadata(c)["operation"] for c in DeltaTable(lake.path(table)).history()[:2]} == {"vacuum"}


def test_log_files_that_no_retained_version_needs_are_deleted(lake: Lake) -> None:
    table = visits()
    policy = replace(POLICY, log_retention=timedelta(days=10), expired_files=100)
    put(lake, table, rows_of({"2017": ["v0"]}))
    put(lake, table, rows_of({"2017": ["v1"]}))
    maintain(lake, table, policy, "a run")
    put(lake, table, rows_of({"2017": ["v3"]}))
    maintain(lake, table, replace(policy, commits=1), "a run")
    put(lake, table, rows_of({"2017": ["v4"]}))
    age(lake.path(table), timedelta(days=11))
    # The fourth version was replaced within the retention.
    last = lake.path(table) / "_delta_log" / f"{4:020}.json"
    os.utime(last)
    report = maintain(lake, table, policy, "a run")
    assert (done_of(report), report.before.expired_log_files) == ([Operation.CLEAN_LOG], 3)
    assert report.after.expired_log_files == 0
    # The fifth is the commit of the clean-up, with the metadata of the last data commit.
    assert {f.name[:20] for f in last.parent.glob("*.json")} == {f"{3:020}", last.stem, f"{5:020}"}
    assert codes(lake, table, 3) == [("2017", "v3")]
    assert codes(lake, table, 4) == [("2017", "v4")]
    with pytest.raises(ChuError, match="the oldest readable version is 3"):
        restore(lake, table, 2, "a run")
    assert lake.provenance(table)["run"] == "test"


def test_provenance_is_kept_after_the_log_was_cleaned(lake: Lake) -> None:
    put(lake, visits(), rows_of({"2017": ["a"]}))
    put(lake, visits(), rows_of({"2017": ["b"]}))
    maintain(lake, visits(), replace(POLICY, commits=1), "a run")
    age(lake.path(visits()), timedelta(days=31))
    report = maintain(lake, visits(), replace(POLICY, commits=1), "a run")
    assert Operation.CLEAN_LOG in done_of(report)
    assert not (lake.path(visits()) / "_delta_log" / f"{1:020}.json").exists()
    assert lake.provenance(visits())["run"] == "test"


def test_the_retentions_are_in_the_table_properties(lake: Lake) -> None:
    put(lake, visits(), rows_of({"2017": ["a"]}))
    maintain(lake, visits(), POLICY, "a run")
    assert DeltaTable(lake.path(visits())).metadata().configuration == {
        "delta.dataSkippingStatsColumns": "number,day",
        "delta.deletedFileRetentionDuration": "interval 168 hours",
        "delta.logRetentionDuration": "interval 720 hours",
    }


def test_retentions_that_would_lose_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="reach running writes"):
        Policy(retention=timedelta(hours=23))
    with pytest.raises(ValueError, match="at least as long as the files"):
        Policy(retention=timedelta(days=8), log_retention=timedelta(days=7))
    with pytest.raises(ValueError, match="whole hours"):
        Policy(retention=timedelta(days=8, minutes=1))


def test_metadata_of_other_tools_is_ignored(lake: Lake) -> None:
    put(lake, visits(), rows_of({"2017": ["a"]}))
    for text in ("no JSON", "[1]", '{"other": 1}'):
        properties = CommitProperties(custom_metadata={"userMetadata": text})
        write_deltalake(
            lake.path(visits()),
            rows_of({"2017": ["x"]}).cast(visits().schema),
            mode="append",
            commit_properties=properties,
        )
    assert lake.provenance(visits())["run"] == "test"


def test_a_table_that_another_process_writes_is_skipped(lake: Lake) -> None:
    fragmented(lake, visits(), 40)
    before = digest(lake.path(visits()))
    writer = subprocess.Popen(
        [sys.executable, "-c", HOLD_LOCK, str(lake.root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert writer.stdout and writer.stdout.readline() == "held\n"
        report = maintain(lake, visits(), POLICY, "a run")
        assert report.skipped and "is being written by another process" in report.skipped
        with pytest.raises(ChuError, match="is being written by another process"):
            restore(lake, visits(), 0, "a run")
        assert digest(lake.path(visits())) == before
    finally:
        # The lock of a killed process is released.
        writer.kill()
        writer.communicate()
    assert maintain(lake, visits(), POLICY, "a run").skipped is None


def test_writers_and_maintenance_at_the_same_time_lose_or_duplicate_no_row(lake: Lake) -> None:
    table = visits()
    put(lake, table, rows_of({"2017": ["a"], "2018": ["b"]}))
    reports: list[MaintenanceReport] = []
    ended = threading.Event()

    def maintenance() -> None:
        while not ended.is_set():
            reports.append(maintain(lake, table, replace(POLICY, small_files=2), "a run"))

    thread = threading.Thread(target=maintenance)
    thread.start()
    try:
        for i in range(30):
            with lake.write_lock(table, wait=True):
                append(lake, table, rows_of({"2018": [f"y{i}"]}))
            put(lake, table, rows_of({"2017": [f"x{i}", f"z{i}"]}), CAMPAIGNS.between("2017", "2017"))
    finally:
        ended.set()
        thread.join()
    assert any(Operation.OPTIMIZE in done_of(r) for r in reports)
    expected = [("2017", "x29"), ("2017", "z29"), ("2018", "b"), *(("2018", f"y{i}") for i in range(30))]
    assert codes(lake, table) == sorted(expected, key=str)


def test_a_restore_is_a_new_commit(lake: Lake) -> None:
    restore_by_a_new_commit(lake, DELTA_RS)


def restore_by_a_new_commit(lake: Lake, operations: Operations) -> None:
    """Restore the version of a table before a wrong one."""
    expected = fragmented(lake, ORDERED, 4)
    good = lake.version(ORDERED)
    put(lake, ORDERED, rows_of({"2017": ["wrong"]}))
    last = lake.version(ORDERED)
    assert restore(lake, ORDERED, good, "a restoring run", operations) == last + 1
    assert codes(lake, ORDERED) == expected
    assert codes(lake, ORDERED, last) == [("2017", "wrong")]
    assert metadata(DeltaTable(lake.path(ORDERED)).history(1)[0]) == {
        "run": "a restoring run",
        "asset": "sources/visits",
        "operation": "restore",
        "publication": {"run": "test"},
        "restored_version": good,
    }


def test_an_impossible_restore_is_refused_and_changes_nothing(lake: Lake) -> None:
    table = visits()
    put(lake, table, rows_of({"2017": ["first"]}))
    put(lake, table, rows_of({"2017": ["second"]}))
    age(lake.path(table), EIGHT_DAYS)
    put(lake, table, rows_of({"2017": ["third"]}))
    wider = visits([*COLUMNS, Column("added", DOUBLE, "a new column", "Ajout")])
    put(lake, wider, rows_of({"2017": ["x"]}).append_column("added", pa.array([1.5])))
    maintain(lake, wider, POLICY, "a run")
    before = digest(lake.path(table))
    for version, reason in (
        (99, "has no version 99: its last version is 5"),
        (-1, "has no version -1"),
        (5, "is at version 5 already"),
        (0, "its files or its commit are past the retention or lost; the oldest readable version is 1"),
        (2, "had other columns at version 2"),
    ):
        with pytest.raises(ChuError, match=reason):
            restore(lake, wider, version, "a run")
    assert digest(lake.path(table)) == before


def test_a_table_that_does_not_exist_is_named_in_the_error(lake: Lake) -> None:
    with pytest.raises(ChuError, match="restricted/sources/visits is not in the lake yet"):
        maintain(lake, visits(), POLICY, "a run")
