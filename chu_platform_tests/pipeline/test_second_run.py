"""The same pack a second time changes nothing that a reader sees."""

from pathlib import Path

from chu_platform_tests.pipeline.contents import differences, every_table, rows
from chu_platform_tests.pipeline.home import Home


def test_a_second_run_changes_no_row_and_no_figure(made: Home, tmp_path: Path) -> None:
    again = made.copy(tmp_path / "home")
    again.materialize()
    for table in every_table():
        found = differences(rows(made.lake, table), rows(again.lake, table))
        assert found == [], f"{table.folder}: {found}"
        before, after = made.lake.version(table), again.lake.version(table)
        assert after > before, f"{table.folder} was not made again: this tests nothing"
