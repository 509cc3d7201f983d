"""Moves the times of a Delta table into the past, so that tests of retentions need not wait."""

import json
import os
from datetime import timedelta
from pathlib import Path

TIMES = {"commitInfo": "timestamp", "add": "modificationTime", "remove": "deletionTimestamp"}


def age(path: Path, by: timedelta) -> None:
    """Move all times in the log of the table, and the times of its files, into the past. Checkpoints do not change."""
    for commit in (path / "_delta_log").glob("*.json"):
        times = commit.stat()
        actions = [json.loads(line) for line in commit.read_text().splitlines()]
        for action in actions:
            for kind, time in TIMES.items():
                if kind in action:
                    action[kind][time] -= int(by.total_seconds() * 1000)
        commit.write_text("".join(json.dumps(action) + "\n" for action in actions))
        os.utime(commit, (times.st_atime, times.st_mtime))
    for file in path.rglob("*"):
        if file.is_file():
            times = file.stat()
            os.utime(file, (times.st_atime - by.total_seconds(), times.st_mtime - by.total_seconds()))
