"""Which files of tests start first, when pytest-xdist runs several processes (`--dist loadfile`).

The tests of a file stay in one process, because they share what its fixtures make. Files that take long start first, so
that no process still works on one of them when the others have ended.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent
# The first process begins with what makes all shared lakes, the others meanwhile with what needs none of them.
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


def order_files(items: list[pytest.Item]) -> None:
    """Sort the tests by the place of their file, or of its folder, in `FIRST`; the others keep their order."""
    places = {name: place for place, name in enumerate(FIRST)}

    def place(item: pytest.Item) -> int:
        file = item.path.relative_to(ROOT)
        return places.get(file.as_posix(), places.get(file.parts[0], len(FIRST)))

    items.sort(key=place)
