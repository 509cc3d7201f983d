"""The results of checks are those of the rows that are served, whatever ran since."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

from chu_platform.errors import ChuError
from chu_platform.graph.assets import RUN_RESOURCES, asset_of, partition_range_tags
from chu_platform.graph.run_resources import RunResources
from chu_platform.reports.check_result import check_results
from chu_platform.settings import Settings
from chu_platform.tables.checks import between, holds
from chu_platform.tables.partitions import CAMPAIGNS
from chu_platform.tables.rows import Computed
from chu_platform.tables.table import Layer, Zone
from chu_platform_tests.storage.small_table import rows_of, visits

pytestmark = pytest.mark.integration

# What a delivery would give: the codes by year. The number of a code is the sum of its letters, "a" is 97.
DELIVERED: dict[str, list[str]] = {}


def _rows() -> pa.Table:
    if "broken" in DELIVERED:
        raise ChuError("the delivery is broken")
    return rows_of(DELIVERED)


TABLE = replace(
    visits(rows=Computed(_rows)),
    layer=Layer.REFERENCES,
    zone=Zone.PSEUDONYMISED,
    columns=[replace(c, identifying=False) for c in visits().columns],
    checks=[
        between("number", 0, 110, blocking=False),
        holds("number_is_small", "number < 200", "no number is too large"),
    ],
)


@dataclass(frozen=True)
class Platform:
    """A lake and Dagster's storage."""

    settings: Settings
    instance: dg.DagsterInstance

    def run(self, delivered: Mapping[str, list[str]], first: str = "2014", last: str | None = None) -> bool:
        """Make some years, as a backfill does, even if they are up to date; returns whether it succeeded."""
        DELIVERED.clear()
        DELIVERED.update(delivered)
        years = CAMPAIGNS.between(first, last or CAMPAIGNS.keys[-1])
        with RunResources(self.settings, lambda _: None, force=True) as resources:
            return dg.materialize(
                [asset_of(TABLE)],
                resources={RUN_RESOURCES: resources},
                instance=self.instance,
                raise_on_error=False,
                tags=partition_range_tags(years),
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            ).success

    def results(self) -> dict[str, Any]:
        """Status and number of the checks of numbers, and whether the last run failed."""
        rows = {r["check"]: r for r in check_results(self.instance, [TABLE]).to_pylist()}
        found = {name: (rows[name]["status"], rows[name]["measured"]) for name in ("range_number", "number_is_small")}
        return {**found, "failed": rows["range_number"]["last_failure_at"] is not None}


@pytest.fixture(autouse=True)
def not_in_the_catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table has no module and no lineage."""
    monkeypatch.setattr("chu_platform.graph.assets.declared_at", lambda _: (Path(__file__), 1))
    monkeypatch.setattr("chu_platform.graph.assets._column_lineage", lambda _: {})


def test_results_belong_to_the_rows_that_are_served(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, home=tmp_path)
    with dg.DagsterInstance.ephemeral() as instance:
        platform = Platform(settings, instance)
        assert platform.run({"2015": ["a", "x"], "2016": ["b", "y"], "2018": ["c"]})
        expected = {"range_number": ("failed", 2.0), "number_is_small": ("passed", 0.0), "failed": False}
        assert platform.results() == expected

        # A backfill of one year repairs that year alone.
        assert platform.run({"2016": ["b"]}, "2016", "2016")
        expected["range_number"] = ("failed", 1.0)
        assert platform.results() == expected

        # Rows that are not committed, and a run without rows, say nothing about those that are.
        assert not platform.run({"2016": ["xyz"]}, "2016", "2017")
        assert platform.results() == {**expected, "failed": True}
        assert not platform.run({"broken": []})
        assert platform.results() == {**expected, "failed": True}

        assert platform.run({"2015": ["a"]}, "2015", "2015")
        assert platform.results() == {**expected, "range_number": ("passed", 0.0)}


def test_a_first_run_that_fails_shows_what_it_found(tmp_path: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        platform = Platform(Settings(_env_file=None, home=tmp_path), instance)
        assert not platform.run({"2015": ["xyz"]})
        assert platform.results() == {
            "range_number": ("failed", 1.0),
            "number_is_small": ("failed", 1.0),
            "failed": True,
        }
