"""Every table of a lake, read by Polars, delta-rs, DuckDB and Spark: whole, filtered, before and after maintenance.

The lake is that of a demonstration pack, with corrected deliveries. What each reader finds is compared with the files
that the log names (plain_reader.py). Then the versions within the retention are read after clean-up, and copies of the
lake.
"""

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from deltalake import DeltaTable, write_deltalake

from chu_platform.engine.engine import Engine
from chu_platform.storage.maintenance import Operation, maintain
from chu_platform_tests.java import JAVA_OPTIONS, require_java
from chu_platform_tests.pipeline.changes import STAYS
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import every_table
from chu_platform_tests.readers.delta_readers import (
    IN_PROCESS,
    Answer,
    Request,
    answers_or_errors,
    run_elsewhere,
    spark,
)
from chu_platform_tests.readers.plain_reader import PlainTable, read, versions
from chu_platform_tests.readers.snippets import DELTA_SCAN, expected_rows, printed_rows, snippets
from chu_platform_tests.spark_engine import spark_engine
from chu_platform_tests.storage.ageing import age

pytestmark = pytest.mark.system

SCALE = "0.005"
HERE = ("Polars", "delta-rs", "delta-rs with PyArrow", "DuckDB with PyArrow")
DEATHS = "DECES EN FRANCE/deces.csv"
TABLES = every_table()
Expected = dict[Request, Answer]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A lake that was made twice, the second time of a pack with fewer stays and deaths."""
    folder = tmp_path_factory.mktemp("lake")
    home = Home(folder / "home", folder / "pack")
    written = home.chu("demo-pack", str(home.pack), "--scale", SCALE)
    assert written.returncode == 0, written.stderr[-3000:]
    home.materialize()
    for name in (STAYS, DEATHS):
        file = home.pack / name
        lines = file.read_bytes().splitlines(keepends=True)
        file.write_bytes(b"".join(line for number, line in enumerate(lines) if number % 50 != 49))
    home.materialize()
    return home


@pytest.fixture(scope="module")
def delta_scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with DuckDB 1.5 and its extension for Delta."""
    folder = tmp_path_factory.mktemp("environments") / "delta_scan"
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", *DELTA_SCAN], check=True)
    return python


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A Spark server."""
    with spark_engine(tmp_path_factory.mktemp("spark")) as engine:
        yield engine


@dataclass(frozen=True)
class Readers:
    """All readers, two of them in other processes."""

    delta_scan: Path
    engine: Engine

    def wrong(self, expected: Expected, of_spark: Expected | None = None) -> list[str]:
        """What they find otherwise than expected. Spark answers only `of_spark`, if given, because it is slow."""
        asked = dict.fromkeys(HERE, expected)
        answers: dict[str, tuple[Expected, Sequence[Answer | str]]] = {
            name: (requests, answers_or_errors(IN_PROCESS[name], requests)) for name, requests in asked.items()
        }
        name = "DuckDB with delta_scan"
        answers[name] = (expected, run_elsewhere(self.delta_scan, name, expected))
        requests = expected if of_spark is None else of_spark
        answers["Spark"] = (requests, answers_or_errors(spark(self.engine.session), requests))
        print({name: len(requests) for name, (requests, _) in answers.items()})
        return [
            f"{name}: {request}: {answer} instead of {requests[request]}"
            for name, (requests, found) in answers.items()
            for request, answer in zip(requests, found, strict=True)
            if answer != requests[request]
        ]


@pytest.fixture(scope="module")
def readers(delta_scan: Path, engine: Engine) -> Readers:
    return Readers(delta_scan, engine)


def one_of_each_type(plain: PlainTable) -> list[str]:
    """A column of each type that is no partition column; of texts the column with the longest one."""
    found: dict[type, str] = {}
    longest = 0
    for name in plain.names:
        values = plain.values(name)
        if values and name not in plain.partition_by:
            kind, length = type(values[0]), max(len(str(v)) for v in values)
            if kind not in found or (kind is str and length > longest):
                found[kind] = name
                longest = length if kind is str else longest
    return list(found.values())


def every_request(home: Home) -> tuple[Expected, Expected]:
    """The expected answers of all current tables, whole and with conditions; and those without conditions on columns
    that are no partition columns."""
    expected: Expected = {}
    few: Expected = {}
    for table in TABLES:
        folder = home.lake.path(table)
        plain = read(folder)
        few |= {Request(str(folder), None, c): plain.answer(c) for c in (None, *plain.conditions(values=1))}
        conditions = plain.conditions(one_of_each_type(plain))
        expected |= {Request(str(folder), None, c): plain.answer(c) for c in (None, *conditions)}
    return expected, few


def test_every_table_reads_the_same(home: Home, readers: Readers) -> None:
    expected, few = every_request(home)
    assert len(TABLES) > 100 and len(expected) > 7 * len(TABLES)
    several = {t.folder for t in TABLES if len(versions(home.lake.path(t))) > 1}
    assert len(several) > 10
    assert readers.wrong(expected, few) == []


def test_every_table_reads_the_same_after_maintenance(home: Home, readers: Readers) -> None:
    """Another tool replaced the rows twice in small files: 70 and 30 days ago. Retention: 62 days."""
    for table in TABLES:
        folder = home.lake.path(table)
        rows = DeltaTable(folder).to_pyarrow_table()
        age(folder, timedelta(days=40))
        write_deltalake(folder, rows.slice(0, len(rows) // 2).cast(table.schema), mode="overwrite")
        age(folder, timedelta(days=30))
        for start in range(0, len(rows), max(1, len(rows) // 3)):
            write_deltalake(folder, rows.slice(start, max(1, len(rows) // 3)).cast(table.schema), mode="append")
    history = {t: {v: read(home.lake.path(t), v).answer() for v in versions(home.lake.path(t))[-3:]} for t in TABLES}
    done = set[Operation]()
    for table in TABLES:
        policy = replace(table.maintenance, small_files=2)
        report = maintain(home.lake, table, policy, "a run")
        assert report.skipped is None or not report.before.files, f"{table.folder}: {report.skipped}"
        done |= {action.action.operation for action in report.done}
    assert {Operation.OPTIMIZE, Operation.VACUUM, Operation.CHECKPOINT} <= done
    expected, few = every_request(home)
    assert readers.wrong(expected, few) == []
    kept: Expected = {}
    oldest: Expected = {}
    for table, answers in history.items():
        found = {Request(str(home.lake.path(table)), version): answer for version, answer in answers.items()}
        kept |= found
        oldest |= dict([next(iter(found.items()))])
    assert readers.wrong(kept, oldest) == []


@pytest.mark.parametrize("command", ["cp -r", "rsync -a"])
def test_copies_of_the_lake_read_the_same(home: Home, readers: Readers, tmp_path: Path, command: str) -> None:
    program, *options = command.split()
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    # With the slash at its end, both commands make the same folder.
    subprocess.run([program, *options, f"{home.lake.root}/.", str(tmp_path / "copy")], check=True)
    expected: Expected = {}
    for table in TABLES:
        plain = read(home.lake.path(table))
        expected[Request(str(tmp_path / "copy" / table.folder))] = plain.answer()
    assert readers.wrong(expected, dict([*expected.items()][::10])) == []


def test_the_examples_of_the_documentation(home: Home, delta_scan: Path) -> None:
    require_java()
    expected = expected_rows(home.lake.root)
    assert expected
    # As in a new terminal: a session with a server sets variables in this process.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SPARK_")}
    spark_options = {**inherited, "JDK_JAVA_OPTIONS": JAVA_OPTIONS}
    found = {
        heading: printed_rows(
            delta_scan if heading == "DuckDB 1.5" else Path(sys.executable),
            code,
            home.lake.root,
            spark_options if heading == "Spark" else None,
        )
        for heading, code in snippets().items()
    }
    assert found == dict.fromkeys(("Polars", "delta-rs", "DuckDB 2.0", "DuckDB 1.5", "Spark"), expected)
