"""Polars, delta-rs and DuckDB read tables of every shape as they were written, whole, filtered, and after maintenance.

Spark and the extension of DuckDB 1.5, and all tables of a lake: test_whole_lake.py.
"""

import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from chu_platform.engine.engine import Engine
from chu_platform.graph.run_resources import RunResources
from chu_platform.graph.step import run_step
from chu_platform.settings import Settings
from chu_platform.storage.commit import commit_written
from chu_platform.storage.lake import Lake
from chu_platform.storage.maintenance import Operation, maintain
from chu_platform.tables.columns import DATE
from chu_platform.tables.table import Layout, Table
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import every_table
from chu_platform_tests.readers.delta_readers import IN_PROCESS, Answer, Request, answers_or_errors
from chu_platform_tests.readers.plain_reader import PlainTable, read, versions
from chu_platform_tests.readers.shapes import PLACES, SHAPES, Shape, arrow, rows
from chu_platform_tests.readers.snippets import expected_rows, printed_rows, snippets
from chu_platform_tests.storage.ageing import age

# A column of each type; the others are there for the layouts.
TYPES = ("number", "text", "ratio", "weight", "flag", "constant", "empty", "day")
READERS = ("Polars", "delta-rs", "delta-rs with PyArrow", "DuckDB with PyArrow")


def make(folder: Path, table: Table) -> None:
    """Make a table by a step, as the platform makes computed tables."""
    with RunResources(Settings(home=folder, lake=folder / "lake"), lambda _: None, force=True) as resources:
        resources.lake.prepare()
        run_step(resources, table, table.partition_scheme.every() if table.partition_scheme else None, "test")


def wrong(folder: Path, expected: Mapping[Request, Answer]) -> list[str]:
    """What readers find otherwise than expected."""
    return [
        f"{name}: {request}: {answer} instead of {expected[request]}"
        for name in READERS
        for request, answer in zip(expected, answers_or_errors(IN_PROCESS[name], expected), strict=True)
        if answer != expected[request]
    ]


def expected_of(folder: Path, plain: PlainTable, columns: Sequence[str] = ()) -> dict[Request, Answer]:
    """The expected answers of the current version: whole, and with each condition."""
    return {Request(str(folder), None, c): plain.answer(c) for c in (None, *plain.conditions(columns, values=3))}


# Each column in conditions, and two levels of partitions with values that are missing.
@pytest.mark.parametrize(
    "shape",
    [
        pytest.param(
            s, marks=pytest.mark.integration if s.name in ("whole", "by_period_and_year") else pytest.mark.system
        )
        for s in SHAPES
    ],
    ids=lambda s: s.name,
)
def test_every_reader_reads_the_same(shape: Shape, tmp_path: Path) -> None:
    first, second = rows(), rows(3, 150)
    table = shape.table(first)
    make(tmp_path, table)
    lake = Lake(tmp_path / "lake")
    folder = lake.path(table)
    written = read(folder)
    names = list(written.names)
    assert written.answer() == PlainTable(names, [], [tuple(row[n] for n in names) for row in first]).answer()
    columns = TYPES if shape.name == "whole" else ()
    assert wrong(folder, expected_of(folder, written, columns)) == []
    make(tmp_path, shape.table(second))
    for start in (500, 600):
        # Another tool adds rows: files to merge.
        write_deltalake(folder, arrow(rows(start, 40)).cast(table.schema), mode="append")
    before = {version: read(folder, version) for version in versions(folder)}
    age(folder, timedelta(days=31))
    done = operations(lake, table)
    assert {Operation.OPTIMIZE, Operation.VACUUM, Operation.CHECKPOINT} <= done
    merged = read(folder)
    assert merged.answer() == before[3].answer()
    assert wrong(folder, expected_of(folder, merged, columns)) == []
    # Rows that replace the merged ones; then the log is cleaned up to its checkpoint.
    age(folder, timedelta(days=31))
    make(tmp_path, shape.table(first))
    assert Operation.CLEAN_LOG in operations(lake, table)
    kept = versions(folder)
    assert kept[0] > 3 and len(kept) > 2
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy, copy_function=shutil.copyfile)
    for place in (folder, copy):
        answers = {v: (written if v >= kept[-2] else merged).answer() for v in kept}
        assert wrong(place, {Request(str(place), version): answer for version, answer in answers.items()}) == []


def operations(lake: Lake, table: Table) -> set[Operation]:
    """Maintain the table; returns what was done."""
    return {action.action.operation for action in maintain(lake, table, table.maintenance, "a run").done}


@pytest.mark.integration
def test_partitions_written_by_the_engine(tmp_path: Path) -> None:
    """Sail names folders `place=a=b` and `place=a b`."""
    table = Shape("by_place", Layout(partition_by=["place"])).table()
    table = replace(table, columns=[c for c in table.columns if c.name in ("row", "place")])
    literals = [f"'{p}'".replace("\\", "\\\\").replace("l'", "l\\'") if p is not None else "NULL" for p in PLACES]
    values = ", ".join(f"({number}, {literal})" for number, literal in enumerate(literals))
    lake = Lake(tmp_path / "lake")
    lake.prepare()
    engine = Engine(Settings(_env_file=None, home=tmp_path, engine="embedded"))
    try:
        with lake.writing(table) as write:
            frame = engine.query(f"SELECT col1 AS `row`, col2 AS place FROM VALUES {values}", {})
            engine.write(frame, table, write.target)
            write.fetch()
            commit_written(lake, table, write, None, {"run": "test"})
    finally:
        engine.close()
    folder = lake.path(table)
    found = read(folder)
    assert sorted(found.rows) == list(enumerate(PLACES))
    assert sorted(tuple(row.values()) for row in lake.arrow(table).to_pylist()) == list(enumerate(PLACES))
    assert wrong(folder, expected_of(folder, found)) == []


@pytest.mark.integration
def test_no_table_has_a_timestamp() -> None:
    """The log has timestamps with milliseconds only: their statistics would not be bounds of the values."""
    columns = [(t.folder, c) for t in every_table() for c in t.columns]
    assert [(folder, c.name) for folder, c in columns if pa.types.is_temporal(c.type) and c.type != DATE] == []


@pytest.mark.integration
@pytest.mark.parametrize("heading", ["Polars", "delta-rs", "DuckDB 2.0"])
def test_the_examples_of_the_documentation(heading: str, made: Home) -> None:
    expected = expected_rows(made.lake.root)
    assert expected
    assert printed_rows(Path(sys.executable), snippets()[heading], made.lake.root) == expected
