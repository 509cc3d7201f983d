"""Tests of the records of the system tier, and that its parts hold all its tests."""

import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chu_platform_tests import system_tests
from chu_platform_tests.system_tests import (
    PARTS,
    PROJECT,
    RECORDS,
    Part,
    Record,
    alone,
    commit_of,
    main,
    read,
    run,
    warnings,
    write,
)

NOW = datetime(2026, 3, 1, tzinfo=UTC)
RECORD = Record("passed", "0123456789ab", "2026-02-01T12:00:00Z", 60, "a processor", 2, 8)


def records(**changed: Record) -> dict[str, Record]:
    return {part.name: changed.get(part.name.replace("-", "_"), RECORD) for part in PARTS}


@pytest.mark.unit
def test_recent_successes_need_no_warning() -> None:
    assert warnings(records(), NOW) == []


@pytest.mark.unit
def test_a_missing_an_old_and_a_failed_record_are_warned_of() -> None:
    some = records(serving=replace(RECORD, date="2025-12-30T00:00:00Z"), full_size=replace(RECORD, result="failed"))
    del some["attack"]
    found = warnings(some, NOW)
    assert [w.split(" ")[2] for w in found] == ["attack", "serving", "full-size"]
    assert "has no record" in found[0]
    assert "over 60 days ago" in found[1] and "PARTS=serving" in found[1]
    assert "failed on 2026-02-01" in found[2]


@pytest.mark.unit
def test_a_record_of_60_days_is_not_old_yet() -> None:
    just = replace(RECORD, date=f"{NOW - timedelta(days=60):%Y-%m-%dT%H:%M:%SZ}")
    assert warnings(records(attack=just), NOW) == []


@pytest.mark.unit
def test_records_are_read_as_they_were_written(tmp_path: Path) -> None:
    file = tmp_path / "records.json"
    assert read(file) == {}
    write({**records(), "no part any more": RECORD}, file)
    assert read(file) == records()


@pytest.mark.unit
def test_the_committed_records_can_be_read() -> None:
    assert read().keys() <= {part.name for part in PARTS}


@pytest.mark.integration
@pytest.mark.parametrize(
    ("code", "result"),
    [("", "passed"), ("raise SystemExit(3)", "failed"), ("import time; time.sleep(60)", "took more")],
)
def test_a_part_is_recorded_with_its_result(code: str, result: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_tests, "LIMIT", timedelta(seconds=3))
    record = run(Part("short", "a short command", (sys.executable, "-c", code)))
    assert record.result.startswith(result)
    assert record.seconds < 30 and record.cores >= 1 and record.memory_gb >= 1 and record.cpu


@pytest.mark.unit
def test_a_part_is_refused_while_another_one_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[Part] = []

    def ran_part(part: Part) -> Record:
        ran.append(part)
        return RECORD

    monkeypatch.setattr(system_tests, "LOCK", tmp_path / "lock")
    monkeypatch.setattr(system_tests, "write", lambda _records: None)
    monkeypatch.setattr(system_tests, "run", ran_part)
    monkeypatch.setattr(sys, "argv", ["system_tests", "kills"])
    with alone(), pytest.raises(SystemExit, match="another system test is running"):
        main()
    assert ran == []
    assert main() == 0
    assert [part.name for part in ran] == ["kills"]


@pytest.mark.integration
def test_every_system_test_is_in_a_part() -> None:
    """A test that only `make test-system` runs and no part names would never run."""
    tests = PROJECT / "chu_platform_tests"
    marked = re.compile(r"(^pytestmark = |^@|marks=|else )pytest\.mark\.system\b", re.MULTILINE)
    files = {f.relative_to(PROJECT).as_posix() for f in tests.rglob("test_*.py") if marked.search(f.read_text("utf-8"))}
    assert files
    assert files <= {argument for part in PARTS for argument in part.command}


@pytest.mark.integration
def test_a_new_record_does_not_make_the_code_of_the_next_part_changed(tmp_path: Path) -> None:
    record, code = tmp_path / RECORDS.relative_to(PROJECT), tmp_path / "code.py"
    record.parent.mkdir()
    for file in (record, code):
        file.write_text("1\n")
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    for arguments in (("init", "-q"), ("add", "."), (*identity, "commit", "-qm", "Begin")):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True)
    commit = commit_of(tmp_path)
    record.write_text("2\n")
    assert commit_of(tmp_path) == commit
    code.write_text("2\n")
    assert commit_of(tmp_path) == f"{commit}-dirty"
