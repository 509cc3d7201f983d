"""The same seed gives the same bytes in every file, another one other bytes where the content is drawn."""

from pathlib import Path

import pytest

from chu_platform.demo.pack import expected_folder, write_pack
from chu_platform_tests.demo.test_demo_pack import LAYOUT, checksums, silent

pytestmark = pytest.mark.system


def test_same_seed_gives_the_same_bytes(pack: Path, tmp_path: Path) -> None:
    again = tmp_path / "it's again"
    write_pack(again, 0.001, progress=silent)
    assert checksums(again) == checksums(pack)
    assert checksums(expected_folder(again)) == checksums(expected_folder(pack))


def test_another_seed_gives_other_bytes(pack: Path, tmp_path: Path) -> None:
    write_pack(tmp_path / "other", 0.001, seed=7, progress=silent)
    ours, others = checksums(pack), checksums(tmp_path / "other")
    assert ours.keys() == others.keys()
    for name in LAYOUT - {"Satisfaction/2020/~$resultats-esatis48h-mco-open-data-2020.xlsx"}:
        assert ours[name] != others[name] or "lexique" in name, name
