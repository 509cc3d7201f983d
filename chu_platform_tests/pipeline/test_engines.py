"""Both engines make the same tables from the same pack, row by row, and maintain tables in the same way.

Here: the path from deliveries to a masked indicator. All tables: the part `cluster` of the system tests.
"""

import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from deltalake import DeltaTable

from chu_platform.catalogue import catalogue
from chu_platform.graph.run_resources import RunResources
from chu_platform.kpis.kpi_satisfaction_by_region import kpi_satisfaction_by_region
from chu_platform.storage.lake import Lake
from chu_platform.tables.rows import Query
from chu_platform.tables.table import Table
from chu_platform_tests.java import JAVA_OPTIONS, require_java
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import differences, needed_by, rows
from chu_platform_tests.pipeline.steps import make_again, resources_of
from chu_platform_tests.storage.test_maintenance import keep_rows_of_rewritten_files

pytestmark = pytest.mark.integration

# Relative: the engines sum floating-point numbers in a different order.
TOLERANCE = 1e-9
# Folder of the event log of the Spark server, beside the home.
EVENTS = "events"
# What a task sends to the driver is metrics, and names of written files. It does not grow with the rows.
MAX_RESULT_BYTES = 64_000
REMOTE = os.environ.get("CHU_TEST_SPARK_REMOTE")


def made_by_an_engine(table: Table) -> bool:
    """Not from deliveries, nor in Python; nor a published table of an edition, which is a copy."""
    return isinstance(table.rows, Query) and table.edition is None


# A table takes Spark some seconds. The system tier, whose server is remote, compares all of them.
PATH = needed_by(kpi_satisfaction_by_region.masked)
COMPARED = [table for table in catalogue() if made_by_an_engine(table) and (REMOTE or table in PATH)]


@dataclass(frozen=True)
class OnSpark:
    """The open resources of a home in which Spark has made tables, and when it had (seconds since 1970)."""

    resources: RunResources
    made_at: float

    @property
    def lake(self) -> Lake:
        return self.resources.lake


@pytest.fixture(scope="module")
def on_spark(made: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnSpark]:
    """A copy of the shared lake in which Spark has made the tables again.

    The Spark server is that of CHU_TEST_SPARK_REMOTE, or one started by the test.
    """
    if not REMOTE:
        require_java()
    folder = tmp_path_factory.mktemp("spark")
    (folder / EVENTS).mkdir()
    events = f"-Dspark.eventLog.enabled=true -Dspark.eventLog.compress=false -Dspark.eventLog.dir={folder / EVENTS}"
    settings = {"CHU_ENGINE": "spark", "CHU_SECRETS": str(made.secrets)}
    if REMOTE:
        settings["CHU_SPARK_REMOTE"] = REMOTE
    home = made.copy(folder / "home", settings=settings)
    for table in COMPARED:
        shutil.rmtree(home.lake.path(table))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JDK_JAVA_OPTIONS", f"{JAVA_OPTIONS} {events}")
        with resources_of(home) as resources:
            make_again(resources, COMPARED)
            yield OnSpark(resources, time.time())


def test_the_path_leads_from_deliveries_to_a_masked_indicator() -> None:
    layers = [table.layer.value for table in COMPARED]
    assert layers[-1] == "published" and {"dimensions", "facts", "kpis"} <= {*layers}
    assert "sources" in {table.layer.value for table in PATH}


@pytest.mark.parametrize("table", COMPARED, ids=lambda t: f"{t.zone}/{t.layer}/{t.name}")
def test_the_engines_make_the_same_table(made: Home, on_spark: OnSpark, table: Table) -> None:
    one, other = DeltaTable(made.lake.path(table)), DeltaTable(on_spark.lake.path(table))
    assert json.loads(one.schema().to_json()) == json.loads(other.schema().to_json())
    assert one.metadata().partition_columns == other.metadata().partition_columns
    assert differences(rows(made.lake, table), rows(on_spark.lake, table), TOLERANCE) == []


def test_spark_maintains_a_table(on_spark: OnSpark, tmp_path: Path) -> None:
    """All of maintenance on Spark: `test_maintenance_on_spark`."""
    if REMOTE:
        pytest.skip("the folders of a test are not those of a server that the test did not start")
    keep_rows_of_rewritten_files(Lake(tmp_path / "lake"), on_spark.resources.operations)


def test_no_task_of_spark_sends_rows_to_the_driver(on_spark: OnSpark) -> None:
    """Spark's own metrics: each task of a query sends a few kilobytes only, however many rows the table has."""
    if REMOTE:
        pytest.skip("the event log of a server that the test did not start is out of reach")
    # A server that has ended has written its log to the end.
    on_spark.resources.renew()
    logs = list((on_spark.resources.settings.home.parent / EVENTS).glob("*/events_*"))
    events = [json.loads(line) for log in logs for line in log.read_text(encoding="utf-8").splitlines()]
    tasks = [e for e in events if e["Event"] == "SparkListenerTaskEnd"]
    ended = [e for e in tasks if e["Task Info"]["Finish Time"] <= 1000 * on_spark.made_at]
    written = sum(e["Task Metrics"]["Output Metrics"]["Records Written"] for e in ended)
    assert written >= sum(on_spark.lake.arrow(t).num_rows for t in COMPARED)
    assert max(e["Task Metrics"]["Result Size"] for e in ended) < MAX_RESULT_BYTES
