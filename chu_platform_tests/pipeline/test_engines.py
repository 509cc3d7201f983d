"""Both engines make the same tables from the same pack, row by row."""

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace

import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable
from sqlglot import exp, parse_one

from chu_platform.catalogue import catalogue
from chu_platform.periods.fact_patient_base import fact_patient_base
from chu_platform.tables.rows import Query
from chu_platform.tables.table import Table
from chu_platform_tests.java import JAVA_OPTIONS, require_java
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import differences, rows
from chu_platform_tests.pipeline.steps import make_again, resources_of

pytestmark = pytest.mark.integration

# Relative: the engines sum floating-point numbers in a different order.
TOLERANCE = 1e-9
# Folder of the event log of the Spark server, beside the home.
EVENTS = "events"
# What a task sends to the driver is metrics, and names of written files. It does not grow with the rows.
MAX_RESULT_BYTES = 64_000
REMOTE = os.environ.get("CHU_TEST_SPARK_REMOTE")
# Parts of a query in which engines may differ.
PARTS = (
    exp.Binary,
    exp.Cast,
    exp.Distinct,
    exp.Func,
    exp.Group,
    exp.Having,
    exp.Join,
    exp.Lateral,
    exp.SetOperation,
    exp.Window,
)


def made_by_an_engine(table: Table) -> bool:
    """Not from deliveries, nor in Python; nor a published table of an edition, which is a copy."""
    return isinstance(table.rows, Query) and table.edition is None


def features(table: Table) -> set[str]:
    """What the query and the columns of a table use: functions, operators, joins, casts, types, partitions."""
    assert isinstance(table.rows, Query)
    query = parse_one(table.rows.sql.replace("{", "").replace("}", ""), dialect="spark")
    found = {f"type {column.type}" for column in table.columns} | {f"{len(table.partition_by)} levels of partitions"}
    for part in query.find_all(*PARTS):
        name = part.name.lower() if isinstance(part, exp.Anonymous) else type(part).__name__
        found.add(" ".join([name, *(str(part.args[key]) for key in ("side", "kind", "to") if part.args.get(key))]))
    return found


def covering(tables: Sequence[Table]) -> list[Table]:
    """Few of the tables, which together use every feature that one of them uses, in their order."""
    used = {table: features(table) for table in tables}
    left = set().union(*used.values())
    chosen: set[Table] = set()
    while left:
        best = max(tables, key=lambda table: len(used[table] & left))
        chosen.add(best)
        left -= used[best]
    return [table for table in tables if table in chosen]


EVERY = [table for table in catalogue() if made_by_an_engine(table)]
# A table takes Spark some seconds. The system tier, whose server is remote, compares all of them.
COMPARED = EVERY if REMOTE else covering(EVERY)
# Its rows of a period need no other period, and all periods take Spark as long as ten other tables. The server of the
# system tier makes the whole table.
BY_PERIOD = None if REMOTE or fact_patient_base not in COMPARED else fact_patient_base


@pytest.fixture(scope="module")
def made_by_spark(made: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A copy of the shared lake in which Spark has made the tables of queries again.

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
        if table is not BY_PERIOD:
            shutil.rmtree(home.lake.path(table))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JDK_JAVA_OPTIONS", f"{JAVA_OPTIONS} {events}")
        with resources_of(home) as resources:
            make_again(resources, [t for t in COMPARED if t is not BY_PERIOD])
            if BY_PERIOD:
                # Last, because other tables need all periods.
                shutil.rmtree(home.lake.path(BY_PERIOD))
                make_again(resources, [of_years(BY_PERIOD)])
    return home


def of_years(table: Table) -> Table:
    """The table with the rows of years alone."""
    assert isinstance(table.rows, Query)
    sql = table.rows.sql.replace("{period}", "(SELECT * FROM {period} WHERE period_grain = 'year')")
    assert sql != table.rows.sql
    return replace(table, rows=replace(table.rows, sql=sql))


@pytest.mark.parametrize("table", COMPARED, ids=lambda t: f"{t.zone}/{t.layer}/{t.name}")
def test_the_engines_make_the_same_table(made: Home, made_by_spark: Home, table: Table) -> None:
    one, other = DeltaTable(made.lake.path(table)), DeltaTable(made_by_spark.lake.path(table))
    assert json.loads(one.schema().to_json()) == json.loads(other.schema().to_json())
    assert one.metadata().partition_columns == other.metadata().partition_columns
    expected = rows(made.lake, table)
    if table is BY_PERIOD:
        expected = expected.filter(pc.field("period_grain") == "year")
        assert len(expected) > 500
    assert differences(expected, rows(made_by_spark.lake, table), TOLERANCE) == []


def test_the_compared_tables_use_every_feature_that_a_table_uses() -> None:
    compared = set().union(*map(features, COMPARED))
    assert compared == set().union(*map(features, EVERY))
    assert {"ArgMax", "Join LEFT ANTI", "TryCast BIGINT", "pmod", "type double", "2 levels of partitions"} <= compared


def test_no_task_of_spark_sends_rows_to_the_driver(made_by_spark: Home) -> None:
    """Spark's own metrics: each task of a query sends a few kilobytes only, however many rows the table has."""
    if REMOTE:
        pytest.skip("the event log of a server that the test did not start is out of reach")
    logs = list((made_by_spark.folder.parent / EVENTS).glob("*/events_*"))
    events = [json.loads(line) for log in logs for line in log.read_text(encoding="utf-8").splitlines()]
    ended = [e for e in events if e["Event"] == "SparkListenerTaskEnd"]
    written = sum(e["Task Metrics"]["Output Metrics"]["Records Written"] for e in ended)
    assert written >= sum(made_by_spark.lake.arrow(t).num_rows for t in COMPARED)
    assert max(e["Task Metrics"]["Result Size"] for e in ended) < MAX_RESULT_BYTES
