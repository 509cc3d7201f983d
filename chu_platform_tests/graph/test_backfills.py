"""The requirements of Dagster for assets that a backfill makes in one run."""

import dagster as dg
import pytest

from chu_platform.automation.build_definitions import build_defs

pytestmark = pytest.mark.unit


def test_assets_of_a_step_have_the_same_partitions() -> None:
    """Dagster refuses a backfill of a step that makes several assets with different partitions."""
    steps = [a for a in build_defs().assets or () if isinstance(a, dg.AssetsDefinition)]
    partitioned = [a for a in steps if any(s.partitions_def for s in a.specs)]
    assert partitioned
    for step in steps:
        assert len({s.partitions_def for s in step.specs}) == 1, step.keys
