"""The partition schemes of the tables and Dagster's definitions have the same keys at any time."""

from datetime import UTC, datetime, tzinfo

import pytest

import chu_platform.tables.partitions as partitions
from chu_platform.graph.partitions_definition import partitions_definition
from chu_platform.tables.partitions import PARTITION_SCHEMES, PartitionScheme

pytestmark = pytest.mark.unit

MOMENTS = [
    datetime(2026, 1, 1, 0, 0, 0, tzinfo=UTC),
    datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC),
    datetime(2024, 2, 29, 12, tzinfo=UTC),
    datetime(2031, 7, 1, 0, 0, 1, tzinfo=UTC),
]


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
@pytest.mark.parametrize("scheme", PARTITION_SCHEMES, ids=lambda s: s.name)
def test_dagster_has_the_same_keys(scheme: PartitionScheme, moment: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return moment.astimezone(tz)

    monkeypatch.setattr(partitions, "datetime", Clock)
    keys = partitions_definition(scheme).get_partition_keys(current_time=moment)
    assert list(scheme.keys) == keys
    assert scheme.keys[0] == scheme.first
    assert scheme.keys[-1] == f"{moment:%Y-%m}"[: len(scheme.first)]


def test_the_keys_are_the_same_at_the_current_time() -> None:
    for scheme in PARTITION_SCHEMES:
        assert list(scheme.keys) == partitions_definition(scheme).get_partition_keys()
