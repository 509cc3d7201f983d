"""What several test packages share."""

from pathlib import Path

import pytest

from chu_platform.demo.pack import write_pack


@pytest.fixture(scope="session")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small synthetic pack, written once; its expected indicators lie beside it. Nobody may change it."""
    folder = tmp_path_factory.mktemp("delivery") / "pack"
    write_pack(folder, 0.001, progress=lambda _: None)
    return folder
