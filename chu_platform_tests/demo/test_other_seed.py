"""Another seed gives other bytes in every file whose content is drawn."""

from pathlib import Path

import pytest

from chu_platform.demo.pack import write_pack
from chu_platform_tests.demo.test_demo_pack import LAYOUT, checksums, silent

pytestmark = pytest.mark.system


def test_another_seed_gives_other_bytes(pack: Path, tmp_path: Path) -> None:
    write_pack(tmp_path / "other", 0.001, seed=7, progress=silent)
    ours, others = checksums(pack), checksums(tmp_path / "other")
    assert ours.keys() == others.keys()
    for name in LAYOUT - {"Satisfaction/2020/~$resultats-esatis48h-mco-open-data-2020.xlsx"}:
        assert ours[name] != others[name] or "lexique" in name, name
