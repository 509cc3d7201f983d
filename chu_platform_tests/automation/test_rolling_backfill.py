"""The rolling backfill: which partitions it makes, and that only one runs at a time."""

import re

import dagster as dg
import pytest

from chu_platform.automation.rolling_backfill import (
    ROLLING_BACKFILL,
    TAG,
    partitions_of_months,
    rolling_backfill_nightly,
    start,
    tables_of_months,
)
from chu_platform.catalogue import catalogue
from chu_platform.facts.fact_consultation import fact_consultation
from chu_platform.facts.fact_death import fact_death
from chu_platform.graph.asset_keys import key_of
from chu_platform.kpis.kpi_consultation_rate_by_diagnosis import EXACT
from chu_platform.kpis.kpi_deaths_by_region import EXACT as DEATHS
from chu_platform.sources.patient import patient
from chu_platform.tables.partitions import MONTHLY
from chu_platform.tables.table import Layer
from chu_platform_tests.graph.built import repository

pytestmark = pytest.mark.unit


def test_it_makes_all_that_depends_on_months_in_order() -> None:
    tables = tables_of_months()
    assert {t for t in catalogue() if t.partition_scheme is MONTHLY} <= {*tables}
    assert {t.name for t in tables if t.layer is Layer.KPIS} == {
        t.name
        for t in catalogue()
        if t.layer is Layer.KPIS
        and re.search("consultation|hospital|follow_up|use|cycle|prescription|attendance", t.name)
    }
    assert patient in tables and not {fact_death, DEATHS} & {*tables}
    made: set[object] = set()
    for table in tables:
        assert not {*table.needs} & ({*tables} - made), table.folder
        made.add(table)


@pytest.mark.parametrize("months", [1, 12, 13])
def test_the_months_are_the_last_ones_and_the_years_contain_them(months: int) -> None:
    partitions = partitions_of_months(months)
    keys = MONTHLY.keys[-months:]
    assert partitions[key_of(fact_consultation)] == dg.PartitionKeyRange(keys[0], keys[-1])
    assert partitions[key_of(EXACT)] == dg.PartitionKeyRange(keys[0][:4], keys[-1][:4])
    assert partitions[key_of(patient)] is None


def test_one_backfill_runs_at_a_time() -> None:
    defined = repository()
    assert rolling_backfill_nightly.job_name == ROLLING_BACKFILL.name
    with dg.DagsterInstance.ephemeral() as instance:
        said = start(instance, defined, 2, "a run")
        assert start(instance, defined, 2, "a later run").endswith("has not ended: no other one is started")
        (backfill,) = instance.get_backfills()
    assert said.startswith(f"backfill {backfill.backfill_id}: {backfill.title}, ")
    assert backfill.tags == {TAG: "a run"}
    assert backfill.title == f"rolling_backfill of 2 months until {MONTHLY.keys[-1]}"
    target = backfill.get_asset_backfill_data(defined.asset_graph).target_subset
    months = target.get_partitions_subset(key_of(fact_consultation))
    assert list(months.get_partition_keys()) == list(MONTHLY.keys[-2:])
    assert key_of(patient) in target.non_partitioned_asset_keys
