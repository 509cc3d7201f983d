"""Which tests run in one process and which start first, when pytest-xdist runs several (`--dist loadgroup`).

The tests of a file stay together, for they share what its fixtures make; so do those of a folder whose files share a
costly session fixture, which each process would make for itself. What takes long starts first, so that no process still
works on it when the others have ended.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent
# One instance on PostgreSQL and two webservers on it.
TOGETHER: Final[Sequence[str]] = ("deployment",)
# The first process begins with what makes all shared lakes, the second one meanwhile with what needs none of them.
FIRST: Final[Sequence[str]] = (
    "pipeline/test_killed_runs.py",
    "deployment",
    "pipeline/test_engines.py",
    "pipeline/test_second_run.py",
    "pipeline/test_failed_checks.py",
    "pipeline/test_late_data.py",
    "storage/test_maintenance.py",
    "pipeline/test_concurrent_writers.py",
    "test_cli.py",
    "automation/test_failures.py",
    "engine/test_engine.py",
    "pipeline/test_partition_ranges.py",
    "facts/test_death_files.py",
    "reports/test_delivery.py",
)


def group_of(path: Path) -> str:
    """The name of the group that the tests of a file belong to: its folder's, or its own."""
    name = path.relative_to(ROOT).as_posix()
    return next((folder for folder in TOGETHER if name.startswith(f"{folder}/")), name)


def group_and_order(items: list[pytest.Item]) -> None:
    """Mark each test with its group, and sort the groups by when they are to start; the others keep their order."""
    places = {group: place for place, group in enumerate(FIRST)}
    items.sort(key=lambda item: places.get(group_of(item.path), len(FIRST)))
    for item in items:
        item.add_marker(pytest.mark.xdist_group(group_of(item.path)))
