"""Maintenance by Spark does what maintenance by delta-rs does."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chu_platform.engine.delta_operations import SparkSql
from chu_platform.engine.engine import Engine
from chu_platform.storage.lake import Lake
from chu_platform_tests.spark_engine import spark_engine
from chu_platform_tests.storage.ageing import age
from chu_platform_tests.storage.small_table import put, rows_of, visits
from chu_platform_tests.storage.test_maintenance import (
    EIGHT_DAYS,
    delete_files_past_the_retention,
    keep_rows_of_rewritten_files,
    restore_by_a_new_commit,
)

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One Spark server for all tests."""
    with spark_engine(tmp_path_factory.mktemp("spark")) as engine:
        yield engine


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def test_rewritten_files_keep_rows_partitions_types_and_no_names_in_the_log(lake: Lake, spark: Engine) -> None:
    keep_rows_of_rewritten_files(lake, SparkSql(spark))


def test_vacuum_deletes_only_files_past_the_retention(lake: Lake, spark: Engine) -> None:
    delete_files_past_the_retention(lake, SparkSql(spark))


def test_a_restore_is_a_new_commit(lake: Lake, spark: Engine) -> None:
    restore_by_a_new_commit(lake, SparkSql(spark))


def test_spark_reads_a_version_that_was_made_long_ago(lake: Lake, spark: Engine) -> None:
    table = visits()
    put(lake, table, rows_of({"2017": ["first"]}))
    age(lake.path(table), EIGHT_DAYS)

    def codes_of_spark(version: int) -> list[str]:
        frame = spark.query("SELECT code FROM {v}", {"v": spark.read(lake.path(table), version)})
        found: list[str] = spark.arrow(frame)["code"].to_pylist()
        return found

    assert codes_of_spark(0) == ["first"], "the current version"
    put(lake, table, rows_of({"2017": ["second"]}))
    assert (codes_of_spark(0), codes_of_spark(1)) == (["first"], ["second"])
