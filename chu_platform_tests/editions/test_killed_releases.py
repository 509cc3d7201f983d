"""Releases that are killed at every moment that differs; `test_release` kills at one of them."""

import pytest

from chu_platform.engine.engine import Engine
from chu_platform_tests.editions.killed_release import KILLS, Kill, kill_and_release
from chu_platform_tests.pipeline.home import Home

pytestmark = pytest.mark.system


@pytest.mark.parametrize("point", KILLS, ids=str)
def test_a_kill_leaves_the_old_or_the_new_edition_whole(
    home: Home, engine: Engine, monkeypatch: pytest.MonkeyPatch, point: Kill
) -> None:
    kill_and_release(home, engine, monkeypatch, point)
