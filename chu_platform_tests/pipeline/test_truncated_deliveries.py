"""A run with truncated deliveries ends with exit status 1 and a cause for each; the last versions stay."""

from pathlib import Path

import pytest

from chu_platform.care_database.embedded_postgres import EmbeddedPostgres
from chu_platform.sources.hospitalisations import hospitalisations
from chu_platform.sources.patient import patient
from chu_platform_tests.pipeline.changes import STAYS, changeable
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import rows

pytestmark = pytest.mark.integration


def test_truncated_deliveries_are_refused(made: Home, postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    """A file of stays cut in the middle of a line, and a care database restored from a dump without patients."""
    changed = changeable(made, postgres, tmp_path, "truncated")
    lake = changed.home.lake
    count = len(rows(lake, patient))
    versions = [lake.version(t) for t in (patient, hospitalisations)]
    stays = changed.home.pack / STAYS
    content = stays.read_bytes().rstrip()
    lines = content.count(b"\n") + 1
    stays.write_bytes(content[: content.rindex(b"\n") + 9])
    changed.sql('SET session_replication_role = replica; DELETE FROM "Patient"')
    done = changed.home.chu("materialize", "--select", "key:sources/Patient or key:sources/Hospitalisations")
    assert done.returncode == 1
    failures = sorted(line for line in done.stderr.splitlines() if line.startswith("FAILED"))
    assert len(failures) == 2, done.stderr
    assert f"{STAYS} ends in the middle of line {lines}: its transfer was cut" in failures[0]
    before = f"{count:,} before".replace(",", " ")
    assert f'PostgreSQL table "Patient" has 0 rows, {before}' in failures[1]
    assert "accept it: `chu accept Patient`" in failures[1]
    assert "Traceback" not in done.stdout + done.stderr
    assert [lake.version(t) for t in (patient, hospitalisations)] == versions
