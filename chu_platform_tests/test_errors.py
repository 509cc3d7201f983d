"""Errors of the machine are told with cause and remedy, and the log of errors has the cause but no value of a row."""

import io
import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy

from chu_platform.errors import ChuError, known_cause, log_traceback, without_values
from chu_platform.pseudonymisation import keyed_hash
from chu_platform.pseudonymisation.key_process import FORMER_FILE
from chu_platform_tests.pipeline.home import Home

VALUE = "DUPONT Zoé 1954-03-02"
ROWS = pa.table({"name": ["MARTIN"] * 100_000})


def open_file(path: str) -> None:
    with open(path, "wb", buffering=0) as stream:
        stream.write(b"1")


def copy_by_duckdb(path: str) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT range AS n FROM range(1000000)) TO '{path}' (FORMAT csv)")


def execute(database: Path, *statements: str) -> None:
    engine = sqlalchemy.create_engine(f"sqlite:///{database}", connect_args={"timeout": 0})
    with closing(engine.connect()) as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


@contextmanager
def raised(action: Callable[[], object]) -> Iterator[BaseException]:
    """The error that a library raises; the test fails if it raises none."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - any error of a library
        action()
    yield caught.value


@pytest.mark.unit
@pytest.mark.parametrize(
    "write",
    [open_file, copy_by_duckdb, lambda path: pq.write_table(ROWS, path)],
    ids=["Python", "DuckDB", "PyArrow"],
)
def test_a_full_disk_is_named_whoever_writes(write: Callable[[str], None], tmp_path: Path) -> None:
    # A link: PyArrow deletes what it could not write, and this may be root.
    full = tmp_path / "full"
    full.symlink_to("/dev/full")
    with raised(lambda: write(str(full))) as error:
        cause = known_cause(error)
    assert cause
    assert cause.startswith("the disk is full")
    assert "free space" in cause


@pytest.mark.unit
@pytest.mark.parametrize(
    ("state", "cause"),
    [
        ("locked", "Dagster's storage (CHU_HOME/dagster) is locked by another process: end the process"),
        ("full", "the disk of Dagster's storage (CHU_HOME/dagster) is full: free space"),
        ("garbage", "Dagster's storage (CHU_HOME/dagster) is damaged: move this folder away"),
    ],
)
def test_a_storage_that_cannot_be_used_is_named(state: str, cause: str, tmp_path: Path) -> None:
    file = tmp_path / "runs.db"
    execute(file, "CREATE TABLE t (text)")
    statements = ["INSERT INTO t VALUES (hex(randomblob(100000)))"]
    with closing(sqlite3.connect(file)) as other:
        if state == "locked":
            other.execute("BEGIN EXCLUSIVE")
        elif state == "full":
            statements.insert(0, "PRAGMA max_page_count = 3")
        else:
            file.write_bytes(b"MARTIN" * 1000)
        with raised(lambda: execute(file, *statements)) as error:
            found = known_cause(error)
    assert found
    assert found.startswith(cause)


@pytest.mark.unit
def test_a_postgresql_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    engine = sqlalchemy.create_engine(f"postgresql+psycopg2://dagster@/dagster?host={tmp_path}")
    with raised(engine.connect) as error:
        found = known_cause(error)
    assert found == (
        "the PostgreSQL server of Dagster's storage is not running: start it, or correct its address "
        "(DAGSTER_POSTGRES_HOST), then run again"
    )


@pytest.mark.unit
def test_the_cause_of_a_cause_counts(tmp_path: Path) -> None:
    def wrapped() -> None:
        try:
            (tmp_path / "missing" / "x").write_bytes(b"")
        except OSError as error:
            raise RuntimeError("a step failed") from error

    with raised(wrapped) as error:
        assert known_cause(error) is None, "a missing file is no error of the machine"
    denied = RuntimeError("a step failed")
    denied.__cause__ = PermissionError(13, "Permission denied", str(tmp_path))
    remedy = "let the user of this process read and write it (chown, chmod), or choose another folder"
    assert known_cause(denied) == f"the rights are missing ({tmp_path}): {remedy}"


@pytest.mark.unit
def test_a_message_of_the_platform_about_a_file_has_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / FORMER_FILE
    file.touch()
    answer = json.dumps({"errno": 13, "file": str(file)}).encode() + b"\n"
    process = keyed_hash._Process(io.BytesIO(), io.BytesIO(answer))
    monkeypatch.setattr(keyed_hash, "_process", lambda _: nullcontext(process))
    with pytest.raises(ChuError) as refused:
        keyed_hash.known_keys(tmp_path)
    assert str(refused.value) == (
        f"the pseudonymisation key {file} cannot be used: the rights are missing: let the user of this process read "
        "and write it (chown, chmod), or choose another folder"
    )


@pytest.mark.unit
def test_only_technical_words_get_into_the_log(tmp_path: Path) -> None:
    def convert() -> None:
        with duckdb.connect() as connection:
            connection.execute(f"SELECT CAST('{VALUE}' AS INTEGER)")

    with raised(convert) as error:
        log = Path(log_traceback(error, tmp_path))
    text = log.read_text(encoding="utf-8")
    assert "duckdb.ConversionException: Conversion Error … Could not convert string … to …" in text
    assert not any(part in text for part in VALUE.split())
    assert without_values("2791 MARTIN, Jeanne; né le 3/4/1950") == "…"


def chu(home: Home) -> str:
    """The last line of a main job that must fail."""
    done = home.chu("materialize", "--select", "key:references/region")
    assert done.returncode == 1
    assert "unexpected" not in done.stderr
    return done.stderr.splitlines()[-1]


@pytest.mark.integration
def test_damaged_storage_of_dagster_is_told_by_the_command(tmp_path: Path) -> None:
    home = Home(tmp_path / "home", tmp_path)
    runs = home.folder / "dagster" / "history" / "runs.db"
    runs.parent.mkdir(parents=True)
    runs.write_bytes(b"no database" * 1000)
    assert chu(home).startswith("chu: Dagster's storage (CHU_HOME/dagster) is damaged: move this folder away")
    log = (home.folder / "work" / "logs" / "errors.log").read_text(encoding="utf-8")
    assert "sqlite3.DatabaseError: file is not a database" in log


@pytest.mark.integration
@pytest.mark.parametrize("setting", ["CHU_HOME", "CHU_SOURCES"])
def test_a_folder_name_that_is_not_utf_8_is_refused_at_the_start(setting: str, tmp_path: Path) -> None:
    name = bytes(tmp_path) + b"/d\xe9c\xe8s"
    environment = {**Home(tmp_path / "home", tmp_path).environment()}
    done = subprocess.run(
        [sys.executable, "-m", "chu_platform.cli", "settings"],
        env={**{k.encode(): v.encode() for k, v in environment.items()}, setting.encode(): name},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == (
        f"chu: settings: {setting}: the name of the folder is not valid UTF-8, and no engine can read it: rename the "
        "folder\n"
    )
