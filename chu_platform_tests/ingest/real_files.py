"""Folders of the real delivered files and of the cases of users, if they are available on this machine."""

import os
from pathlib import Path

import pytest

from chu_platform.settings import PROJECT

REAL = Path(os.environ.get("CHU_TEST_REAL_FILES", PROJECT.parent / "shared" / "real"))
needs_real_files = pytest.mark.skipif(
    not REAL.is_dir(), reason="no real files: set CHU_TEST_REAL_FILES to their folder"
)
CASES = Path(os.environ.get("CHU_TEST_CASES", PROJECT.parent / "shared" / "cases"))
needs_cases = pytest.mark.skipif(not CASES.is_dir(), reason="no cases: set CHU_TEST_CASES to their folder")
