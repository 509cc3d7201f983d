"""Both engines make the same tables of the same pack, row for row."""

import json
import os

import pytest
from deltalake import DeltaTable

from chu_platform.tables.table import Layer, Table
from chu_platform_tests.java import JAVA_OPTIONS, require_java
from chu_platform_tests.pipeline.contents import differences, every_table, rows
from chu_platform_tests.pipeline.home import Home

# Engines add up in another order.
TOLERANCE = 1e-9


@pytest.fixture(scope="module")
def made_by_spark(made: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The lake of the same pack and pseudonymisation key, on Spark: a server of its own, or CHU_TEST_SPARK_REMOTE."""
    remote = os.environ.get("CHU_TEST_SPARK_REMOTE")
    if not remote:
        require_java()
    settings = {"CHU_ENGINE": "spark", "CHU_SECRETS": str(made.secrets), "JDK_JAVA_OPTIONS": JAVA_OPTIONS}
    if remote:
        settings["CHU_SPARK_REMOTE"] = remote
    home = Home(tmp_path_factory.mktemp("spark") / "home", made.pack, settings)
    home.materialize()
    return home


# Reports tell of runs and moments, not of data.
COMPARED = [table for table in every_table() if table.layer is not Layer.REPORTS]


@pytest.mark.parametrize("table", COMPARED, ids=lambda t: f"{t.zone}/{t.layer}/{t.name}")
def test_the_engines_make_the_same_table(made: Home, made_by_spark: Home, table: Table) -> None:
    one, other = DeltaTable(made.lake.path(table)), DeltaTable(made_by_spark.lake.path(table))
    assert json.loads(one.schema().to_json()) == json.loads(other.schema().to_json())
    assert one.metadata().partition_columns == other.metadata().partition_columns
    assert differences(rows(made.lake, table), rows(made_by_spark.lake, table), TOLERANCE) == []
