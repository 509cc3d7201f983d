"""One small synthetic pack for all tests of this folder; it takes a few seconds to write."""

from pathlib import Path

import pytest

from chu_platform.demo.pack import write_pack

SCALE = 0.001


@pytest.fixture(scope="session")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "pack"
    write_pack(folder, SCALE, progress=lambda _: None)
    return folder
