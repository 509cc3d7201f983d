"""What other processes take of the machine."""

import subprocess
import sys

import pytest

from chu_platform.scaling.load import SAMPLE_SECONDS, Load

pytestmark = pytest.mark.integration

TICKS_OF_SECOND = 100
# Works for some seconds of CPU time.
WORK = "import time\nwhile time.process_time() < 3: pass"


def test_a_child_of_ours_that_has_ended_counts_as_ours() -> None:
    with Load() as load:
        subprocess.run([sys.executable, "-c", WORK], check=True)
    own = sum(load._last.values()) - sum(load._first.values())
    # Its last sample is at most one interval older than its end.
    assert own > (3 - SAMPLE_SECONDS - 0.5) * TICKS_OF_SECOND
    if load.others is not None:
        assert 0 <= load.others <= 1
