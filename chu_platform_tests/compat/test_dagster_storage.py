"""Dagster's SQLite storage as `dagster.yaml` names it: the same files, with engines that are kept."""

import sqlite3
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest
import yaml
from sqlalchemy.exc import OperationalError

from chu_platform.compat import dagster_storage
from chu_platform.compat.dagster_storage import MAX_OPEN_FILES, EventLog
from chu_platform.errors import known_cause
from chu_platform.graph.dagster_instance import CONFIGURATION, open_instance, prepare_dagster_home
from chu_platform.settings import Settings
from chu_platform_tests.compat.example_assets import (
    Rows,
    check_left_out,
    check_retry_from_failure,
    check_states_of_moody,
    has_all_events_of_two,
    made,
    make_two,
    stored,
    three,
)

pytestmark = pytest.mark.integration

OWN = yaml.safe_load(CONFIGURATION)
MONITORING = {name: value for name, value in OWN["run_monitoring"].items() if name != "start_timeout_seconds"}
# The configurations of earlier versions, the newest first.
BEFORE = {**OWN, "run_monitoring": MONITORING}
WITHOUT_LIMIT = yaml.safe_dump(BEFORE)
WITHOUT_RETENTION = yaml.safe_dump({name: BEFORE[name] for name in BEFORE if name != "retention"})
EARLIER = yaml.safe_dump({name: BEFORE[name] for name in BEFORE if name not in ("storage", "retention")})


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("DAGSTER_HOME", "")  # put back after the test
    return Settings(_env_file=None, home=tmp_path)


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


def test_a_locked_index_is_an_error_after_one_wait(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_instance(settings) as instance:
        assert dg.materialize([three], instance=instance).success
        log = instance.event_log_storage
        assert isinstance(log, EventLog)
        folder = log._base_dir
    monkeypatch.setattr(dagster_storage, "SQLITE_BUSY_TIMEOUT_SECONDS", 0.1)
    monkeypatch.setattr(dagster_storage, "_INDEXED", set())  # as in a new process
    monkeypatch.setattr(EventLog, "_initdb", lambda *_: pytest.fail("Dagster waits ten times"))
    with closing(sqlite3.connect(Path(folder) / "index.db", isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(OperationalError) as error:
            EventLog(folder).index_connection().__enter__()
    assert (known_cause(error.value) or "").startswith("Dagster's storage (CHU_HOME/dagster) is locked")


def stored_in(file: Path) -> dict[str, Rows]:
    with closing(sqlite3.connect(file)) as connection:
        return stored(lambda query: connection.execute(query).fetchall())


def stored_below(history: Path) -> list[dict[str, Rows]]:
    """What the index and the files of the runs hold."""
    runs = [file for file in history.glob("*.db") if file.name != "index.db"]
    return [stored_in(file) for file in (history / "index.db", *runs)]


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
            make_two(instance)
        found[name] = stored_below(settings.dagster_home / "history" / "runs")
    assert has_all_events_of_two(found["ours"][0])
    assert found["ours"] == found["dagster"]


@pytest.mark.parametrize("ours", [True, False])
def test_the_state_of_each_partition_is_known(settings: Settings, ours: bool) -> None:
    prepare_dagster_home(settings)
    if not ours:
        (settings.dagster_home / "dagster.yaml").write_text(EARLIER)
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        check_states_of_moody(instance)


def test_a_partition_that_is_left_out_is_neither_made_nor_failed(settings: Settings) -> None:
    with open_instance(settings) as instance:
        check_left_out(instance)


def test_a_run_can_be_started_again_from_its_failure(settings: Settings) -> None:
    with open_instance(settings) as instance:
        check_retry_from_failure(instance)


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


@pytest.mark.parametrize("earlier", [EARLIER, WITHOUT_RETENTION, WITHOUT_LIMIT])
def test_the_configuration_of_an_earlier_version_is_replaced(settings: Settings, earlier: str) -> None:
    settings.dagster_home.mkdir(parents=True)
    file = settings.dagster_home / "dagster.yaml"
    file.write_text(earlier)
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
