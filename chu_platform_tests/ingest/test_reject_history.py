"""History of rejected rows over several deliveries: open, corrected, moved, rejected again."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from chu_platform.ingest.reject_history import Reject, with_history, write_rejects

pytestmark = pytest.mark.unit

FIRST, SECOND, THIRD = "1" * 64, "2" * 64, "3" * 64


def reject(line: int, text: str, file: str = "f.csv", reason: str = "missing") -> Reject:
    return file, line, "day", reason, "aa", text


def after(before: list[dict[str, Any]], rejects: list[Reject], now: str, **deliveries: str) -> list[dict[str, Any]]:
    return with_history(before, rejects, {f"{n}.csv": d for n, d in deliveries.items()}, now)


def summary(rows: list[dict[str, Any]]) -> list[tuple[object, ...]]:
    return sorted((r["row"], r["line"], r["delivery"][0], r["first_seen"], (r["mended_by"] or "-")[0]) for r in rows)


def test_a_corrected_row_is_closed_and_stays_in_the_history() -> None:
    rows = after([], [reject(2, "a"), reject(5, "b")], "monday", f=FIRST)
    assert summary(rows) == [("a", 2, "1", "monday", "-"), ("b", 5, "1", "monday", "-")]
    rows = after(rows, [reject(5, "b"), reject(7, "c")], "tuesday", f=SECOND)
    assert summary(rows) == [("a", 2, "1", "monday", "2"), ("b", 5, "1", "monday", "-"), ("c", 7, "2", "tuesday", "-")]
    rows = after(rows, [], "friday", f=THIRD)
    assert summary(rows) == [("a", 2, "1", "monday", "2"), ("b", 5, "1", "monday", "3"), ("c", 7, "2", "tuesday", "3")]


def test_the_same_delivery_again_changes_nothing() -> None:
    rows = after([], [reject(2, "a"), reject(3, "a"), reject(5, "b")], "monday", f=FIRST)
    assert summary(after(rows, [reject(2, "a"), reject(3, "a"), reject(5, "b")], "friday", f=FIRST)) == summary(rows)


def test_a_snapshot_with_another_name_changes_nothing() -> None:
    rows = after([], [reject(2, "a")], "monday", f=FIRST)
    assert after(rows, [reject(2, "a")], "tuesday", f=SECOND) == rows


def test_a_row_that_moved_is_the_same_row() -> None:
    rows = after([], [reject(2, "a")], "monday", f=FIRST)
    rows = after(rows, [reject(9, "a")], "tuesday", f=SECOND)
    assert summary(rows) == [("a", 9, "2", "monday", "-")]


def test_equal_rows_are_separate_rejects() -> None:
    rows = after([], [reject(n, "a") for n in (2, 3, 4)], "monday", f=FIRST)
    rows = after(rows, [reject(n, "a") for n in (3, 4)], "tuesday", f=SECOND)
    assert [r["mended_by"] for r in rows].count(None) == 2
    assert [r["mended_by"] for r in rows].count(SECOND) == 1


def test_the_same_row_with_another_reason_is_another_reject() -> None:
    rows = after([], [reject(2, "a")], "monday", f=FIRST)
    rows = after(rows, [reject(2, "a", reason="not_a_date")], "tuesday", f=SECOND)
    assert summary(rows) == [("a", 2, "1", "monday", "2"), ("a", 2, "2", "tuesday", "-")]


def test_a_corrected_row_that_is_delivered_again_is_a_new_reject() -> None:
    rows = after(after([], [reject(2, "a")], "monday", f=FIRST), [], "tuesday", f=SECOND)
    rows = after(rows, [reject(2, "a")], "friday", f=FIRST)
    assert summary(rows) == [("a", 2, "1", "friday", "-"), ("a", 2, "1", "monday", "2")]


def test_rejects_of_a_removed_file_are_withdrawn_and_others_stay_open() -> None:
    rows = after([], [reject(2, "a", "f.csv"), reject(2, "a", "g.csv")], "monday", f=FIRST, g=SECOND)
    rows = after(rows, [reject(2, "a", "g.csv")], "tuesday", g=SECOND)
    assert {(r["file"], r["mended_by"]) for r in rows} == {("f.csv", "withdrawn"), ("g.csv", None)}


def test_rejects_are_written_as_parquet(tmp_path: Path) -> None:
    rows = after([], [("f.csv", 2, None, "nul_byte", None, "x"), reject(3, "y")], "monday", f=FIRST)
    write_rejects(rows, tmp_path / "rejects.parquet")
    assert pq.read_table(tmp_path / "rejects.parquet").to_pylist() == rows
