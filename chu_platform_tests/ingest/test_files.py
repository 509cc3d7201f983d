"""The times of delivered files."""

import os
import time
from pathlib import Path

import pytest

from chu_platform.errors import ChuError
from chu_platform.ingest.files import find, latest_credible, modified_at

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(("seconds_ahead", "is_credible"), [(0, True), (30, True), (90, False)])
def test_a_file_time_is_credible_up_to_a_minute_ahead(tmp_path: Path, seconds_ahead: int, is_credible: bool) -> None:
    """A file that was written within the present second, too: both times have nanoseconds."""
    file = tmp_path / "deces.csv"
    file.touch()
    moment = time.time_ns() + seconds_ahead * 10**9
    os.utime(file, ns=(moment, moment))
    assert (modified_at(file.stat()) <= latest_credible()) is is_credible


def test_a_name_that_is_not_utf_8_concerns_only_what_has_it(tmp_path: Path) -> None:
    (tmp_path / "participants.csv").write_text("1")
    folder = Path(os.fsdecode(bytes(tmp_path) + b"/D\xe9c\xe8s"))
    folder.mkdir()
    (folder / "deces.csv").write_text("1")
    Path(os.fsdecode(bytes(tmp_path) + b"/not\xe9.csv")).write_text("1")
    assert [f.name for f in find(tmp_path, r".*\.csv")] == ["participants.csv"]
    with pytest.raises(ChuError, match=r"D\\xe9c\\xe8s has a name that is not valid UTF-8: rename it"):
        find(tmp_path, "deces.csv")
