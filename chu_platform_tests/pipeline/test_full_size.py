"""A pack of full size is written, made into a lake, and verified. Needs 20 GB of disk in the temporary folder."""

from pathlib import Path

import pytest
from deltalake import DeltaTable

from chu_platform.facts.fact_consultation import fact_consultation
from chu_platform.facts.fact_death import fact_death
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import every_table

pytestmark = pytest.mark.system

SAMPLE = 20


def test_a_lake_of_full_size_is_made_and_verified(seed: int, tmp_path: Path) -> None:
    home = Home(tmp_path / "home", tmp_path / "pack")
    written = home.chu("demo-pack", str(home.pack), "--scale", "1")
    assert written.returncode == 0, written.stderr[-3000:]
    home.materialize()
    assert [t.folder for t in every_table() if not DeltaTable.is_deltatable(str(home.lake.path(t)))] == []
    assert len(home.lake.arrow(fact_death, columns=["death_year"])) > 24_000_000
    assert len(home.lake.arrow(fact_consultation, columns=["month"])) > 1_000_000
    verified = home.chu("verify", "--sample", str(SAMPLE), "--seed", str(seed))
    assert verified.returncode == 0, verified.stdout[-3000:] + verified.stderr[-3000:]
    assert verified.stdout.rstrip().endswith(": no findings")
