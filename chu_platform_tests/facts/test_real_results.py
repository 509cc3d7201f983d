"""fact_quality_indicator has exactly the results of the real files of HAS."""

import shutil
from collections import Counter
from pathlib import Path

import pytest

from chu_platform.facts.fact_quality_indicator import fact_quality_indicator
from chu_platform_tests.facts.quality_files import results
from chu_platform_tests.facts.test_quality_indicator import REGISTER, facts, make_fact
from chu_platform_tests.ingest.real_files import REAL, needs_real_files
from chu_platform_tests.pipeline.lake_rows import rows

pytestmark = pytest.mark.system


@needs_real_files
def test_every_result_of_the_real_files(pack: Path, tmp_path: Path) -> None:
    real = tmp_path / "pack"
    real.mkdir()
    (real / "real").symlink_to(REAL)
    shutil.copy(pack / REGISTER, real)
    lake = make_fact(tmp_path / "home", real)
    found = facts(lake)
    assert found == results(REAL)
    assert len(found) == 53_829
    regions = Counter(rows(lake, fact_quality_indicator)["region_key"].to_pylist())
    assert len(regions) == 19
    # Saint-Pierre-et-Miquelon is outside the regions (13 indicators of 2019); no region is unknown.
    assert regions["99"] == 13
