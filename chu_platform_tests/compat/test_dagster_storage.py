"""Dagster's SQLite storage as `dagster.yaml` names it: the same files, with engines that are kept."""

from pathlib import Path

import dagster as dg
import pytest
import yaml

from chu_platform.compat import dagster_storage
from chu_platform.compat.dagster_storage import EventLog
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


def test_engines_are_kept_and_do_not_flush(settings: Settings) -> None:
    with open_instance(settings) as instance:
        assert dg.materialize([three], instance=instance).success  # makes the engines
        before = dagster_storage.engine_of.cache_info()
        run = dg.materialize([three], instance=instance)
        after = dagster_storage.engine_of.cache_info()
        stored = len(instance.all_logs(run.run_id))
        with instance.event_log_storage.index_connection() as connection:  # type: ignore[attr-defined]
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 0
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    assert after.misses - before.misses == 1, "one more file, that of the events of the run"
    assert after.hits - before.hits > stored > 10


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
