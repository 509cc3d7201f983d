"""Executors over time from event logs, and what they sum to."""

import json
from pathlib import Path

import pytest

from chu_platform.scaling.executors import Step, as_text, executor_seconds, executor_steps, from_text

pytestmark = pytest.mark.unit

ADDED, REMOVED = "SparkListenerExecutorAdded", "SparkListenerExecutorRemoved"


def write_log(folder: Path, events: list[tuple[str, float]]) -> Path:
    log = folder / "eventlog_v2_app" / "events_1_app"
    log.parent.mkdir()
    lines = [{"Event": name, "Timestamp": int(1000 * second)} for name, second in events]
    log.write_text("\n".join(json.dumps(line) for line in [{"Event": "SparkListenerLogStart"}, *lines]))
    return folder


def test_the_steps_are_those_of_the_log(tmp_path: Path) -> None:
    log = write_log(
        tmp_path, [(ADDED, 102), (ADDED, 104), (REMOVED, 110), (REMOVED, 120), (ADDED, 130), (REMOVED, 150)]
    )
    steps = executor_steps(log, 100, 140)
    assert steps == [Step(0, 0), Step(2, 1), Step(4, 2), Step(10, 1), Step(20, 0), Step(30, 1)]
    # 1 x 2 s, 2 x 6 s, 1 x 10 s, then 1 x 10 s until the end at second 40.
    assert executor_seconds(steps, 40) == 2 + 12 + 10 + 10


def test_executors_from_before_the_program_count_from_its_begin(tmp_path: Path) -> None:
    steps = executor_steps(write_log(tmp_path, [(ADDED, 90), (ADDED, 95), (REMOVED, 99)]), 100, 160)
    assert steps == [Step(0, 1)] and executor_seconds(steps, 60) == 60


def test_steps_survive_as_text() -> None:
    steps = [Step(0.0, 0), Step(1.5, 1), Step(20.0, 2)]
    assert as_text(steps) == "0.0:0 1.5:1 20.0:2" and from_text(as_text(steps)) == steps
