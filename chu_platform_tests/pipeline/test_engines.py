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


@pytest.fixture(scope="module")
def made_by_spark(made: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A copy of the shared lake in which Spark has made the tables of queries again.

    The Spark server is that of CHU_TEST_SPARK_REMOTE, or one started by the test.
    """
    remote = os.environ.get("CHU_TEST_SPARK_REMOTE")
    if not remote:
        require_java()
    settings = {"CHU_ENGINE": "spark", "CHU_SECRETS": str(made.secrets), "JDK_JAVA_OPTIONS": JAVA_OPTIONS}
    if remote:
        settings["CHU_SPARK_REMOTE"] = remote
    home = made.copy(tmp_path_factory.mktemp("spark") / "home", settings=settings)
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
