"""The maintenance of a layer as one Dagster asset: what it shows, and tables that cannot be maintained."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from chu_platform.graph.assets import RUN_RESOURCES
from chu_platform.graph.maintenance_assets import maintenance_assets, maintenance_key
from chu_platform.graph.run_resources import RunResources
from chu_platform.settings import Settings
from chu_platform.storage.commit import commit_written
from chu_platform.storage.lake import Lake
from chu_platform.storage.table_state import measure
from chu_platform.tables.access_policy import AccessPolicy, Purpose
from chu_platform.tables.table import Layer, Layout, Table
from chu_platform_tests.storage.small_table import POLICY, put, rows_of, visits

pytestmark = pytest.mark.integration

ORDERED = replace(visits(), layout=Layout(z_order_by=["number"]), maintenance=replace(POLICY, small_files=2))
NAMES = ("first", "second", "third")
TABLES = [replace(ORDERED, name=name) for name in NAMES]


def append(lake: Lake, table: Table, code: str) -> None:
    rows = rows_of({"2017": [code]}).cast(table.schema)
    write_deltalake(lake.path(table), rows, mode="append")


def files(lake: Lake, table: Table) -> int:
    return len(DeltaTable(lake.path(table)).file_uris())


@pytest.fixture
def resources(tmp_path: Path) -> Iterator[RunResources]:
    """A lake with two of the three tables, each with three small files."""
    with RunResources(Settings(_env_file=None, home=tmp_path), lambda _: None) as resources:
        for table in TABLES[:2]:
            put(resources.lake, table, rows_of({"2017": ["a"]}))
            append(resources.lake, table, "m")
            append(resources.lake, table, "z")
        yield resources


def run(resources: RunResources, tables: Sequence[Table] = TABLES) -> dg.ExecuteInProcessResult:
    with dg.DagsterInstance.ephemeral() as instance:
        return dg.materialize(
            maintenance_assets(tables),
            resources={RUN_RESOURCES: resources},
            instance=instance,
            raise_on_error=False,
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )


@dataclass
class Shown:
    """What the page of the asset shows: totals, and the line of each table."""

    totals: Mapping[str, object]
    lines: Mapping[object, Mapping[str, object]]

    @classmethod
    def of(cls, done: dg.ExecuteInProcessResult) -> "Shown":
        (event,) = done.get_asset_materialization_events()
        assert event.asset_key == maintenance_key(Layer.SOURCES)
        metadata = event.materialization.metadata
        results = metadata["results"]
        assert isinstance(results, dg.TableMetadataValue)
        totals = {name: value.value for name, value in metadata.items() if name != "results"}
        return cls(totals, {record.data["table"]: record.data for record in results.records})


def test_files_and_bytes_read_before_and_after(resources: RunResources) -> None:
    actions = pa.table(DeltaTable(resources.lake.path(TABLES[0])).get_add_actions()).to_pylist()
    size = sum(f["size_bytes"] for f in actions)
    shown = Shown.of(run(resources))
    # Both tables have the same files; the third is not in the lake.
    assert (shown.totals["tables_examined"], shown.totals["tables_maintained"]) == (2, 2)
    assert (shown.totals["files_before"], shown.totals["files_after"]) == (6, 2)
    assert shown.totals["bytes_before"] == 2 * size
    # The numbers of the files do not overlap, so a filter on one number reads one of the three files.
    assert (shown.totals["files_read_before"], shown.totals["files_read_after"]) == (2, 2)
    assert shown.totals["bytes_read_before"] == round(2 * size / 3)
    assert shown.lines.keys() == {"sources/first", "sources/second"}
    first = shown.lines["sources/first"]
    assert str(first["did"]).startswith("optimize: 3 of 3 files are small")
    assert (first["files_before"], first["files_after"]) == (3, 1)


def test_files_with_overlapping_bounds_are_all_read(resources: RunResources) -> None:
    third = TABLES[2]
    put(resources.lake, third, rows_of({"2017": ["c", "z"]}))
    write_deltalake(resources.lake.path(third), rows_of({"2017": ["a", "m"]}).cast(third.schema), mode="append")
    append(resources.lake, third, "b")
    # a is in one file, c in the two wide ones, b in two: five in three probes.
    assert measure(resources.lake, third, POLICY).files_read == pytest.approx(5 / 3)


def test_what_is_kept_for_too_long_is_deleted_or_named(resources: RunResources) -> None:
    """The rows have days of January 2000: those of a delivery stay, and a warning asks for their removal."""
    expired = AccessPolicy(Purpose.DATA_QUALITY, "RGPD, art. 6(1)(e)", 240, "vingt ans", expired="day < '{limit}'")
    delivered = replace(TABLES[0], access=expired)
    closed = replace(TABLES[2], layer=Layer.REJECTS, layout=Layout(), partition_scheme=None, access=expired)
    with resources.lake.writing(closed) as write:
        pq.write_table(rows_of({"": ["a", "b"]}), write.rows / write.new_name("rows.parquet"))
        commit_written(resources.lake, closed, write, None, {"run": "test", "whole": True})
    before = resources.lake.version(delivered)
    done = run(resources, [delivered, closed])
    assert done.success
    assert resources.lake.arrow(closed).num_rows == 0
    assert resources.lake.arrow(delivered, version=before).num_rows == 3
    assert resources.lake.arrow(delivered).num_rows == 3
    (warning,) = (w for w in resources.warnings if "retention" in w)
    assert warning.startswith("sources/first: 3 rows are of before ")
    assert warning.endswith("ask the sender to leave them out of the delivery")


def test_a_table_that_cannot_be_maintained_is_named_after_the_others(resources: RunResources) -> None:
    first, second = TABLES[:2]
    log = resources.lake.path(first) / "_delta_log"
    newest = max(log.glob("*.json"))
    newest.write_text("{", encoding="utf-8")
    done = run(resources)
    assert not done.success
    (failure,) = (e for e in done.all_events if e.is_step_failure)
    data = failure.step_failure_data
    assert data.error and first.folder in data.error.message and second.folder not in data.error.message
    assert files(resources.lake, second) == 1
