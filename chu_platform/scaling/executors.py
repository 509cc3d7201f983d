"""The executors of a Spark application over time, from its event log."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple


class Step(NamedTuple):
    """From this second of a program on, so many executors were reserved."""

    second: float
    executors: int


def executor_steps(folder: Path, begun: float, ended: float) -> Sequence[Step]:
    """How many executors there were between two moments, in seconds since 1970, from the event logs in a folder.

    The first step is at second 0. Executors that the log does not say are removed stay until the end.
    """
    changes = sorted(_changes(folder.glob("*/events_*")))
    steps = [Step(0.0, sum(change for moment, change in changes if moment <= begun))]
    for moment, change in changes:
        if begun < moment < ended:
            steps.append(Step(moment - begun, steps[-1].executors + change))
    return steps


def _changes(files: Iterable[Path]) -> Iterable[tuple[float, int]]:
    """Each executor that came (1) or went (-1), with its moment."""
    for file in files:
        for line in file.read_text(encoding="utf-8").splitlines():
            event = json.loads(line)
            if event["Event"] in ("SparkListenerExecutorAdded", "SparkListenerExecutorRemoved"):
                yield event["Timestamp"] / 1000, 1 if event["Event"].endswith("Added") else -1


def executor_seconds(steps: Sequence[Step], duration: float) -> float:
    """The seconds of all executors together, in a program of so many seconds."""
    ends = [step.second for step in steps[1:]] + [duration]
    return sum(step.executors * (end - step.second) for step, end in zip(steps, ends, strict=True))


def as_text(steps: Sequence[Step]) -> str:
    """The steps as one text: "0.0:0 1.5:1 2.5:2"."""
    return " ".join(f"{step.second:.1f}:{step.executors}" for step in steps)


def from_text(text: str) -> Sequence[Step]:
    """The steps of such a text."""
    return [Step(float(second), int(count)) for second, _, count in (part.partition(":") for part in text.split())]
