"""The events that a main job stores: few beside one for each partition, and none lost that the UI needs."""

import math
import re
from collections import Counter
from collections.abc import Mapping

import dagster as dg
import pytest

from chu_platform.catalogue import catalogue
from chu_platform.facts.fact_death import fact_death
from chu_platform.graph.asset_keys import key_of
from chu_platform.kpis.kpi_consultation_rate_by_diagnosis import EXACT
from chu_platform.tables.partitions import MONTHLY
from chu_platform.tables.table import Table, Zone
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import rows

pytestmark = pytest.mark.integration

# Of every kind but materializations: for each asset one that it is planned, for each group of checks one result, for
# each step its start, its end and its line, for each run seven. 6.7 for each table when this was written.
MAX_OTHER_EVENTS_OF_A_TABLE = 7
COUNTS = ("dagster/row_count", "dagster/partition_row_count")
# The line of a step: its table, and what it did.
LINE = re.compile(r"(\w+/\w+): (.* rows.*)")


@pytest.fixture(scope="module")
def shown(made: Home) -> Mapping[Table, set[str]]:
    """The partitions of each asset that are shown as made."""
    return {table: shown_of(made, table) for table in catalogue()}


def shown_of(home: Home, table: Table) -> set[str]:
    """The partitions of an asset that are shown as made: those until the last one with rows, and at least the first."""
    if table.asset_scheme is None:
        return set()
    keys, stored = list(table.asset_scheme.keys), rows(home.lake, table)
    if table.partition_scheme:
        found = {table.partition_scheme.every().key_of(v) for v in stored[table.partition_scheme.column].to_pylist()}
    elif "year" in stored.column_names:
        found = {str(year) for year in stored["year"].to_pylist()}
    else:
        periods = zip(stored["period_grain"].to_pylist(), stored["period_start"].to_pylist(), strict=True)
        found = {str(start.year) for grain, start in periods if grain != "all"}
    return {*keys[: max((keys.index(key) for key in found), default=0) + 1]}


def test_a_main_job_stores_few_events(made: Home, shown: Mapping[Table, set[str]]) -> None:
    with made.instance() as instance:
        events = [entry for run in instance.get_runs() for entry in instance.all_logs(run.run_id)]
    kinds = Counter(entry.dagster_event_type for entry in events)
    partitions = {made_table: len(shown[t]) or 1 for t in catalogue() for made_table in t.outputs}
    materialized = kinds.pop(dg.DagsterEventType.ASSET_MATERIALIZATION)
    assert materialized == sum(partitions.values())
    assert kinds[dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED] == len(partitions)
    assert kinds.total() <= MAX_OTHER_EVENTS_OF_A_TABLE * len(partitions), kinds.most_common()


def test_each_partition_is_shown_with_its_rows(made: Home, shown: Mapping[Table, set[str]]) -> None:
    stored = Counter(rows(made.lake, fact_death)["death_year"].to_pylist())
    with made.instance() as instance:
        for table in catalogue():
            expected = shown[table]
            for output in table.outputs:
                assert instance.get_materialized_partitions(key_of(output)) == expected, output.folder
        wanted = dg.AssetRecordsFilter(key_of(fact_death), asset_partitions=["2019"])
        (record,) = instance.fetch_materializations(wanted, limit=10).records
        of_indicator = dg.AssetRecordsFilter(key_of(EXACT), asset_partitions=["2019"])
        (of_year,) = instance.fetch_materializations(of_indicator, limit=10).records
    assert record.asset_materialization is not None and of_year.asset_materialization is not None
    years = [
        (grain, start.year)
        for grain, start in zip(
            *(rows(made.lake, EXACT)[c].to_pylist() for c in ("period_grain", "period_start")), strict=True
        )
    ]
    expected_rows = sum(year == 2019 and grain != "all" for grain, year in years)
    shown_rows = [
        event.metadata["dagster/partition_row_count"].value
        for event in (of_year.asset_materialization, record.asset_materialization)
    ]
    # Multiples of 20, because these tables are not public.
    assert shown_rows == [20 * math.ceil((n - 10) / 20) for n in (expected_rows, stored["2019"])]


def test_no_event_has_an_exact_count_of_rows_that_are_not_public(made: Home) -> None:
    coarse = {key_of(t): t for made_by in catalogue() for t in made_by.outputs if t.zone is not Zone.PUBLISHED}
    coarse = {key: table for key, table in coarse.items() if table.public_source is None}
    with made.instance() as instance:
        entries = [entry for run in instance.get_runs() for entry in instance.all_logs(run.run_id)]
    counts, lines = 0, 0
    for entry in entries:
        event = entry.asset_materialization
        if event and event.asset_key in coarse:
            shown = [event.metadata[name].value for name in COUNTS if name in event.metadata]
            assert all(isinstance(n, int) and n % 20 == 0 for n in shown), event.asset_key
            assert shown or event.metadata["rows"].value == "1 to 10", event.asset_key
            if "partition_bytes" in event.metadata:
                size = event.metadata["partition_bytes"].value
                assert isinstance(size, int) and size % 100_000 == 0, event.asset_key
            counts += 1
        line = LINE.match(entry.user_message)
        if line and dg.AssetKey(line[1].split("/")) in coarse and not line[2].startswith(("about ", "1 to 10 ", "0 ")):
            assert "rows in = " in line[2], f"only lines of a delivery are exact: {line[0]}"
        lines += line is not None
    assert counts > 1000 and lines > 100


def test_partitions_without_rows_yet_are_neither_made_nor_failed(made: Home, shown: Mapping[Table, set[str]]) -> None:
    log_of = "get_latest_asset_partition_materialization_attempts_without_materializations"
    with made.instance() as instance:
        for table in (t for t in catalogue() if t.asset_scheme):
            assert table.asset_scheme and shown[table] < {*table.asset_scheme.keys}, "otherwise nothing is tested"
            assert getattr(instance.event_log_storage, log_of)(key_of(table)) == {}, table.folder


def test_the_last_event_of_each_asset_has_its_column_lineage(made: Home) -> None:
    """The UI shows it from there."""
    with made.instance() as instance:
        for table in (output for t in catalogue() for output in t.outputs):
            event = instance.get_latest_materialization_event(key_of(table))
            assert event and event.asset_materialization
            lineage = event.asset_materialization.metadata["dagster/column_lineage"].value
            assert isinstance(lineage, dg.TableColumnLineage), table.folder
            assert {*lineage.deps_by_column} == {c.name for c in table.columns}


def test_checks_of_a_table_with_partitions_are_not_left_as_planned(made: Home) -> None:
    table = next(t for t in catalogue() if t.partition_scheme is MONTHLY)
    with made.instance() as instance:
        for group in {check.group for check in table.all_checks}:
            key = dg.AssetCheckKey(key_of(table), group)
            history = instance.event_log_storage.get_asset_check_execution_history(key, limit=10)
            assert [(record.status.value, record.partition) for record in history] == [("SUCCEEDED", None)], group
