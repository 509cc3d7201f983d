"""Retention of Dagster's runs, on SQLite and on PostgreSQL: what is deleted, and what stays."""

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from pydantic import SecretStr
from sqlalchemy import text

from chu_platform.automation.clean_up import CLEAN_UP
from chu_platform.care_database.embedded_postgres import embedded_server
from chu_platform.compat.dagster_retention import MAX_FREE
from chu_platform.graph.asset_keys import key_of
from chu_platform.graph.dagster_instance import CONFIGURATION, open_instance
from chu_platform.graph.dagster_retention import DAY_SECONDS, MAX_LOG_BYTES, clean_up, delete_old_runs, shorten
from chu_platform.reports.delivery_reading import delivery_reading
from chu_platform.settings import PROJECT, Settings, load_settings
from chu_platform_tests.compat.example_assets import made, make_moody, make_two, three
from chu_platform_tests.compat.test_dagster_postgres_storage import Database

pytestmark = pytest.mark.integration

DAYS = 30


@dataclass
class Storage:
    """A Dagster instance with an empty storage. `rows` gives the rows of a query on the events of all runs."""

    instance: dg.DagsterInstance
    rows: Callable[[str], Sequence[tuple[object, ...]]]
    folder: Path

    def report(self) -> None:
        """The report of readings is made: it reads all events until now."""
        self.instance.report_runless_asset_event(dg.AssetMaterialization(key_of(delivery_reading)))

    def clean(self, after_days: float) -> list[str]:
        """Clean up this many days from now; returns the runs that are left, in the order of their start."""
        delete_old_runs(self.instance, DAYS, time.time() + after_days * DAY_SECONDS)
        return [run.run_id for run in reversed(self.instance.get_runs())]

    def runs_of(self, table: str) -> set[object]:
        """The runs of the rows of a table, without those of no run."""
        return {run for (run,) in self.rows(f"SELECT DISTINCT run_id FROM {table}") if run}


@pytest.fixture(params=["sqlite", "postgres"])
def storage(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    monkeypatch.setenv("DAGSTER_HOME", "")
    if request.param == "sqlite":
        settings = Settings(_env_file=None, home=tmp_path)
        file = settings.dagster_home / "history" / "runs" / "index.db"

        def rows(query: str) -> Sequence[tuple[object, ...]]:
            with closing(sqlite3.connect(file)) as connection:
                return connection.execute(query).fetchall()

        with open_instance(settings) as instance:
            yield Storage(instance, rows, file.parent)
    else:
        server = request.getfixturevalue("postgres")
        database = Database(server, tmp_path)
        with database.instance(ours=True) as instance:
            yield Storage(instance, database.rows, tmp_path)
        server.drop_database(database.name)


def make(instance: dg.DagsterInstance, *assets: dg.AssetsDefinition) -> str:
    return dg.materialize(assets, instance=instance).run_id


def test_old_runs_are_deleted_except_those_with_the_last_events(storage: Storage) -> None:
    instance = storage.instance
    runs = [make(instance, three) for _ in range(3)]
    make_two(instance)
    _, last_two = reversed(instance.get_runs(limit=2))
    year, other_year = (make_moody(instance, y, y, fails=False) for y in ("2017", "2018"))
    superseded = make_moody(instance, "2018", "2018", fails=True)
    failed = make_moody(instance, "2018", "2018", fails=True)
    storage.report()
    assert len(storage.clean(DAYS - 1)) == 9
    left = [runs[2], last_two.run_id, year, other_year, failed]
    assert superseded not in left
    assert storage.clean(DAYS + 1) == left
    assert storage.runs_of("event_logs") == set(left)
    assert storage.runs_of("asset_check_executions") == {last_two.run_id}
    if storage.folder.name == "runs":
        assert {f.name for f in storage.folder.glob("*.db")} == {"index.db", ".db", *(f"{run}.db" for run in left)}
        with closing(sqlite3.connect(storage.folder / "index.db")) as connection:
            free, pages = (connection.execute(f"PRAGMA {n}").fetchone()[0] for n in ("freelist_count", "page_count"))
        assert free <= MAX_FREE * pages
    # What the UI and the automation see is the same.
    assert made(instance) == [3]
    assert instance.get_materialized_partitions(dg.AssetKey("kept")) == {"2017", "2018", "2019"}
    assert instance.get_materialized_partitions(dg.AssetKey("moody")) == {"2017", "2018"}
    check = dg.AssetCheckKey(dg.AssetKey("rejected"), "believable")
    (last,) = instance.event_log_storage.get_latest_asset_check_execution_by_key([check]).values()
    assert last is not None
    assert last.evaluation is not None
    assert last.evaluation.metadata["rule"].value == 7
    assert instance.get_latest_materialization_event(key_of(delivery_reading)) is not None
    # With newer ones, the old ones go as well.
    newest = make(instance, three)
    storage.report()
    assert storage.clean(DAYS + 1) == [*left[1:], newest]


def test_runs_that_no_report_has_read_stay(storage: Storage) -> None:
    first = make(storage.instance, three)
    assert storage.clean(100 * DAYS) == [first]
    storage.report()
    second, third = make(storage.instance, three), make(storage.instance, three)
    assert storage.clean(100 * DAYS) == [second, third]
    assert delete_old_runs(storage.instance, 0, time.time() + 100 * DAYS * DAY_SECONDS) is None


def test_what_a_killed_clean_up_left_is_deleted(storage: Storage) -> None:
    lost, kept = make(storage.instance, three), make(storage.instance, three)
    storage.instance.run_storage.delete_run(lost)
    storage.clean(0)
    assert storage.runs_of("event_logs") == {kept}


def test_old_backfills_are_deleted(storage: Storage) -> None:
    storage.report()
    now = datetime.now(UTC).replace(tzinfo=None)
    statuses = ("COMPLETED_SUCCESS", "FAILED", "REQUESTED")
    runs: Any = storage.instance.run_storage
    with runs.connect() as connection:
        for key, status in enumerate(statuses):
            insert = text("INSERT INTO bulk_actions (key, status, timestamp, body) VALUES (:key, :status, :now, '')")
            connection.execute(insert, {"key": str(key), "status": status, "now": now})
            tag = text("INSERT INTO backfill_tags (backfill_id, key, value) VALUES (:key, 'a', 'b')")
            connection.execute(tag, {"key": str(key)})

    def left() -> list[tuple[object, ...]]:
        query = (
            "SELECT status, backfill_tags.key FROM bulk_actions JOIN backfill_tags ON backfill_id = bulk_actions.key"
        )
        with runs.connect() as connection:
            return sorted(tuple(row) for row in connection.execute(text(query)))

    storage.clean(DAYS - 1)
    assert left() == [(status, "a") for status in statuses]
    time.sleep(0.01)
    storage.report()
    storage.clean(DAYS + 1)
    assert left() == [("REQUESTED", "a")]


def test_old_changes_of_freshness_and_evaluations_are_deleted(storage: Storage) -> None:
    log: Any = storage.instance.event_log_storage
    schedules: Any = storage.instance.schedule_storage
    columns = "dagster_event_type, run_id, timestamp, event, asset_key"
    change = text(f"INSERT INTO event_logs ({columns}) VALUES ('FRESHNESS_STATE_CHANGE', '', :now, :event, :asset)")
    evaluation = text(
        "INSERT INTO asset_daemon_asset_evaluations (evaluation_id, asset_key, asset_evaluation_body, create_timestamp)"
        " VALUES (:number, 'a', '', :at)"
    )
    now = datetime.now(UTC).replace(tzinfo=None)
    with log.index_connection() as connection:
        for number, asset in enumerate("aab"):
            connection.execute(change, {"now": now, "event": str(number), "asset": asset})
    with schedules.connect() as connection:
        for number, days in enumerate((0, 2, 4)):
            connection.execute(evaluation, {"number": number, "at": now - timedelta(days=days)})
    time.sleep(0.01)
    storage.report()

    def left() -> tuple[list[str], list[int]]:
        with schedules.connect() as connection:
            numbers = connection.execute(text("SELECT evaluation_id FROM asset_daemon_asset_evaluations ORDER BY 1"))
            evaluations = list(numbers.scalars())
        events = storage.rows("SELECT event FROM event_logs WHERE dagster_event_type = 'FRESHNESS_STATE_CHANGE'")
        return sorted(str(event) for (event,) in events), evaluations

    storage.clean(0)
    assert left() == (["0", "1", "2"], [0, 1])
    storage.clean(DAYS + 1)
    assert left() == (["1", "2"], [])


def test_a_storage_of_dagster_itself_is_left_alone() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        make(instance, three)
        assert delete_old_runs(instance, DAYS, time.time() + 100 * DAYS * DAY_SECONDS) is None


def test_both_configurations_keep_ticks_equally_long() -> None:
    deployed = yaml.safe_load((PROJECT / "docker" / "dagster.yaml").read_text())
    assert deployed["retention"] == yaml.safe_load(CONFIGURATION)["retention"]
    assert all(0 < days <= DAYS for days in deployed["retention"]["sensor"]["purge_after_days"].values())


def test_a_long_log_is_shortened_while_it_is_written(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    with log.open("ab", buffering=0) as writer:
        for number in range(3):
            writer.write(b"%d" % number + b"x" * (MAX_LOG_BYTES // 2) + b"\n")
        shorten(log)
        writer.write(b"the end\n")
    assert log.read_bytes() in (b"the end\n", b"2" + b"x" * (MAX_LOG_BYTES // 2) + b"\nthe end\n")
    before = log.read_bytes()
    shorten(log)
    assert log.read_bytes() == before


def test_the_job_cleans_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.setenv("CHU_HOME", str(tmp_path))
    with open_instance(load_settings()) as instance:
        make(instance, three)
        new = make(instance, three)
        instance.report_runless_asset_event(dg.AssetMaterialization(key_of(delivery_reading)))
        monkeypatch.setattr(time, "time", lambda: datetime.now(UTC).timestamp() + (DAYS + 1) * DAY_SECONDS)
        done = CLEAN_UP.execute_in_process(instance=instance)
        assert done.success
        assert {run.run_id for run in instance.get_runs()} == {new, done.run_id}


def test_an_embedded_care_database_that_a_server_replaces_is_deleted(tmp_path: Path) -> None:
    own = Settings(_env_file=None, home=tmp_path, postgres_url=None)
    server = embedded_server(own)
    with server:
        server.create_database("dump_0123")
    replaced = Settings(_env_file=None, home=tmp_path, postgres_url=SecretStr("postgresql://care"))
    with dg.DagsterInstance.ephemeral() as instance:
        assert len(clean_up(instance, own, time.time())) == 1
        assert server.folder.is_dir()
        with server:
            assert clean_up(instance, replaced, time.time())[0].endswith("is in use, and stays")
        assert clean_up(instance, replaced, time.time())[0].endswith("is deleted")
        assert not server.folder.exists()
        assert len(clean_up(instance, replaced, time.time())) == 1


def test_logs_are_found(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, home=tmp_path)
    settings.logs_folder.mkdir(parents=True)
    log = settings.logs_folder / "dagster-daemon.log"
    log.write_bytes(b"line\n" * MAX_LOG_BYTES)
    with dg.DagsterInstance.ephemeral() as instance:
        assert len(clean_up(instance, settings, time.time())) == 1
    assert 0 < log.stat().st_size <= MAX_LOG_BYTES
