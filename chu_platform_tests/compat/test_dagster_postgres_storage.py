"""Dagster's PostgreSQL storage as `docker/dagster.yaml` names it: the same tables, with connections that are kept."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from itertools import count
from pathlib import Path

import dagster as dg
import psycopg2
import pytest
import sqlalchemy
import yaml

from chu_platform.care_database.embedded_postgres import EmbeddedPostgres
from chu_platform.compat.dagster_postgres_storage import KEPT_CONNECTIONS, EventLog
from chu_platform.errors import known_cause
from chu_platform.settings import PROJECT
from chu_platform_tests.compat.example_assets import (
    Rows,
    check_left_out,
    check_states_of_moody,
    has_all_events_of_two,
    made,
    make_two,
    stored,
    three,
)
from chu_platform_tests.pipeline.processes import main_process, stopped

DEPLOYED = yaml.safe_load((PROJECT / "docker" / "dagster.yaml").read_text())
NUMBERS = count()


class Database:
    """An empty database, and Dagster instances that use it."""

    def __init__(self, server: EmbeddedPostgres, folder: Path) -> None:
        self.name = f"events_{os.getpid()}_{next(NUMBERS)}"
        self.url = server.url(self.name)
        self.folder = folder
        server.create_database(self.name)

    def instance(self, *, ours: bool, limit: int = 1) -> AbstractContextManager[dg.DagsterInstance]:
        """An instance with the storage of the platform or of Dagster, and a default limit of pools."""
        url = {"postgres_url": self.url.replace("postgresql:", "postgresql+psycopg2:")}
        storage = {"custom": {**DEPLOYED["storage"]["custom"], "config": url}} if ours else {"postgres": url}
        pools = {**DEPLOYED["concurrency"], "pools": {**DEPLOYED["concurrency"]["pools"], "default_limit": limit}}
        configuration = {**DEPLOYED, "storage": storage, "concurrency": pools}
        (self.folder / "dagster.yaml").write_text(yaml.safe_dump(configuration))
        return dg.DagsterInstance.from_config(str(self.folder))

    def rows(self, query: str) -> Rows:
        with closing(psycopg2.connect(self.url)) as connection, connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchall()

    def connections(self) -> set[object]:
        """The server processes of the open connections, without that of this query."""
        query = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        return {pid for (pid,) in self.rows(query)}


@pytest.fixture
def databases(postgres: EmbeddedPostgres, tmp_path: Path) -> Iterator[Callable[[], Database]]:
    created: list[Database] = []

    def create() -> Database:
        created.append(Database(postgres, tmp_path))
        return created[-1]

    yield create
    for one in created:
        postgres.drop_database(one.name)


@pytest.fixture
def database(databases: Callable[[], Database]) -> Database:
    return databases()


@pytest.mark.system
def test_dagsters_own_storage_and_this_one_read_each_others_runs(database: Database) -> None:
    for expected in ([3], [3, 3], [3, 3, 3]):
        ours = len(expected) % 2 == 1
        with database.instance(ours=ours) as instance:
            assert isinstance(instance.event_log_storage, EventLog) == ours
            assert dg.materialize([three], instance=instance).success
            assert made(instance) == expected
            assert len(instance.get_runs()) == len(expected)


@pytest.mark.integration
def test_batches_leave_what_dagsters_own_storage_leaves(
    databases: Callable[[], Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {}
    for name, size in (("ours", "1000"), ("dagster", "0")):
        monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", size)
        database = databases()
        with database.instance(ours=name == "ours") as instance:
            make_two(instance)
        found[name] = stored(database.rows)
    assert has_all_events_of_two(found["ours"])
    assert found["ours"] == found["dagster"]


@pytest.mark.integration
@pytest.mark.parametrize("ours", [True, False])
def test_the_state_of_each_partition_is_known(database: Database, ours: bool) -> None:
    with database.instance(ours=ours) as instance:
        check_states_of_moody(instance)


@pytest.mark.integration
def test_a_partition_that_is_left_out_is_neither_made_nor_failed(database: Database) -> None:
    with database.instance(ours=True) as instance:
        check_left_out(instance)


@pytest.mark.integration
def test_connections_are_kept_until_the_instance_is_closed(database: Database) -> None:
    with database.instance(ours=True) as instance:
        assert dg.materialize([three], instance=instance).success
        kept = database.connections()
        assert 1 <= len(kept) <= KEPT_CONNECTIONS
        assert dg.materialize([three], instance=instance).success
        assert database.connections() == kept
    assert database.connections() == set()


@pytest.mark.integration
def test_connections_that_the_server_closed_are_replaced(database: Database) -> None:
    with database.instance(ours=True) as instance:
        assert dg.materialize([three], instance=instance).success
        closed = database.connections()
        for pid in closed:
            database.rows(f"SELECT pg_terminate_backend({pid})")
        assert dg.materialize([three], instance=instance).success
        assert made(instance) == [3, 3]
        assert database.connections().isdisjoint(closed)


@pytest.mark.integration
def test_the_webserver_has_connections_with_a_timeout(database: Database) -> None:
    with database.instance(ours=True) as instance:
        assert dg.materialize([three], instance=instance).success
        kept = database.connections()
        instance.optimize_for_webserver(statement_timeout=7000, pool_recycle=3600, max_overflow=20)
        assert made(instance) == [3]
        assert database.connections().isdisjoint(kept)
        log = instance.event_log_storage
        assert isinstance(log, EventLog)
        with log.index_connection() as connection:
            assert connection.exec_driver_sql("SHOW statement_timeout").scalar() == "7s"


@pytest.mark.integration
def test_connections_of_the_webserver_that_the_server_closed_are_replaced(database: Database) -> None:
    """Those of runs, events and schedules: the UI shows no error after a restart of PostgreSQL."""
    with database.instance(ours=True) as instance:
        assert dg.materialize([three], instance=instance).success
        instance.optimize_for_webserver(statement_timeout=7000, pool_recycle=3600, max_overflow=20)

        def read() -> tuple[int, int, int]:
            return len(instance.get_runs()), len(made(instance)), len(instance.all_instigator_state())

        before = read()
        closed = database.connections()
        assert len(closed) == 3
        for pid in closed:
            database.rows(f"SELECT pg_terminate_backend({pid})")
        assert read() == before == (1, 1, 0)
        assert database.connections().isdisjoint(closed)


@pytest.mark.integration
def test_a_stopped_server_is_given_up_and_used_again(
    database: Database, postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stopped process keeps its connections, and the kernel takes new ones for it."""
    monkeypatch.setenv("CHU_ENGINE_PATIENCE", "0.1")
    with database.instance(ours=True) as instance:
        log = instance.event_log_storage
        assert isinstance(log, EventLog)
        with (
            pytest.raises(sqlalchemy.exc.OperationalError) as error,
            log.index_connection() as connection,
            stopped(main_process(postgres)),
        ):
            connection.exec_driver_sql("SELECT 1")
        assert "PostgreSQL server of Dagster's storage does not answer: start it again" in str(known_cause(error.value))
        assert instance.get_runs() == []


@pytest.mark.integration
def test_a_slow_statement_of_a_server_that_answers_is_not_given_up(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHU_ENGINE_PATIENCE", "0.1")
    with database.instance(ours=True) as instance:
        log = instance.event_log_storage
        assert isinstance(log, EventLog)
        with log.index_connection() as connection:
            assert connection.exec_driver_sql("SELECT 3 FROM pg_sleep(0.5)").scalar() == 3


@dg.multi_asset(specs=[dg.AssetSpec(f"table_{number:02}") for number in range(50)], can_subset=True)
def many() -> Iterator[dg.MaterializeResult[None]]:
    yield dg.MaterializeResult("table_00")


@pytest.mark.system
def test_runs_with_the_same_assets_do_not_lock_each_other(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "1000")
    batches: list[list[dg.EventLogEntry]] = []
    with database.instance(ours=True) as instance:
        log = instance.event_log_storage
        with monkeypatch.context() as patch:
            patch.setattr(log, "store_event_batch", batches.append)
            dg.materialize([many], instance=instance, raise_on_error=False)
        (planned,) = batches
        assert len(planned) == 50

        def store(events: list[dg.EventLogEntry]) -> None:
            for _ in range(20):
                log.store_event_batch(events)

        with ThreadPoolExecutor() as threads:
            list(threads.map(store, (planned, planned[::-1])))
    planned_rows = "SELECT count(*) FROM event_logs WHERE dagster_event_type = 'ASSET_MATERIALIZATION_PLANNED'"
    assert database.rows(planned_rows) == [(2 * 20 * 50,)]


@dg.asset(pool="shared")
def pooled() -> int:
    return 3


def limit_of(database: Database) -> Rows:
    """The limit of the pool, whether it is the default one, and its number of slots."""
    return database.rows("""
        SELECT l."limit", l.using_default_limit,
            (SELECT count(*) FROM concurrency_slots s WHERE s.concurrency_key = l.concurrency_key AND NOT deleted)
        FROM concurrency_limits l WHERE l.concurrency_key = 'shared'""")


@pytest.mark.integration
def test_a_pool_that_another_process_has_created_is_used(database: Database) -> None:
    """The daemon and a command may create a new pool at the same time: the later one finds it."""
    with database.instance(ours=True) as daemon, database.instance(ours=True) as command:
        for instance in (daemon, command):
            assert instance.event_log_storage.initialize_concurrency_limit_to_default("shared")
        assert limit_of(database) == [(1, True, 1)]
        with ThreadPoolExecutor() as threads:
            names = [f"pool_{number // 2}" for number in range(40)]
            storages = [daemon.event_log_storage, command.event_log_storage]
            list(
                threads.map(
                    lambda p: storages[p[0] % 2].initialize_concurrency_limit_to_default(p[1]), enumerate(names)
                )
            )
    assert database.rows("SELECT count(*) FROM concurrency_slots") == [(21,)]


@pytest.mark.integration
@pytest.mark.parametrize("limits", [(1, 1), (1, 3)], ids=["same limit", "changed limit"])
def test_dagsters_own_storage_fails_at_a_pool_that_exists(database: Database, limits: tuple[int, int]) -> None:
    """The reason for the subclass (dagster#33552). When this fails after an upgrade, its method can go."""
    first, second = limits
    with database.instance(ours=False, limit=first) as instance:
        assert instance.event_log_storage.initialize_concurrency_limit_to_default("shared")
    with (
        database.instance(ours=False, limit=second) as instance,
        pytest.raises(sqlalchemy.exc.InternalError, match="current transaction is aborted"),
    ):
        instance.event_log_storage.initialize_concurrency_limit_to_default("shared")


@pytest.mark.integration
@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 1)])
def test_a_changed_default_limit_is_used(database: Database, before: int, after: int) -> None:
    for limit in (before, after):
        with database.instance(ours=True, limit=limit) as instance:
            assert dg.materialize([pooled], instance=instance, raise_on_error=False).success
        assert limit_of(database) == [(limit, True, limit)]
