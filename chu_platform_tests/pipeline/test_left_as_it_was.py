"""After a failure, no table is made that needs what was not made, directly or not, and the output names them all."""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from chu_platform.catalogue import catalogue
from chu_platform.graph.asset_keys import key_of
from chu_platform.sources.hospitalisations import hospitalisations
from chu_platform.tables.table import Table
from chu_platform_tests.pipeline.home import COMMAND_TIMEOUT_SECONDS, Home

SELECT = (
    "--force",
    *("--select", "key:sources/Hospitalisations+ and not group:reports and not group:maintenance"),
    *("--partitions", "2019"),
)
# Dagster's storage fails when the step asks for its pool. Then the run ends without a failed step.
STORAGE_FAILS = f"""
from chu_platform.compat.dagster_storage import EventLog
original = EventLog.claim_concurrency_slot
def failing(self, concurrency_key, *rest):
    if concurrency_key == "sources__{hospitalisations.name}":
        raise RuntimeError
    return original(self, concurrency_key, *rest)
EventLog.claim_concurrency_slot = failing
from chu_platform.cli import main
main()
"""


def followers() -> set[Table]:
    """The tables without reports that need the stays, found by the inputs of each table."""
    found = {hospitalisations}
    while more := {t for t in catalogue() if t.layer != "reports" and found & {*t.needs}} - found:
        found |= more
    return found - {hospitalisations}


def runs_by_table(home: Home) -> Mapping[str, int]:
    """The number of runs that have made each table."""
    with home.instance() as instance:
        return {
            f"{t.layer}/{t.name}": len(
                {record.run_id for record in instance.fetch_materializations(key_of(t), limit=1000).records}
            )
            for t in catalogue()
        }


@pytest.mark.parametrize(
    ("program", "failure"),
    [
        pytest.param(None, f"FAILED sources/{hospitalisations.name}: ", marks=pytest.mark.integration),
        pytest.param(STORAGE_FAILS, "FAILED run: the run did not finish (RuntimeError)", marks=pytest.mark.system),
    ],
    ids=["a step fails", "the run fails"],
)
def test_what_needs_a_failed_table_is_left_as_it_was(
    made: Home, tmp_path: Path, program: str | None, failure: str
) -> None:
    pack = tmp_path / "pack"
    shutil.copytree(made.pack, pack)
    if program is None:
        (pack / "Hospitalisation" / "Hospitalisations.csv").write_text("no;such;columns\n1;2;3\n")
    home = made.copy(tmp_path / "home", pack)
    before = runs_by_table(home)
    if program is None:
        done = home.chu("materialize", *SELECT)
        status, printed = done.returncode, done.stdout + done.stderr
    else:
        process = home.start("materialize", *SELECT, program=program)
        printed, _ = process.communicate(timeout=COMMAND_TIMEOUT_SECONDS)
        status = process.returncode
    assert status == 1, printed
    assert failure in printed
    assert runs_by_table(home) == before
    left = {match[1] for line in printed.splitlines() if (match := re.search(r"left as it was: ([\w/]+), ", line))}
    expected = {f"{t.layer}/{t.name}" for t in followers()}
    assert len(expected) > 6
    assert left - {f"sources/{hospitalisations.name}"} == expected
