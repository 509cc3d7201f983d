"""Rows that are kept for too long: found, and deleted in one commit of the platform, unless a delivery holds them."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chu_platform.storage.commit import commit_written
from chu_platform.storage.damage import damage_of
from chu_platform.storage.lake import Lake, TableLocked
from chu_platform.storage.provenance import last_data_commit
from chu_platform.storage.retention import delete_expired, expired_rows, months_before
from chu_platform.tables.access_policy import AccessPolicy, Purpose
from chu_platform.tables.table import Layer, Table
from chu_platform_tests.storage.small_table import POLICY, rows_of, visits

pytestmark = pytest.mark.integration

# The rows have days in January 2000.
KEPT_A_YEAR = AccessPolicy(
    Purpose.DATA_QUALITY, "RGPD, art. 6(1)(e)", 12, "un an", expired="day < '{limit}' AND code <> 'kept'"
)
CLOSED = replace(visits(), layer=Layer.REJECTS, partition_scheme=None, access=KEPT_A_YEAR, maintenance=POLICY)
TODAY = date(2001, 1, 15)


def lake_with(root: Path, table: Table) -> Lake:
    """A lake with rows of the table on the days 9, 12, 14, 15 and 2 of January 2000, and one without a day."""
    lake = Lake(root / "lake")
    lake.prepare()
    rows = rows_of({"": ["a", "d", "f", "g", "kept", "p"]})
    days = pa.array([*(date(2000, 1, day) for day in (9, 12, 14, 15, 2)), None], pa.date32())
    rows = rows.set_column(rows.schema.get_field_index("day"), "day", days)
    with lake.writing(table) as write:
        if table.partition_by:
            pq.write_to_dataset(rows, write.rows, partition_cols=list(table.partition_by))
        else:
            pq.write_table(rows, write.rows / write.new_name("rows.parquet"))
        commit_written(lake, table, write, None, {"run": "first", "whole": True, "files": [], "read": {}})
    return lake


def codes(lake: Lake, table: Table, version: int | None = None) -> list[str]:
    return sorted(row["code"] for row in lake.arrow(table, ["code"], version).to_pylist())


@pytest.mark.parametrize(
    ("day", "months", "before"),
    [
        (date(2026, 11, 30), 12, date(2025, 11, 30)),
        (date(2026, 3, 31), 1, date(2026, 2, 28)),
        (date(2024, 3, 31), 1, date(2024, 2, 29)),
        (date(2026, 1, 15), 240, date(2006, 1, 15)),
        (date(2026, 1, 15), 1, date(2025, 12, 15)),
    ],
)
def test_months_before(day: date, months: int, before: date) -> None:
    assert months_before(day, months) == before


def test_expired_rows_are_deleted_in_one_commit(tmp_path: Path) -> None:
    lake = lake_with(tmp_path, CLOSED)
    found = expired_rows(lake, CLOSED, TODAY)
    assert found is not None
    assert (found.rows, found.limit, found.is_delivered) == (3, date(2000, 1, 15), False)
    before = lake.version(CLOSED)
    deleted = delete_expired(lake, CLOSED, TODAY, "a run")
    assert deleted == found
    # A row without a day stays.
    assert codes(lake, CLOSED) == ["g", "kept", "p"]
    assert lake.version(CLOSED) == before + 1
    assert codes(lake, CLOSED, before) == ["a", "d", "f", "g", "kept", "p"]
    # The rows are those of the commit, with the provenance of those that stay.
    assert damage_of(lake, CLOSED) == []
    commit = last_data_commit(lake.place_of(CLOSED), lake.require(CLOSED))
    assert (commit["run"], commit["files"]) == ("a run", [])
    assert commit["retention"] == {"before": "2000-01-15", "rows": 3}
    # Nothing is left to do.
    again = delete_expired(lake, CLOSED, TODAY, "another run")
    assert again is not None
    assert again.rows == 0
    assert lake.version(CLOSED) == before + 1


def test_all_rows_of_a_table_may_be_deleted(tmp_path: Path) -> None:
    everything = replace(CLOSED, access=replace(KEPT_A_YEAR, expired="'{limit}' > '2000'"))
    lake = lake_with(tmp_path, everything)
    delete_expired(lake, everything, TODAY, "a run")
    assert codes(lake, everything) == []
    assert damage_of(lake, everything) == []


def test_rows_of_a_delivery_are_counted_and_stay(tmp_path: Path) -> None:
    delivered = replace(visits(), access=KEPT_A_YEAR)
    lake = lake_with(tmp_path, delivered)
    version = lake.version(delivered)
    found = delete_expired(lake, delivered, TODAY, "a run")
    assert found is not None
    assert (found.rows, found.is_delivered) == (3, True)
    assert lake.version(delivered) == version


def test_a_table_without_an_age_keeps_its_rows(tmp_path: Path) -> None:
    for access in (None, replace(KEPT_A_YEAR, retention_months=None, expired=None)):
        assert expired_rows(Lake(tmp_path / "lake"), replace(CLOSED, access=access), TODAY) is None
    assert expired_rows(Lake(tmp_path / "lake"), CLOSED, TODAY) is None


def test_a_table_that_another_process_writes_is_named(tmp_path: Path) -> None:
    lake = lake_with(tmp_path, CLOSED)
    with lake.write_lock(CLOSED), pytest.raises(TableLocked):
        delete_expired(Lake(lake.place), CLOSED, TODAY, "a run")


def test_a_table_with_partitions_cannot_be_cut(tmp_path: Path) -> None:
    parted = replace(visits(), layer=Layer.REJECTS, access=KEPT_A_YEAR)
    with pytest.raises(ValueError, match="has partitions"):
        delete_expired(lake_with(tmp_path, parted), parted, TODAY, "a run")
