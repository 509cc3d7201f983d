"""Which tests run in one process and which start first, when pytest-xdist runs several (`--dist loadgroup`).

The tests of a file stay together, for they share what its fixtures make. Some files share what one fixture makes for
all of them, and stay together too. What takes long starts first, so that no process ends long before the other.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent
# Folders whose files share one costly session fixture, which each process would make anew.
TOGETHER: Final[Sequence[str]] = ()
# Groups of more than 30 s, the longest first. The second process starts with the unit tests while the first one makes the lake.
LONGEST_FIRST: Final[Sequence[str]] = ()


def group_of(path: Path) -> str:
    name = path.relative_to(ROOT).as_posix()
    return next((folder for folder in TOGETHER if name.startswith(f"{folder}/")), name)


def group_and_order(items: list[pytest.Item]) -> None:
    """Mark each test with its group, and put the groups in the order in which they are to start."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(group_of(item.path)))
