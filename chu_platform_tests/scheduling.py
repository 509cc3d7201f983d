"""Which files of tests start first, and which stay together, when pytest-xdist runs several processes.

The tests of a file stay in one process, because they share what its fixtures make (`--dist loadfile`); so do the files
of some folders. Files that take long start first, so that no process still works on one of them when the others have
ended.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest
from xdist.scheduler import LoadFileScheduling

ROOT: Final = Path(__file__).parent
# The first process begins with what makes all shared lakes, the others meanwhile with what needs none of them.
FIRST: Final[Sequence[str]] = (
    "pipeline/test_golden_rows.py",
    "deployment",
    "facts/test_death_cases.py",
    "care_database/test_live_server.py",
    "pipeline/test_canaries.py",
    "lineage/test_lineage_matches_results.py",
    "portal/test_accessible.py",
    "pipeline/test_engines.py",
    "pipeline/test_killed_runs.py",
    "kpis/test_kpi_query.py",
    "trace/test_trace.py",
    "trace/test_repair.py",
    "access/test_commands.py",
    "pipeline/test_late_data.py",
    "compat/test_dagster_postgres_storage.py",
    "facts/test_death_files.py",
    "test_cli.py",
    "automation/test_interrupts.py",
    "ingest/test_pack.py",
    "pipeline/test_failed_checks.py",
    "editions/test_release.py",
    "portal/test_export.py",
    "trace/test_rebuild.py",
    "pipeline/test_partition_ranges.py",
    "indicators/test_ninth_indicator.py",
    "automation/test_failures.py",
    "trace/test_verify.py",
    "portal/test_chromium.py",
    "storage/test_maintenance.py",
    "ingest/test_care_tables.py",
    "ingest/test_delivered_files.py",
    "pipeline/test_second_run.py",
    "facts/test_quality_cases.py",
    "description/test_file.py",
)
# Their files share servers, which take longer to start than most of their tests.
TOGETHER: Final = frozenset({"deployment"})


class ByFile(LoadFileScheduling):  # type: ignore[misc]  # has no types
    """Gives a process a file at a time, or all files of a folder that stay together."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        folder = Path(file).parent.name
        return folder if folder in TOGETHER else file


def order_files(items: list[pytest.Item]) -> None:
    """Sort the tests by the place of their file, or of its folder, in `FIRST`; the others keep their order."""
    places = {name: place for place, name in enumerate(FIRST)}

    def place(item: pytest.Item) -> int:
        file = item.path.relative_to(ROOT)
        return places.get(file.as_posix(), places.get(file.parts[0], len(FIRST)))

    items.sort(key=place)
