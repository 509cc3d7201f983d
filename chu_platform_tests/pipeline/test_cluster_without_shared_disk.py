"""One path from source to masked indicator on a Spark cluster whose workers share nothing but an object store.

The cluster is that of docker/spark-cluster.sh: two workers, each with local folders of its own.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from chu_platform.storage.lake import Lake
from chu_platform.storage.store import lake_root
from chu_platform.tables.rows import Query
from chu_platform_tests.java import JAVA_OPTIONS, require_java
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import differences, every_table, rows
from chu_platform_tests.pipeline.test_engines import MAX_RESULT_BYTES, TOLERANCE
from chu_platform_tests.ports import free_port
from chu_platform_tests.storage.s3_server import BUCKET, s3_server

pytestmark = pytest.mark.system
pytest.importorskip("moto", reason="moto is not installed")

CLUSTER = Path(__file__).parent.parent.parent / "docker" / "spark-cluster.sh"
LAKE = f"s3://{BUCKET}/cluster"
PATH = "+key:published/kpi_deaths_by_region"
# The tables of this path that the engine makes.
MADE = (
    "pseudonymised/dimensions/dim_region",
    "pseudonymised/facts/fact_death",
    "pseudonymised/kpis/kpi_deaths_by_region",
    "published/kpis/kpi_deaths_by_region",
)
TIMEOUT_SECONDS = 1800


@dataclass(frozen=True)
class Made:
    """The rows of the tables by folder, and the events of Spark."""

    rows: Mapping[str, Any]
    events: Sequence[Mapping[str, Any]]


@pytest.fixture(scope="module")
def on_cluster(made: Home, tmp_path_factory: pytest.TempPathFactory) -> Made:
    require_java()
    folder = tmp_path_factory.mktemp("cluster")
    events = folder / "events"
    events.mkdir()
    logged = f"-Dspark.eventLog.enabled=true -Dspark.eventLog.compress=false -Dspark.eventLog.dir={events}"
    with s3_server() as server:
        home = Home(
            folder / "home", made.pack, {"CHU_LAKE": LAKE, "CHU_SECRETS": str(made.secrets), **server.options()}
        )
        environment = {
            **home.environment(),
            "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
            "OBJECT_STORE": "true",
            "WORK": str(folder / "work"),
            "CONNECT_PORT": str(free_port()),
            "MASTER_PORT": str(free_port()),
            "JDK_JAVA_OPTIONS": f"{JAVA_OPTIONS} {logged}",
        }
        command = [str(CLUSTER), sys.executable, "-m", "chu_platform.cli", "materialize", "--select", PATH]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        assert not (home.folder / "lake").exists()
        lake = Lake(lake_root(server.settings(folder, LAKE)))
        found = {t.folder: rows(lake, t) for t in every_table() if t.folder in MADE}
    logs = events.glob("*/events_*")
    return Made(found, [json.loads(line) for log in logs for line in log.read_text(encoding="utf-8").splitlines()])


@pytest.mark.parametrize("folder", MADE)
def test_the_tables_are_those_of_the_embedded_engine(made: Home, on_cluster: Made, folder: str) -> None:
    (table,) = (t for t in every_table() if t.folder == folder)
    assert isinstance(table.rows, Query)
    assert differences(rows(made.lake, table), on_cluster.rows[folder], TOLERANCE) == []


def test_both_workers_work_and_send_no_rows_to_the_driver(on_cluster: Made) -> None:
    """Spark's own metrics: tasks send metrics and names of files only, and no side of a join is broadcast."""
    tasks = [e for e in on_cluster.events if e["Event"] == "SparkListenerTaskEnd"]
    assert {e["Task Info"]["Executor ID"] for e in tasks} == {"0", "1"}
    written = sum(e["Task Metrics"]["Output Metrics"]["Records Written"] for e in tasks)
    assert written >= sum(found.num_rows for found in on_cluster.rows.values()) > 0
    assert max(e["Task Metrics"]["Result Size"] for e in tasks) < MAX_RESULT_BYTES
    scopes = [e["Properties"].get("spark.rdd.scope", "") for e in on_cluster.events if "Stage IDs" in e]
    assert [scope for scope in scopes if "BroadcastExchange" in scope] == []
