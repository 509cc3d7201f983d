"""Polars, delta-rs and DuckDB read tables of every shape as they were written, whole, filtered, and after maintenance.

Spark and the extension of DuckDB 1.5, and all tables of a lake: test_whole_lake.py.
"""

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from deltalake import write_deltalake

from chu_platform.graph.run_resources import RunResources
from chu_platform.graph.step import run_step
from chu_platform.settings import Settings
from chu_platform.storage.lake import Lake
from chu_platform.storage.maintenance import Operation, maintain
from chu_platform.tables.table import Table
from chu_platform_tests.readers.delta_readers import IN_PROCESS, Answer, Request
from chu_platform_tests.readers.plain_reader import PlainTable, read, versions
from chu_platform_tests.readers.shapes import SHAPES, Shape, arrow, rows
from chu_platform_tests.storage.ageing import age

pytestmark = pytest.mark.integration

READERS = ("Polars", "delta-rs", "delta-rs with PyArrow", "DuckDB with PyArrow")


def make(folder: Path, table: Table) -> None:
    """Make a table by a step, as the platform makes computed tables."""
    with RunResources(Settings(home=folder, lake=folder / "lake"), lambda _: None, force=True) as resources:
        resources.lake.prepare()
        run_step(resources, table, table.partition_scheme.every() if table.partition_scheme else None, "test")


def wrong(folder: Path, expected: PlainTable, version: int | None = None, every_column: bool = True) -> list[str]:
    """What readers read otherwise than expected: whole, and with each condition."""
    found = []
    for condition in (None, *expected.conditions(every_column)):
        answer = expected.answer(condition)
        for name in READERS:
            try:
                other: Answer | str = IN_PROCESS[name](Request(str(folder), version, condition))
            except Exception as error:
                other = f"{type(error).__name__}: {str(error)[:200]}"
            if other != answer:
                found.append(f"{name}, version {version}, {condition}: {other} instead of {answer}")
    return found


@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: s.name)
def test_every_reader_reads_the_same(shape: Shape, tmp_path: Path) -> None:
    first, second = rows(), rows(3, 150)
    table = shape.table(first)
    make(tmp_path, table)
    lake = Lake(tmp_path / "lake")
    folder = lake.path(table)
    written = read(folder)
    names = list(written.names)
    assert written.answer() == PlainTable(names, [], [tuple(row[n] for n in names) for row in first]).answer()
    assert wrong(folder, written) == []
    make(tmp_path, shape.table(second))
    for start in (500, 600):
        # Another tool adds rows: files to merge.
        write_deltalake(folder, arrow(rows(start, 40)).cast(table.schema), mode="append")
    expected = {version: read(folder, version) for version in versions(folder)}
    age(folder, timedelta(days=3))
    done = [action.action.operation for action in maintain(lake, table, table.maintenance, "a run").done]
    assert Operation.OPTIMIZE in done and Operation.CHECKPOINT in done
    merged = read(folder)
    assert merged.answer() == expected[3].answer()
    assert wrong(folder, merged) == []
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy, copy_function=shutil.copyfile)
    for version, plain in expected.items():
        assert wrong(copy, plain, version, every_column=False) == []
