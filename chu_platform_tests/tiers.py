"""The three tiers of tests: `unit`, `integration`, `system`. Each test has the marker of exactly one.

A unit test makes no lake and starts no engine, no PostgreSQL, no server and no other process: `forbid_processes` and
the list of fixtures hold it to that. An integration test may: the suite that CI runs is these two tiers. A system
test needs the full size, a cluster, or many minutes: see `system_tests`.
"""

import os
import socket
import subprocess
from collections.abc import Sequence
from typing import Final, NoReturn

import pytest

TIERS: Final = ("unit", "integration", "system")
# Fixtures that make what no unit test may use. The names of all fixtures that a test needs, directly or not, count.
COSTLY_FIXTURES: Final = frozenset({"pack", "made", "postgres", "marked", "portal"})


def problem_of(markers: Sequence[str], fixtures: Sequence[str]) -> str | None:
    """Why a test with these markers and fixtures has no valid tier; None when it has one."""
    tiers = [name for name in markers if name in TIERS]
    if len(tiers) != 1:
        return f"has {' and '.join(tiers) if tiers else 'no tier'}: mark it as exactly one of {', '.join(TIERS)}"
    costly = sorted(COSTLY_FIXTURES & set(fixtures))
    if tiers == ["unit"] and costly:
        return f"is a unit test and uses {', '.join(costly)}: mark it as integration"
    return None


def left_out(text: str, expression: str) -> bool:
    """Whether no test of a file with this text can be in the tiers that a run of `expression` (`-m`) asks for.

    To import all files takes longer than most of their unit tests. A file that names no tier is never left out, so that
    `require_tiers` finds it.
    """
    named = {name for name in TIERS if f"mark.{name}" in text}
    asked = {"unit": {"unit"}, "not system": {"unit", "integration"}, "system": {"system"}}.get(expression, {*TIERS})
    return bool(named) and not named & asked


def require_tiers(items: Sequence[pytest.Item]) -> None:
    """Raise UsageError when a test has no tier, several, or one that its fixtures contradict."""
    found = {
        item.nodeid.partition("[")[0]: problem
        for item in items
        if (problem := problem_of([m.name for m in item.iter_markers()], getattr(item, "fixturenames", [])))
    }
    if found:
        raise pytest.UsageError(*(f"{name} {problem}" for name, problem in found.items()))


def forbid_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make it an error to start a process, to listen or to connect, until the end of a test."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise AssertionError("a unit test starts no process and opens no connection: mark it as integration")

    monkeypatch.setattr(subprocess.Popen, "__init__", refuse)
    monkeypatch.setattr(os, "fork", refuse)
    for name in ("bind", "connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)
