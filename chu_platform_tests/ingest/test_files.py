"""The times of delivered files."""

import os
import time
from pathlib import Path

import pytest

from chu_platform.ingest.files import latest_credible, modified_at

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(("seconds_ahead", "is_credible"), [(0, True), (30, True), (90, False)])
def test_a_file_time_is_credible_up_to_a_minute_ahead(tmp_path: Path, seconds_ahead: int, is_credible: bool) -> None:
    """A file that was written within the present second, too: both times have nanoseconds."""
    file = tmp_path / "deces.csv"
    file.touch()
    moment = time.time_ns() + seconds_ahead * 10**9
    os.utime(file, ns=(moment, moment))
    assert (modified_at(file.stat()) <= latest_credible()) is is_credible
