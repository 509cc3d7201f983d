"""Folder of the real delivered files, if it is available on this machine."""

import os
from pathlib import Path

import pytest

from chu_platform.settings import PROJECT

REAL = Path(os.environ.get("CHU_TEST_REAL_FILES", PROJECT.parent / "shared" / "real"))
needs_real_files = pytest.mark.skipif(
    not REAL.is_dir(), reason="no real files: set CHU_TEST_REAL_FILES to their folder"
)
