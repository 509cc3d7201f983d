"""Signals that a process receives while it watches for them."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.integration

THREE_SIGNALS = """
import os, signal, time
from chu_platform.interrupts import Interrupts
signal.signal(signal.SIGTERM, lambda *_: None)
with Interrupts(lambda: print("begun", flush=True), lambda: None, 1):
    for _ in range(3):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.2)
"""


def test_further_signals_after_the_first_print_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", THREE_SIGNALS], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "begun\n", "")
