"""Two writers that share nothing but an object store lose no update."""

import multiprocessing
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chu_platform.settings import Settings
from chu_platform.storage.commit import commit_written
from chu_platform.storage.lake import Lake
from chu_platform.storage.store import lake_root
from chu_platform.tables.table import Table
from chu_platform_tests.storage.s3_server import BUCKET, s3_server
from chu_platform_tests.storage.small_table import rows_of, visits

pytestmark = pytest.mark.system
pytest.importorskip("moto", reason="moto is not installed")

WRITERS = ("a", "b")
COMMITS_OF_EACH = 25


def whole() -> Table:
    """A table without partitions."""
    return replace(visits(), partition_scheme=None)


def add_codes(settings: Settings, name: str) -> None:
    """Add codes to the table, one in each commit: read the rows, write them with one more."""
    lake, table = Lake(lake_root(settings)), whole()
    for number in range(COMMITS_OF_EACH):
        with lake.writing(table) as write:
            added = rows_of({"2017": [f"{name}{number}"]}).cast(table.schema)
            rows = pa.concat_tables([lake.current_rows(table).cast(table.schema), added])
            pq.write_table(rows, write.rows / write.new_name("rows.parquet"))
            commit_written(lake, table, write, None, {"run": name})


def test_two_writers_lose_no_update(tmp_path: Path) -> None:
    processes = multiprocessing.get_context("spawn")
    with s3_server() as server:
        settings = server.settings(tmp_path, f"s3://{BUCKET}/lake")
        lake = Lake(lake_root(settings))
        lake.prepare()
        # Each has a CHU_HOME of its own, as on two machines.
        writers = [
            processes.Process(target=add_codes, args=(settings.model_copy(update={"home": tmp_path / name}), name))
            for name in WRITERS
        ]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        assert [writer.exitcode for writer in writers] == [0, 0]
        added = sorted(lake.arrow(whole())["code"].to_pylist())
        assert added == sorted(f"{name}{number}" for name in WRITERS for number in range(COMMITS_OF_EACH))
        assert lake.version(whole()) == len(WRITERS) * COMMITS_OF_EACH - 1
