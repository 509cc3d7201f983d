"""An engine that answers nothing is ended, and the next query gets another one."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from chu_platform.engine.engine import Engine
from chu_platform.errors import Transient
from chu_platform.graph.platform import Platform
from chu_platform.settings import Settings

LONG_QUERY = "SELECT sum(a.id * b.id % 7) AS n FROM range(1000000) a CROSS JOIN range({rows}) b"


def test_a_stopped_engine_is_given_up_and_the_next_one_answers(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, home=tmp_path, engine="embedded", engine_patience=3)
    with Platform(settings, lambda _: None) as platform:
        engine = platform.engine
        assert engine.arrow(engine.query("SELECT 1 AS n", {})).to_pylist() == [{"n": 1}]
        server = engine._server
        assert server is not None
        os.killpg(server._process.pid, signal.SIGSTOP)
        begun = time.monotonic()
        with pytest.raises(Transient, match="answered nothing for 3 s while"):
            engine.arrow(engine.query("SELECT 2 AS n", {}))
        assert time.monotonic() - begun < 60
        assert not server.alive
        platform.renew()
        assert platform.engine.arrow(platform.engine.query("SELECT 3 AS n", {})).to_pylist() == [{"n": 3}]


def test_a_busy_engine_is_not_taken_for_a_stuck_one(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, home=tmp_path, engine="embedded", engine_patience=2)
    engine = Engine(settings)
    try:
        begun = time.monotonic()
        rows = 200
        # Long enough to be asked several times, whatever the machine.
        while time.monotonic() - begun < 3:
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
        with pytest.raises(Transient, match="the engine stopped while"):
            engine.arrow(engine.query("SELECT 2 AS n", {}))
    finally:
        engine.close()
