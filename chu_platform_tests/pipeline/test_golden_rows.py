"""The rows of every table of the shared lake are those that were recorded: no change of the code changes a row unseen.

`golden_rows.json` holds the fingerprints of the pack of all tests (scale 0.001, seed 2023), with the key that the
fixture `made` sets. Where rows change on purpose, record them again, read in `git diff` which tables changed, and say
in the commit why:

    export CHU_HOME=$(mktemp -d) && export CHU_SOURCES=$CHU_HOME/pack
    chu demo-pack $CHU_SOURCES --scale 0.001 --seed 2023
    mkdir -m 700 $CHU_HOME/secrets
    (umask 077 && printf '5e%.0s' $(seq 32) > $CHU_HOME/secrets/pseudonymisation.key)
    chu materialize
    python -m chu_platform_tests.pipeline.golden_rows $CHU_HOME/lake > chu_platform_tests/pipeline/golden_rows.json
"""

import json

import pytest

from chu_platform_tests.pipeline.contents import every_table
from chu_platform_tests.pipeline.golden_rows import GOLDEN, LEFT_OUT, fingerprints
from chu_platform_tests.pipeline.home import Home

pytestmark = pytest.mark.integration


def test_every_table_has_the_recorded_rows(made: Home) -> None:
    recorded = json.loads(GOLDEN.read_text(encoding="utf-8"))
    found = fingerprints(made.lake.root)
    different = {
        table: (recorded.get(table, "no table"), found.get(table, "no table"))
        for table in recorded.keys() | found.keys()
        if recorded.get(table) != found.get(table)
    }
    assert different == {}, f"as recorded and as found: {different}"


def test_every_declared_table_is_recorded() -> None:
    recorded = json.loads(GOLDEN.read_text(encoding="utf-8")).keys()
    declared = {t.folder for t in every_table() if t.folder.split("/")[1] not in LEFT_OUT}
    assert declared == recorded
    assert len(declared) > 100
