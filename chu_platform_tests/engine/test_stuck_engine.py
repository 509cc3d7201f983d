"""An engine that answers nothing is ended, and the next query gets another one."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from chu_platform.engine import spark_connect_server as server
from chu_platform.engine.engine import Engine
from chu_platform.errors import TransientError
from chu_platform.graph.run_resources import RunResources
from chu_platform.settings import Settings

pytestmark = pytest.mark.integration

LONG_QUERY = "SELECT sum(a.id * b.id % 7) AS n FROM range(1000000) a CROSS JOIN range({rows}) b"

# Fails because of a value, after logging was configured as Dagster does it. Loggers keep the stream of when they were
# made. The value is an argument: from Python 3.13 on, tracebacks show the source lines of `python -c`.
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


def test_a_stopped_engine_is_given_up_and_the_next_one_answers(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, home=tmp_path, engine="embedded", engine_patience=8)
    with RunResources(settings, lambda _: None) as resources:
        engine = resources.engine
        assert engine.arrow(engine.query("SELECT 1 AS n", {})).to_pylist() == [{"n": 1}]
        server = engine._server
        assert server is not None
        os.killpg(server._process.pid, signal.SIGSTOP)
        begun = time.monotonic()
        with pytest.raises(TransientError, match="answered nothing for 8 s while"):
            engine.arrow(engine.query("SELECT 2 AS n", {}))
        assert time.monotonic() - begun < 60
        assert not server.alive
        resources.renew()
        assert resources.engine.arrow(resources.engine.query("SELECT 3 AS n", {})).to_pylist() == [{"n": 3}]


def test_a_busy_engine_is_not_taken_for_a_stuck_one(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, home=tmp_path, engine="embedded", engine_patience=5)
    engine = Engine(settings)
    try:
        begun = time.monotonic()
        rows = 200
        # Long enough to be asked several times, whatever the machine.
        while time.monotonic() - begun < 7:
            engine.arrow(engine.query(LONG_QUERY.format(rows=rows), {}))
            rows *= 2
    finally:
        engine.close()
    assert threading.active_count() < 50


def test_a_killed_engine_is_transient(tmp_path: Path) -> None:
    engine = Engine(Settings(_env_file=None, home=tmp_path, engine="embedded"))
    try:
        engine.arrow(engine.query("SELECT 1 AS n", {}))
        assert engine._server is not None
        engine._server.kill()
        with pytest.raises(TransientError, match="the engine stopped while"):
            engine.arrow(engine.query("SELECT 2 AS n", {}))
    finally:
        engine.close()


def test_a_session_that_the_server_has_ended_is_transient_and_the_next_one_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "SESSION_SECONDS", 1)
    settings = Settings(_env_file=None, home=tmp_path, engine="embedded")
    with RunResources(settings, lambda _: None) as resources:
        resources.engine.arrow(resources.engine.query("SELECT 1 AS n", {}))
        time.sleep(4)
        with pytest.raises(TransientError, match="has ended the session"):
            resources.engine.arrow(resources.engine.query("SELECT 2 AS n", {}))
        resources.renew()
        assert resources.engine.arrow(resources.engine.query("SELECT 3 AS n", {})).to_pylist() == [{"n": 3}]


def test_texts_of_the_engines_errors_are_not_printed_whoever_configures_logging(tmp_path: Path) -> None:
    failing = [sys.executable, "-c", FAILS, str(tmp_path), "DUPONT"]
    done = subprocess.run(failing, capture_output=True, text=True, check=False)
    assert "the engine failed while" in done.stderr
    assert "DUPONT" not in done.stdout + done.stderr
    assert "DUPONT" in (tmp_path / "work" / "logs" / "engine-errors.log").read_text()
