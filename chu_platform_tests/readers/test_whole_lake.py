"""Every table of a lake, read by Polars, delta-rs, DuckDB and Spark: whole, filtered, before and after maintenance.

The lake is that of a demonstration pack, with corrected deliveries. What each reader finds is compared with the files
that the log names (plain_reader.py). Then the versions within the retention are read after clean-up, and copies.
"""

import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from chu_platform.engine.engine import Engine
from chu_platform.settings import Settings
from chu_platform.storage.maintenance import Operation, maintain
from chu_platform.tables.table import Table, Zone
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
from chu_platform_tests.storage.ageing import age

pytestmark = pytest.mark.system

SCALE = "0.005"
# The extension is built for one version of DuckDB; there is none for the version of the platform.
DELTA_SCAN = ("duckdb==1.5.5", "duckdb-extension-delta==1.5.5")
HERE = ("Polars", "delta-rs", "delta-rs with PyArrow", "DuckDB with PyArrow")
DEATHS = "DECES EN FRANCE/deces.csv"
TABLES = every_table()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A lake made twice: the second time of a pack with fewer stays and deaths, so that tables have several versions."""
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
    require_java()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JDK_JAVA_OPTIONS", JAVA_OPTIONS)
        engine = Engine(Settings(_env_file=None, home=tmp_path_factory.mktemp("spark"), engine="spark"))
        yield engine
        engine.close()


@dataclass(frozen=True)
class Readers:
    """All readers, two of them in other processes."""

    delta_scan: Path
    engine: Engine

    def wrong(self, expected: Mapping[Request, Answer]) -> list[str]:
        """What they read otherwise than expected."""
        requests = list(expected)
        answers: dict[str, Sequence[Answer | str]] = {
            "DuckDB with delta_scan": run_elsewhere(self.delta_scan, "DuckDB with delta_scan", requests),
            "Spark": answers_or_errors(spark(self.engine.session), requests),
            **{name: answers_or_errors(IN_PROCESS[name], requests) for name in HERE},
        }
        return [
            f"{name}: {request}: {answer} instead of {expected[request]}"
            for name, found in answers.items()
            for request, answer in zip(requests, found, strict=True)
            if answer != expected[request]
        ]


@pytest.fixture(scope="module")
def readers(delta_scan: Path, engine: Engine) -> Readers:
    return Readers(delta_scan, engine)


def expected_of(folder: Path, plain: PlainTable, version: int | None, conditions: bool, all_columns: bool) -> dict:
    """The expected answers: whole, and with conditions."""
    listed = [None, *(plain.conditions(all_columns) if conditions else ())]
    return {Request(str(folder), version, c): plain.answer(c) for c in listed}
