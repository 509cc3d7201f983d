"""Assets whose runs write all kinds of events that the storages treat in their own way, and what a database holds then.

The runs of `two` send batches, if DAGSTER_EVENT_BATCH_SIZE is set.
"""

from collections.abc import Callable, Iterator, Sequence

import dagster as dg


@dg.asset
def three() -> dg.MaterializeResult[None]:
    return dg.MaterializeResult(metadata={"rows": 3})


def made(instance: dg.DagsterInstance) -> list[object]:
    """What the materializations of `three` say."""
    found = instance.fetch_materializations(three.key, limit=10).records
    return [r.asset_materialization.metadata["rows"].value for r in found if r.asset_materialization]


YEARS = dg.StaticPartitionsDefinition(["2017", "2018", "2019"])


@dg.multi_asset(
    specs=[dg.AssetSpec("kept", partitions_def=YEARS), dg.AssetSpec("rejected", partitions_def=YEARS)],
    check_specs=[
        dg.AssetCheckSpec("complete", asset="kept", blocking=True),
        dg.AssetCheckSpec("believable", asset="rejected"),
    ],
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def two() -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
    yield dg.AssetCheckResult(passed=True, asset_key="kept", check_name="complete", metadata={"rule": 0})
    yield dg.AssetCheckResult(passed=False, asset_key="rejected", check_name="believable", metadata={"rule": 7})
    for key in ("kept", "rejected"):
        yield dg.MaterializeResult(asset_key=key, metadata={"rows": 5}, data_version=dg.DataVersion(key))


def make_two(instance: dg.DagsterInstance) -> None:
    """Make all years of `two`, twice."""
    tags = {"dagster/asset_partition_range_start": "2017", "dagster/asset_partition_range_end": "2019"}
    for _ in range(2):
        assert dg.materialize([two], instance=instance, tags=tags).success
    assert instance.get_materialized_partitions(dg.AssetKey("kept")) == {"2017", "2018", "2019"}


Rows = list[tuple[object, ...]]
QUERIES = {
    "events": """SELECT dagster_event_type, step_key, asset_key, partition, count(*) FROM event_logs
                 GROUP BY 1, 2, 3, 4""",
    "last event of each asset": "SELECT asset_key, last_materialization IS NULL, last_run_id IS NULL FROM asset_keys",
    "asset checks": """SELECT asset_key, check_name, partition, execution_status, count(*) FROM asset_check_executions
                       GROUP BY 1, 2, 3, 4""",
    "tags": "SELECT asset_key, key, value, count(*) FROM asset_event_tags GROUP BY 1, 2, 3",
}


def stored(rows: Callable[[str], Sequence[tuple[object, ...]]]) -> dict[str, Rows]:
    """What a database of events holds, without identifiers and times; `rows` gives the rows of a query."""
    return {name: sorted(rows(query), key=repr) for name, query in QUERIES.items()}


def has_all_events_of_two(found: dict[str, Rows]) -> bool:
    """Whether the events of `make_two` are there: each year of both assets, and both checks."""
    materialized = [row[3:] for row in found["events"] if row[0] == "ASSET_MATERIALIZATION"]
    return materialized == 2 * [("2017", 2), ("2018", 2), ("2019", 2)] and [
        row[3] for row in found["asset checks"]
    ] == ["SUCCEEDED", "FAILED"]
