"""A lake with an edition, and corrections that the next edition shows."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from chu_platform.editions.readable import readable_version, released_relation
from chu_platform.engine.engine import Engine
from chu_platform.graph.release import edition_tables
from chu_platform.graph.run_resources import RunResources
from chu_platform.graph.up_to_date import FOLDER
from chu_platform.kpis.kpi_hospitalisation_rate import kpi_hospitalisation_rate
from chu_platform.masks.stay_mask import stay_mask
from chu_platform.settings import Settings
from chu_platform.storage.commit import commit_written
from chu_platform.storage.lake import Lake
from chu_platform.tables.table import Table
from chu_platform_tests import small_duckdb
from chu_platform_tests.pipeline.home import Home

PUBLISHED = [t for t in edition_tables() if t.edition]
STAYS = kpi_hospitalisation_rate
RUN = "run"


def settings_of(home: Home) -> Settings:
    return Settings(_env_file=None, home=home.folder, sources=home.pack)


@contextmanager
def resources_of(home: Home, engine: Engine) -> Iterator[RunResources]:
    with RunResources(settings_of(home), lambda _: None) as resources:
        resources.__dict__["engine"] = engine
        try:
            yield resources
        finally:
            del resources.__dict__["engine"]


def correct(lake: Lake, stays: int) -> None:
    """Add stays to the year 2016 of the candidate of indicator 3, as a corrected delivery does to several tables."""
    table = STAYS.candidate
    changed = "period_grain = 'year' AND period_start = DATE '2016-01-01'"
    with small_duckdb.connect() as connection:
        connection.register("rows", lake.arrow(table))
        rows = connection.sql(
            f"SELECT * REPLACE (events + if({changed}, {stays}, 0) AS events, "
            f"patients + if({changed}, {stays}, 0) AS patients) FROM rows"
        ).to_arrow_table()
    with lake.writing(table) as write:
        rows = rows.cast(pa.schema([pa.field(c.name, c.type) for c in table.columns]))
        name = write.new_name("{i}.parquet")
        pq.write_to_dataset(rows, write.rows, partition_cols=list(table.partition_by), basename_template=name)
        commit_written(lake, table, write, None, {"run": RUN, "asset": table.name, "read": {}})
    # The mask stays as it was. Without the record of its step, it is not compared with what it was made from.
    mask = stay_mask.table
    (lake.root / mask.zone / FOLDER / f"{mask.layer}.{mask.name}.json").unlink(missing_ok=True)


def seen(lake: Lake) -> Mapping[str, list[Any]]:
    """All rows that readers see, by table."""
    with small_duckdb.connect() as connection:
        return {
            t.name: connection.sql(f"SELECT * FROM {released_relation(lake, t)} ORDER BY ALL").fetchall()
            for t in PUBLISHED
        }


def stays_of_2016(lake: Lake) -> tuple[float, bool]:
    rows = lake.arrow(STAYS.masked, version=readable_version(lake, STAYS.masked)).to_pylist()
    (found,) = (r for r in rows if r["period_grain"] == "year" and r["period_start"].year == 2016)
    return found["events"], found["revision_pending"]


def readable_versions(lake: Lake, table: Table) -> list[int]:
    """The versions of a published table that a Delta reader can still read."""
    found = []
    for version in range(lake.version(table) + 1):
        try:
            files = DeltaTable(lake.path(table), version=version).file_uris()
        except Exception:  # delta-rs raises several kinds
            continue
        if all(Path(f).is_file() for f in files):
            found.append(version)
    return found
