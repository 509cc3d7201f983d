"""Assets whose runs write all kinds of events that the storages treat in their own way, and what a database holds then.

The runs of `two` send batches, if DAGSTER_EVENT_BATCH_SIZE is set.
"""

from collections.abc import Callable, Iterator, Sequence

import dagster as dg

from chu_platform.compat.run_tags import LEFT_OUT


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


@dg.asset(partitions_def=YEARS, backfill_policy=dg.BackfillPolicy.single_run())
def moody(context: dg.AssetExecutionContext) -> None:
    if "fail" in context.run.tags:
        raise dg.Failure("as told")


def make_moody(instance: dg.DagsterInstance, first: str, last: str, *, fails: bool) -> str:
    """Make these years of `moody` in one run; returns its identifier."""
    tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
    if first == last:
        tags = {"dagster/partition": first}
    tags |= {"fail": "yes"} if fails else {}
    run = dg.materialize([moody], instance=instance, tags=tags, raise_on_error=False)
    assert run.success is not fails
    return run.run_id


def states_of_moody(instance: dg.DagsterInstance) -> tuple[set[str], dict[str, str], dict[str, str]]:
    """The years that were made; the run that did not make a year; the run that planned each year last."""
    log = instance.event_log_storage
    attempts = log.get_latest_asset_partition_materialization_attempts_without_materializations(moody.key)
    planned = {year: log.get_latest_planned_materialization_info(moody.key, year) for year in ("2017", "2018", "2019")}
    return (
        instance.get_materialized_partitions(moody.key),
        {year: run for year, (run, _) in attempts.items()},
        {year: info.run_id for year, info in planned.items() if info},
    )


def check_states_of_moody(instance: dg.DagsterInstance) -> None:
    """The years that failed are known, planned in a range or alone."""
    first = make_moody(instance, "2017", "2019", fails=True)
    only_2018 = make_moody(instance, "2018", "2018", fails=False)
    runs = {"2017": first, "2018": only_2018, "2019": first}
    assert states_of_moody(instance) == ({"2018"}, {"2017": first, "2019": first}, runs)
    later = make_moody(instance, "2018", "2019", fails=True)
    only_2019 = make_moody(instance, "2019", "2019", fails=True)
    runs = {"2017": first, "2018": later, "2019": only_2019}
    assert states_of_moody(instance) == ({"2018"}, runs, runs)
    last = make_moody(instance, "2017", "2019", fails=False)
    assert states_of_moody(instance) == ({"2017", "2018", "2019"}, {}, dict.fromkeys(runs, last))


@dg.asset(partitions_def=YEARS, backfill_policy=dg.BackfillPolicy.single_run())
def sparse(context: dg.AssetExecutionContext) -> None:
    """It has no rows of 2019 yet."""
    if "2019" in context.partition_keys:
        context.add_asset_metadata({LEFT_OUT: True}, partition_key="2019")


@dg.asset(deps=[sparse])
def fails() -> None:
    raise dg.Failure("as told")


def check_left_out(instance: dg.DagsterInstance) -> None:
    """A partition that a step leaves out is not made, and not failed, although its run has failed elsewhere."""
    tags = {"dagster/asset_partition_range_start": "2017", "dagster/asset_partition_range_end": "2019"}
    run = dg.materialize([sparse, fails], instance=instance, tags=tags, raise_on_error=False)
    assert not run.success
    assert instance.get_materialized_partitions(sparse.key) == {"2017", "2018"}
    log = instance.event_log_storage
    assert log.get_latest_asset_partition_materialization_attempts_without_materializations(sparse.key) == {}
    events = instance.fetch_materializations(sparse.key, limit=10).records
    assert {r.partition_key for r in events} == {"2017", "2018"}
    # Alone, it is not stored either.
    assert dg.materialize([sparse], instance=instance, tags={"dagster/partition": "2019"}).success
    assert instance.get_materialized_partitions(sparse.key) == {"2017", "2018"}


@dg.asset(check_specs=[dg.AssetCheckSpec("sound", asset="before", blocking=True)])
def before() -> Iterator[dg.MaterializeResult[None]]:
    yield dg.MaterializeResult(check_results=[dg.AssetCheckResult(passed=True, check_name="sound")])


@dg.asset(deps=[before])
def after(context: dg.AssetExecutionContext) -> None:
    if context.run.parent_run_id is None:
        raise dg.Failure("at the first time")


GRAPH = dg.Definitions([before, after], jobs=[dg.define_asset_job("both", executor_def=dg.in_process_executor)])


def both() -> dg.JobDefinition:
    """A job with `before` and `after`; a run of another process needs it by name."""
    return GRAPH.resolve_job_def("both")


def check_retry_from_failure(instance: dg.DagsterInstance) -> None:
    """A run that is started again from its failure makes only the asset that failed."""
    job = dg.reconstructable(both)
    with dg.execute_job(job, instance) as run:
        assert not run.success
    with dg.execute_job(
        job, instance, reexecution_options=dg.ReexecutionOptions.from_failure(run.run_id, instance)
    ) as again:
        assert again.success
        assert [e.step_key for e in again.all_events if e.is_step_success] == ["after"]


Rows = list[tuple[object, ...]]
# What repeats other events, or is planned, is stored in another way: `check_states_of_moody` asks for what is planned.
QUERIES = {
    "events": """SELECT dagster_event_type, step_key, asset_key, partition, count(*) FROM event_logs
                 WHERE dagster_event_type NOT LIKE '%PLANNED' AND dagster_event_type <> 'STEP_OUTPUT'
                 GROUP BY 1, 2, 3, 4""",
    "planned": "SELECT DISTINCT asset_key FROM event_logs WHERE dagster_event_type = 'ASSET_MATERIALIZATION_PLANNED'",
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
