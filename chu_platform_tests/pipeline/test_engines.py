"""Both engines make the same tables from the same pack, row by row."""

import json
import os
import shutil

import pytest
from deltalake import DeltaTable

from chu_platform.catalogue import catalogue
from chu_platform.tables.rows import Query
from chu_platform.tables.table import Table
from chu_platform_tests.java import JAVA_OPTIONS, require_java
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import differences, rows

pytestmark = pytest.mark.integration

# Relative: the engines sum floating-point numbers in a different order.
TOLERANCE = 1e-9
# Folder of the event log of the Spark server, beside the home.
EVENTS = "events"
# What a task sends to the driver is metrics, and names of written files. It does not grow with the rows.
MAX_RESULT_BYTES = 48_000


@pytest.fixture(scope="module")
def made_by_spark(made: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A copy of the shared lake in which Spark has made the tables of queries again.

    The Spark server is that of CHU_TEST_SPARK_REMOTE, or one started by the test.
    """
    remote = os.environ.get("CHU_TEST_SPARK_REMOTE")
    if not remote:
        require_java()
    folder = tmp_path_factory.mktemp("spark")
    (folder / EVENTS).mkdir()
    events = f"-Dspark.eventLog.enabled=true -Dspark.eventLog.compress=false -Dspark.eventLog.dir={folder / EVENTS}"
    settings = {"CHU_ENGINE": "spark", "CHU_SECRETS": str(made.secrets), "JDK_JAVA_OPTIONS": f"{JAVA_OPTIONS} {events}"}
    if remote:
        settings["CHU_SPARK_REMOTE"] = remote
    home = made.copy(folder / "home", settings=settings)
    for table in COMPARED:
        shutil.rmtree(home.lake.path(table))
    home.materialize("--select", " or ".join(f"key:{t.layer}/{t.name}" for t in COMPARED))
    return home


# Tables read from deliveries or computed in Python do not use an engine.
COMPARED = [table for table in catalogue() if isinstance(table.rows, Query)]


@pytest.mark.parametrize("table", COMPARED, ids=lambda t: f"{t.zone}/{t.layer}/{t.name}")
def test_the_engines_make_the_same_table(made: Home, made_by_spark: Home, table: Table) -> None:
    one, other = DeltaTable(made.lake.path(table)), DeltaTable(made_by_spark.lake.path(table))
    assert json.loads(one.schema().to_json()) == json.loads(other.schema().to_json())
    assert one.metadata().partition_columns == other.metadata().partition_columns
    assert differences(rows(made.lake, table), rows(made_by_spark.lake, table), TOLERANCE) == []


def test_no_task_of_spark_sends_rows_to_the_driver(made_by_spark: Home) -> None:
    """Spark's own metrics: each task of a query sends a few kilobytes only, however many rows the table has."""
    if os.environ.get("CHU_TEST_SPARK_REMOTE"):
        pytest.skip("the event log of a server that the test did not start is out of reach")
    logs = list((made_by_spark.folder.parent / EVENTS).glob("*/events_*"))
    events = [json.loads(line) for log in logs for line in log.read_text(encoding="utf-8").splitlines()]
    ended = [e for e in events if e["Event"] == "SparkListenerTaskEnd"]
    written = sum(e["Task Metrics"]["Output Metrics"]["Records Written"] for e in ended)
    assert written >= sum(made_by_spark.lake.arrow(t).num_rows for t in COMPARED)
    assert max(e["Task Metrics"]["Result Size"] for e in ended) < MAX_RESULT_BYTES
