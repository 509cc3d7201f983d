"""Growth of Dagster's storage in two simulated months of runs and ticks, with the platform's retention and without.

A day is small: two runs of partitioned assets with checks, two runs of one asset, a report, and every fortieth tick of
the sensors, with the contents of real ticks. `pytest -s` prints the sizes.

The clock is simulated. Runs and events have real times; a list says at which real time each simulated day began.
"""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from chu_platform.graph.asset_keys import key_of
from chu_platform.graph.dagster_instance import open_instance
from chu_platform.graph.dagster_retention import DAY_SECONDS, delete_old_runs
from chu_platform.reports.delivery_reading import delivery_reading
from chu_platform.serve import WORKSPACE
from chu_platform.settings import Settings
from chu_platform_tests.compat.example_assets import make_two, three
from chu_platform_tests.compat.test_dagster_postgres_storage import Database

pytestmark = pytest.mark.system

DAYS = 60
RETENTION_DAYS = 30
MEASURED_AFTER = (15, 30, 35, 40, 50, 60)
SENSORS = {"arriving_files": 10, "failed_runs_again": 60, "follow_upstream": 20}
EVERY = 40
START = 1_800_000_000.0
DAEMON_SECONDS = 300


@pytest.fixture(scope="module")
def ticks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A skipped tick of each sensor, as the real daemon stores it."""
    home = tmp_path_factory.mktemp("daemon")
    settings = Settings(_env_file=None, home=home, sources=home / "sources")
    settings.sources_folder.mkdir()
    with open_instance(settings) as instance:
        command = (sys.executable, "-m", "chu_platform.dagster_daemon", "run", "-w", str(WORKSPACE))
        environment = {**os.environ, "CHU_HOME": str(home), "CHU_SOURCES": str(settings.sources_folder)}
        daemon = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + DAEMON_SECONDS
            found: dict[str, Any] = {}
            while found.keys() != SENSORS.keys():
                assert time.monotonic() < deadline, f"ticks of {found.keys()} only"
                time.sleep(1)
                for state in instance.all_instigator_state():
                    of_sensor = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)
                    found |= {t.instigator_name: t.tick_data for t in of_sensor if t.status.value == "SKIPPED"}
        finally:
            daemon.terminate()
            daemon.wait()
    return found


def store_ticks(instance: dg.DagsterInstance, ticks: dict[str, Any], day: int) -> None:
    """Store the ticks of a day."""
    for name, seconds in SENSORS.items():
        for number in range(round(DAY_SECONDS / seconds / EVERY)):
            moment = START + day * DAY_SECONDS + number * seconds * EVERY
            instance.create_tick(ticks[name]._replace(timestamp=moment))


def purge_ticks(instance: dg.DagsterInstance, ticks: dict[str, Any], day: int) -> None:
    """Delete the ticks that the daemon deletes after each tick, with the retention of this instance."""
    for tick in ticks.values():
        for status, days in instance.get_tick_retention_settings(tick.instigator_type).items():
            before = START + (day + 1 - days) * DAY_SECONDS
            instance.purge_ticks(tick.instigator_origin_id, tick.selector_id, before, [status])


def sizes(
    instance: dg.DagsterInstance, size: Callable[[], int], ticks: dict[str, Any], *, retention: bool
) -> Sequence[int]:
    """Bytes of the storage after some of the days."""
    begun, found = [], []
    for day in range(DAYS):
        begun.append(time.time())
        store_ticks(instance, ticks, day)
        make_two(instance)
        for _ in range(2):
            dg.materialize([three], instance=instance)
        instance.report_runless_asset_event(dg.AssetMaterialization(key_of(delivery_reading)))
        if retention:
            purge_ticks(instance, ticks, day)
            oldest = begun[max(0, day + 1 - RETENTION_DAYS)]
            delete_old_runs(instance, RETENTION_DAYS, oldest + RETENTION_DAYS * DAY_SECONDS)
        if day + 1 in MEASURED_AFTER:
            found.append(size())
    return found


@pytest.fixture(params=["sqlite", "postgres"])
def storage(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[dg.DagsterInstance, Callable[[], int]]]:
    """An instance with an empty storage, and its size in bytes."""
    monkeypatch.setenv("DAGSTER_HOME", "")
    if request.param == "sqlite":
        settings = Settings(_env_file=None, home=tmp_path)
        with open_instance(settings) as instance:
            yield instance, lambda: sum(f.stat().st_size for f in settings.dagster_home.rglob("*") if f.is_file())
    else:
        server = request.getfixturevalue("postgres")
        database = Database(server, tmp_path)
        with database.instance(ours=True) as instance:
            yield instance, lambda: int(str(database.rows("SELECT pg_database_size(current_database())")[0][0]))
        server.drop_database(database.name)


@pytest.mark.parametrize("retention", [True, False], ids=["retention", "no retention"])
def test_the_storage_stops_to_grow(
    storage: tuple[dg.DagsterInstance, Callable[[], int]], ticks: dict[str, Any], retention: bool
) -> None:
    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    instance, size = storage
    empty = size()
    found = [after - empty for after in sizes(instance, size, ticks, retention=retention)]
    print("\n" + ", ".join(f"{d} days: {n / 1e6:.1f} MB" for d, n in zip(MEASURED_AFTER, found, strict=True)))
    by_day = dict(zip(MEASURED_AFTER, found, strict=True))
    if retention:
        assert by_day[60] < 1.15 * by_day[40]
    else:
        assert by_day[60] > 1.3 * by_day[40]
