"""What a step can wait for in the tests of an interrupt (`long_step`)."""

import contextlib
import time
from pathlib import Path
from typing import NoReturn

import duckdb

from chu_platform.graph.run_resources import RunResources

WAITS_FOR, BEGUN = "waits_for", "begun"
TABLE = ("references", "region")
MINUTES = "SELECT sum(a.id * b.id % 7) AS n FROM range(1000000) a CROSS JOIN range(1000000) b"


def _engine(resources: RunResources, begun: Path) -> None:
    resources.engine.arrow(resources.engine.query("SELECT 1 AS n", {}))
    begun.touch()
    resources.engine.arrow(resources.engine.query(MINUTES, {}))


def _duckdb(_resources: RunResources, begun: Path) -> None:
    begun.touch()
    duckdb.execute(MINUTES.replace("a.id", "a.range").replace("b.id", "b.range")).fetchall()


def _one_interrupt_lost(_resources: RunResources, begun: Path) -> None:
    """An exception in a finalizer is ignored, and so is that of an interrupt."""
    with contextlib.suppress(BaseException):
        begun.touch()
        time.sleep(600)
    time.sleep(600)


def _deaf(_resources: RunResources, begun: Path) -> NoReturn:
    begun.touch()
    while True:
        with contextlib.suppress(BaseException):
            time.sleep(600)


KINDS = {"engine": _engine, "duckdb": _duckdb, "one_interrupt_lost": _one_interrupt_lost, "deaf": _deaf}
