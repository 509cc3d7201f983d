"""No identity of a pack is found in any table outside the restricted zone, or in what any step prints and stores."""

from pathlib import Path

import pytest

from chu_platform.catalogue import catalogue
from chu_platform_tests.pipeline.canaries import canaries_in, canary_in
from chu_platform_tests.pipeline.conftest import Marked

pytestmark = pytest.mark.system


def test_no_identity_leaves_the_restricted_zone(marked: Marked, tmp_path: Path) -> None:
    home = marked.home.copy(tmp_path / "home")
    done = home.materialize()
    assert [t.folder for t in catalogue() if home.lake.open(t) is None] == []
    assert canary_in((done.stdout + done.stderr).encode()) is None
    for zone in ("pseudonymised", "published"):
        assert canaries_in(home.lake.root / zone) == []
    assert canaries_in(home.folder, excluded=[home.lake.root]) == []
