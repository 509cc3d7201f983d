"""An erasure is killed twenty times, at random moments, and run again: it ends as one that was not killed."""

import random
import time
from pathlib import Path

import pytest

from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import digests
from chu_platform_tests.pipeline.processes import processes_of, wait_until_gone
from chu_platform_tests.pipeline.test_killed_runs import END_TIMEOUT_SECONDS
from chu_platform_tests.rights.erasing import canary_of, traces

pytestmark = pytest.mark.system

KILLS = 20


def test_an_erasure_that_is_killed_ends_as_one_that_is_not(
    made: Home, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("killed")
    canary = canary_of(made.lake)
    request = canary.request(folder, by_identity=True)
    whole = made.copy(folder / "whole")
    start = time.monotonic()
    done = whole.chu("erase", "persons", request)
    seconds = time.monotonic() - start
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    home = made.copy(folder / "home")
    draw = random.Random(seed)
    killed = sum(kill_after(draw.uniform(0, seconds * (n + 1) / KILLS), home, request) for n in range(KILLS))
    done = home.chu("erase", "resume")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert killed > KILLS / 2, "most erasures must be killed before they end"
    assert digests_of(home) == digests_of(whole)
    assert traces(home.folder, canary) == []
    assert not list((home.secrets / "erasures").iterdir())
    for certificate in (home.folder / "certificates").glob("*.json"):
        assert home.chu("erase", "verify", str(certificate)).returncode == 0


def digests_of(home: Home) -> dict[str, str]:
    """Hashes of the rows of all tables but the opposition list, whose requests have other numbers."""
    return {f: rows for f, rows in digests(home.lake).items() if not f.endswith("pseudonyms/opposition")}


def kill_after(seconds: float, home: Home, request: str | Path) -> bool:
    """Start an erasure and kill it after some seconds; False when it has ended before. All its processes must end."""
    process = home.start("erase", "persons", str(request))
    time.sleep(seconds)
    started = processes_of(process.pid, home.folder)
    process.kill()
    status = process.wait()
    assert process.stdout
    process.stdout.close()
    remaining = wait_until_gone(started, home.folder, END_TIMEOUT_SECONDS)
    assert not remaining, f"still running after the kill: {remaining}"
    return status == -9
