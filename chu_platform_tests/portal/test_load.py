"""How fast the portal answers. The limits are those of a machine of two cores on which nothing else runs."""

import time
from pathlib import Path

import pytest

from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.portal.load import measure
from chu_platform_tests.portal.processes import portal_process
from chu_platform_tests.portal.served import QUESTIONS

pytestmark = pytest.mark.system

FIRST_PAGE_SECONDS = 0.3
FEW_READERS, FEW_READERS_MS, FEW_READERS_SECONDS = 4, 25, 30
MANY_READERS, MANY_READERS_MS = 32, 100


def test_pages_are_answered_in_time(made: Home, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """After the start; with few readers; with many while the whole lake is made again."""
    home = made.copy(tmp_path / "home")
    first = []
    for path in ("/", f"/questions/{QUESTIONS[0].slug}"):
        with portal_process(home) as portal:
            begun = time.perf_counter()
            assert portal.get(path).status == 200
            first.append(time.perf_counter() - begun)
    with portal_process(home) as portal:
        few = measure(portal, FEW_READERS, lambda seconds: seconds < FEW_READERS_SECONDS)
        rewriting = home.start("materialize", "--force")
        many = measure(portal, MANY_READERS, lambda _: rewriting.poll() is None)
        printed, _ = rewriting.communicate()
    with capfd.disabled():
        print(f"\nfirst page after the start: {', '.join(f'{1000 * s:.0f} ms' for s in first)}")
        print(f"{FEW_READERS} readers: {few.text}")
        print(f"{MANY_READERS} readers while the lake is made again: {many.text}")
    assert rewriting.returncode == 0, printed[-2000:]
    assert few.failures == many.failures == []
    assert max(first) < FIRST_PAGE_SECONDS
    assert few.p95 < FEW_READERS_MS
    assert many.p95 < MANY_READERS_MS
