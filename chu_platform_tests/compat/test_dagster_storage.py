"""Dagster's SQLite storage as `dagster.yaml` names it: the same files, with engines that are kept."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest
import yaml

from chu_platform.compat.dagster_storage import MAX_OPEN_FILES, EventLog
from chu_platform.graph.dagster_instance import CONFIGURATION, open_instance, prepare_dagster_home
from chu_platform.settings import Settings

pytestmark = pytest.mark.integration

OWN = yaml.safe_load(CONFIGURATION)
EARLIER = yaml.safe_dump({name: OWN[name] for name in OWN if name != "storage"})


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("DAGSTER_HOME", "")  # put back after the test
    return Settings(_env_file=None, home=tmp_path)


@dg.asset
def three() -> dg.MaterializeResult[None]:
    return dg.MaterializeResult(metadata={"rows": 3})


def made(instance: dg.DagsterInstance) -> list[object]:
    """What the materializations of the asset say."""
    found = instance.fetch_materializations(three.key, limit=10).records
    return [r.asset_materialization.metadata["rows"].value for r in found if r.asset_materialization]


def test_a_run_is_stored_where_dagsters_own_storage_finds_it(settings: Settings) -> None:
    with open_instance(settings) as instance:
        assert isinstance(instance.event_log_storage, EventLog)
        run = dg.materialize([three], instance=instance)
        assert run.success
        assert made(instance) == [3]
    (settings.dagster_home / "dagster.yaml").write_text(EARLIER)
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        assert not isinstance(instance.event_log_storage, EventLog)
        assert made(instance) == [3]
        assert [r.run_id for r in instance.get_runs()] == [run.run_id]
        assert dg.materialize([three], instance=instance).success
    with open_instance(settings) as instance:
        assert made(instance) == [3, 3]


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


QUERIES = {
    "events": """SELECT dagster_event_type, step_key, asset_key, partition, count(*) FROM event_logs
                 GROUP BY ALL_COLUMNS ORDER BY ALL_COLUMNS""",
    "last event of each asset": "SELECT asset_key, last_materialization IS NULL, last_run_id IS NULL FROM asset_keys",
    "asset checks": """SELECT asset_key, check_name, partition, execution_status, count(*) FROM asset_check_executions
                       GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4""",
    "tags": "SELECT asset_key, key, value, count(*) FROM asset_event_tags GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
}


def stored(history: Path) -> dict[str, list[tuple[object, ...]]]:
    """What the index and the files of the runs hold, without identifiers and times."""
    found = {}
    for file in sorted(history.glob("*.db"), key=lambda f: f.name == "index.db"):
        kind = "index" if file.name == "index.db" else "run"
        with closing(sqlite3.connect(file)) as connection:
            for name, query in QUERIES.items():
                rows = connection.execute(query.replace("ALL_COLUMNS", "1, 2, 3, 4")).fetchall()
                found[f"{name} in the {kind}"] = sorted(rows, key=repr)
    return found


def test_batches_leave_what_dagsters_own_storage_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "")
    found = {}
    for name, size in (("ours", "1000"), ("dagster", "0")):
        settings = Settings(_env_file=None, home=tmp_path / name)
        prepare_dagster_home(settings)
        monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", size)
        if name == "dagster":
            (settings.dagster_home / "dagster.yaml").write_text(EARLIER)
        with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
            assert isinstance(instance.event_log_storage, EventLog) == (name == "ours")
            tags = {"dagster/asset_partition_range_start": "2017", "dagster/asset_partition_range_end": "2019"}
            for _ in range(2):
                assert dg.materialize([two], instance=instance, tags=tags).success
            assert instance.get_materialized_partitions(dg.AssetKey("kept")) == {"2017", "2018", "2019"}
        found[name] = stored(settings.dagster_home / "history" / "runs")
    materialized = [row for row in found["ours"]["events in the index"] if row[0] == "ASSET_MATERIALIZATION"]
    assert [row[3:] for row in materialized] == 2 * [("2017", 2), ("2018", 2), ("2019", 2)]
    assert [row[3] for row in found["ours"]["asset checks in the index"]] == ["SUCCEEDED", "FAILED"]
    assert found["ours"] == found["dagster"]


def test_connections_are_kept_and_do_not_flush(settings: Settings) -> None:
    with open_instance(settings) as instance:
        log = instance.event_log_storage
        assert isinstance(log, EventLog)
        for _ in range(2 * MAX_OPEN_FILES):
            assert dg.materialize([three], instance=instance).success
        with log.index_connection() as connection:
            opened = connection.connection.dbapi_connection
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 0
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        with log.index_connection() as connection:
            assert connection.connection.dbapi_connection is opened
        assert len(open_files(settings)) <= MAX_OPEN_FILES + 2
    assert open_files(settings) == set()


def open_files(settings: Settings) -> set[str]:
    """Databases below DAGSTER_HOME that this process has open."""
    files = {link.readlink() for link in Path("/proc/self/fd").iterdir() if link.exists()}
    return {f.name for f in files if f.is_relative_to(settings.dagster_home) and f.suffix == ".db"}


def test_the_configuration_of_an_earlier_version_is_replaced(settings: Settings) -> None:
    settings.dagster_home.mkdir(parents=True)
    file = settings.dagster_home / "dagster.yaml"
    file.write_text(EARLIER)
    prepare_dagster_home(settings)
    assert file.read_text() == CONFIGURATION


@pytest.mark.parametrize("changed", [EARLIER + "python_logs: {}\n", "telemetry:\n  enabled: false\n", ""])
def test_a_configuration_of_ones_own_stays(settings: Settings, changed: str) -> None:
    settings.dagster_home.mkdir(parents=True)
    file = settings.dagster_home / "dagster.yaml"
    file.write_text(changed)
    with open_instance(settings) as instance:
        assert instance.get_runs() == []
    assert file.read_text() == changed
