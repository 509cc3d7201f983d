"""An engine that does not answer is stopped, and the next query starts a new one."""

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from chu_platform.catalogue import catalogue
from chu_platform.engine import spark_connect_server as server
from chu_platform.engine.engine import Engine
from chu_platform.errors import ChuError, TransientError
from chu_platform.facts.fact_prescription import fact_prescription
from chu_platform.graph.run_resources import RunResources
from chu_platform.settings import Settings
from chu_platform.storage.lake import files_relation
from chu_platform.tables.columns import LONG, Column
from chu_platform_tests.pipeline.processes import processes_of

pytestmark = pytest.mark.integration

LONG_QUERY = "SELECT sum(a.id * b.id % 7) AS n FROM range(1000000) a CROSS JOIN range({rows}) b"

# A program that fails because of a value, after logging was configured as Dagster does it. The value is an argument:
# from Python 3.13 on, tracebacks show the source lines of `python -c`.
FAILS = """
import logging.config, pathlib, sys
from chu_platform.engine.engine import Engine
from chu_platform.settings import Settings
logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})
engine = Engine(Settings(_env_file=None, home=pathlib.Path(sys.argv[1]), engine="embedded"))
try:
    engine.arrow(engine.query(f"SELECT CAST('{sys.argv[2]}' AS INT) AS n", {}))
finally:
    engine.close()
"""


def wait_until_stopped(pid: int) -> None:
    """Wait until the signal has reached the process: on a busy machine, it may answer for a while."""
    deadline = time.monotonic() + 300
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
        assert time.monotonic() < deadline, "the process was not stopped"
        time.sleep(0.01)


def listening_ports(pid: int) -> set[int]:
    """The TCP ports on which a process listens."""
    sockets = {link.readlink().name for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}
    tables = [
        line.split()
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/{pid}/net/{name}").read_text(encoding="ascii").splitlines()
    ]
    return {int(f[1].rpartition(":")[2], 16) for f in tables if f[3] == "0A" and f"socket:[{f[9]}]" in sockets}


def test_a_row_without_a_partition_value_is_read_back_as_null(tmp_path: Path) -> None:
    """A prescription of an unknown consultation has no month."""
    written = """
        SELECT CAST(NULL AS STRING) AS month, CAST(NULL AS DATE) AS date, '1' AS consultation_key,
               'a' AS patient_key, 'b' AS professional_key, 'c' AS medication_key
        UNION ALL SELECT '2019-03', DATE '2019-03-11', '2', 'a', 'b', 'c'"""
    with RunResources(Settings(_env_file=None, home=tmp_path, engine="embedded"), lambda _: None) as resources:
        rows = resources.engine.query(written, {})
        resources.engine.write(resources.engine.declared(fact_prescription, rows, None), fact_prescription, tmp_path)
    relation = files_relation(fact_prescription, sorted(tmp_path.rglob("*.parquet")))
    with duckdb.connect() as connection:
        months = connection.execute(f"SELECT month FROM {relation} ORDER BY consultation_key").fetchall()
    assert months == [(None,), ("2019-03",)]


def test_a_hung_engine_is_stopped_and_a_new_one_answers(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, home=tmp_path, engine="embedded", engine_patience=5)
    with RunResources(settings, lambda _: None) as resources:
        engine = resources.engine
        assert engine.arrow(engine.query("SELECT 1 AS n", {})).to_pylist() == [{"n": 1}]
        server = engine._server
        assert server is not None
        os.killpg(server._process.pid, signal.SIGSTOP)
        wait_until_stopped(server._process.pid)
        start = time.monotonic()
        with pytest.raises(TransientError, match=r"did not answer for 5 s while .*, and was stopped"):
            engine.arrow(engine.query("SELECT 2 AS n", {}))
        assert time.monotonic() - start < 60
        assert not server.alive
        resources.renew()
        assert resources.engine.arrow(resources.engine.query("SELECT 3 AS n", {})).to_pylist() == [{"n": 3}]


def test_a_busy_engine_is_not_stopped(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, home=tmp_path, engine="embedded", engine_patience=5)
    engine = Engine(settings)
    try:
        engine.arrow(engine.query("SELECT 1 AS n", {}))
        rows, seconds = 200, 0.0
        # The first query tells how many rows take longer than the patience.
        while seconds < 6:
            start = time.monotonic()
            engine.arrow(engine.query(LONG_QUERY.format(rows=rows), {}))
            seconds = time.monotonic() - start
            rows = int(rows * max(2, min(7 / seconds, 50)))
    finally:
        engine.close()
    assert threading.active_count() < 50


def test_an_engine_that_is_killed_while_it_starts_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(_env_file=None, home=tmp_path, engine="embedded")
    start = subprocess.Popen

    def start_and_kill(*arguments: Any, **options: Any) -> "subprocess.Popen[bytes]":
        process = start(*arguments, **options)
        process.kill()
        return process

    with RunResources(settings, lambda _: None) as resources:
        with monkeypatch.context() as patch:
            patch.setattr(subprocess, "Popen", start_and_kill)
            with pytest.raises(TransientError, match="was killed while it started"):
                resources.engine.query("SELECT 1 AS n", {})
        resources.renew()
        assert resources.engine.arrow(resources.engine.query("SELECT 3 AS n", {})).to_pylist() == [{"n": 3}]


def test_the_server_itself_chooses_its_port(tmp_path: Path) -> None:
    """The address is that of a socket on which the started process listens."""
    engine = server.Server("embedded", tmp_path, None)
    try:
        port = int(engine.address.rpartition(":")[2])
        started = [pid for pid, _ in processes_of(engine._process.pid, tmp_path)]
        assert port in {p for pid in started for p in listening_ports(pid)}
        # Nobody can know it before the server listens.
        assert not any(str(port).encode() in Path(f"/proc/{pid}/cmdline").read_bytes() for pid in started)
    finally:
        engine.close()


def test_a_killed_engine_raises_transient(tmp_path: Path) -> None:
    engine = Engine(Settings(_env_file=None, home=tmp_path, engine="embedded"))
    try:
        engine.arrow(engine.query("SELECT 1 AS n", {}))
        assert engine._server is not None
        engine._server.kill()
        with pytest.raises(TransientError, match="the engine stopped while"):
            engine.arrow(engine.query("SELECT 2 AS n", {}))
    finally:
        engine.close()


def test_an_ended_session_raises_transient_and_a_new_one_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "SESSION_TIMEOUT_SECONDS", 1)
    settings = Settings(_env_file=None, home=tmp_path, engine="embedded")
    with RunResources(settings, lambda _: None) as resources:
        resources.engine.arrow(resources.engine.query("SELECT 1 AS n", {}))
        time.sleep(4)
        with pytest.raises(TransientError, match="has ended the session"):
            resources.engine.arrow(resources.engine.query("SELECT 2 AS n", {}))
        resources.renew()
        assert resources.engine.arrow(resources.engine.query("SELECT 3 AS n", {})).to_pylist() == [{"n": 3}]


def test_error_messages_of_the_engine_are_never_printed(tmp_path: Path) -> None:
    failing = [sys.executable, "-c", FAILS, str(tmp_path), "DUPONT"]
    done = subprocess.run(failing, capture_output=True, text=True, check=False)
    assert "the engine failed while" in done.stderr
    assert "DUPONT" not in done.stdout + done.stderr
    assert "DUPONT" in (tmp_path / "work" / "logs" / "engine-errors.log").read_text()


def test_an_error_in_a_function_of_a_query_shows_no_value(tmp_path: Path) -> None:
    """Neither the message, nor the log of errors, nor the log of the server has the value that caused the error."""

    def fails(rows: pa.Table) -> pa.Table:
        return pa.table({"n": [int(v) for v in rows["n"].to_pylist()]})

    secret = "value-" + str(os.getpid())
    table = replace(catalogue()[0], columns=[Column("n", LONG, "n", "n")])
    with RunResources(Settings(_env_file=None, home=tmp_path, engine="embedded"), lambda _: None) as resources:
        engine = resources.engine
        frame = engine.query(f"SELECT concat('value-', {os.getpid()}) AS n FROM range(1)", {})
        with pytest.raises(ChuError, match="failed while computing") as raised:
            engine.arrow(engine.finished(table, frame, fails))
    assert secret not in str(raised.value)
    logs = [p.read_text(errors="replace") for p in tmp_path.rglob("*.log")]
    assert any("failed with ValueError in" in text for text in logs)
    assert not any(secret in text for text in logs)
