"""The rows of every table of the shared lake are the recorded rows, so that no code change alters rows unnoticed.

`golden_rows.json` contains the hashes of rows for the shared pack (scale 0.001, seed 2023) and the key of the fixture
`made`. If rows change on purpose, record them again, check in `git diff` which tables have changed, and give the reason
in the commit message:

    export CHU_HOME=$(mktemp -d) && export CHU_SOURCES=$CHU_HOME/pack
    chu demo-pack $CHU_SOURCES --scale 0.001 --seed 2023
    mkdir -m 700 $CHU_HOME/secrets
    (umask 077 && printf '5e%.0s' $(seq 32) > $CHU_HOME/secrets/pseudonymisation.key)
    chu materialize
    python -m chu_platform_tests.pipeline.golden_rows $CHU_HOME/lake > chu_platform_tests/pipeline/golden_rows.json
"""

import json

import pytest

from chu_platform_tests.pipeline.golden_rows import GOLDEN, LEFT_OUT, row_hashes
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import every_table

pytestmark = pytest.mark.integration


def test_every_table_has_the_recorded_rows(made: Home) -> None:
    recorded = json.loads(GOLDEN.read_text(encoding="utf-8"))
    found = row_hashes(made.lake.root)
    different = {
        table: (recorded.get(table, "no table"), found.get(table, "no table"))
        for table in recorded.keys() | found.keys()
        if recorded.get(table) != found.get(table)
    }
    assert different == {}, f"(recorded, found): {different}"


def test_every_declared_table_is_recorded() -> None:
    recorded = json.loads(GOLDEN.read_text(encoding="utf-8")).keys()
    declared = {t.folder for t in every_table() if t.folder.split("/")[1] not in LEFT_OUT}
    assert declared == recorded
    assert len(declared) > 100
