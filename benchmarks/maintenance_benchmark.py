"""Benchmark of maintenance with the engine of CHU_ENGINE: a table of 400 000 rows with 200 small commits.

Half of the commits append rows to all months, as another tool would. The other half replace the partition of one month.
Run it with `python benchmarks/maintenance_benchmark.py`. It uses a temporary folder. The tests check
that the rows stay correct.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, write_deltalake

from chu_platform.engine.delta_operations import SparkSql
from chu_platform.engine.engine import Engine
from chu_platform.settings import load_settings
from chu_platform.storage.commit import commit_written
from chu_platform.storage.lake import Lake
from chu_platform.storage.maintenance import maintain
from chu_platform.storage.operations import DELTA_RS
from chu_platform.storage.table_state import TableState
from chu_platform.tables.columns import DATE, DOUBLE, STRING, Column
from chu_platform.tables.maintenance_policy import Policy
from chu_platform.tables.partitions import MONTHLY
from chu_platform.tables.rows import Computed
from chu_platform.tables.table import Layer, Layout, Table, Zone

ROWS = 400_000
COMMITS = 200
MONTHS = MONTHLY.keys[:24]
REPEATS = 5
STAYS = Table(
    name="stays",
    layer=Layer.FACTS,
    zone=Zone.PSEUDONYMISED,
    grain="one stay",
    label="Séjours",
    owner="team:benchmarks",
    columns=[
        Column("patient_key", STRING, "pseudonym of the patient", "Patient"),
        Column("month", STRING, "month of the start", "Mois"),
        Column("day", DATE, "day of the start", "Jour"),
        Column("ratio", DOUBLE, "a ratio", "Rapport"),
    ],
    rows=Computed(lambda: pa.table({})),
    layout=Layout(z_order_by=["patient_key"]),
    partition_scheme=MONTHLY,
)


def rows(count: int, months: list[str], seed: int) -> pa.Table:
    """`count` random stays of 50 000 patients in the given months."""
    draw = np.random.default_rng(seed)
    patients = [f"{n * 2654435761 % 2**32:08x}" * 4 for n in draw.integers(0, 50_000, count)]
    chosen = [months[i] for i in draw.integers(0, len(months), count)]
    columns = {
        "patient_key": patients,
        "month": chosen,
        "day": [date.fromisoformat(f"{m}-{d:02}") for m, d in zip(chosen, draw.integers(1, 29, count), strict=True)],
        "ratio": draw.random(count),
    }
    return pa.table(columns, schema=pa.schema([(c.name, c.type) for c in STAYS.columns]))


def replace_months(lake: Lake, first: str, last: str, added: pa.Table) -> None:
    """Commit the rows as the partitions from `first` to `last`."""
    with lake.writing(STAYS) as write:
        pq.write_to_dataset(added, write.rows, partition_cols=["month"], compression="zstd")
        commit_written(lake, STAYS, write, MONTHLY.between(first, last), {"run": "benchmark"})


def make_small_commits(lake: Lake) -> None:
    """Make the table with many small commits."""
    replace_months(lake, MONTHS[0], MONTHS[-1], rows(ROWS // 2, list(MONTHS), 0))
    for i in range(COMMITS // 2):
        added = rows(ROWS // COMMITS, list(MONTHS), i + 1).cast(STAYS.schema)
        write_deltalake(lake.path(STAYS), added, mode="append")
        later = MONTHLY.keys[len(MONTHS) + i % 12]
        replace_months(lake, later, later, rows(ROWS // COMMITS, [later], i + 1_000))


def milliseconds(read: Callable[[], object]) -> float:
    """Median duration of REPEATS reads, in milliseconds."""
    taken = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        read()
        taken.append((time.perf_counter() - begun) * 1000)
    return statistics.median(taken)


def timings(lake: Lake) -> dict[str, float]:
    """Duration in milliseconds: open the table, read all rows, read the rows of one patient."""
    files = lake.relation(STAYS)
    patient = rows(1, list(MONTHS), 1)["patient_key"][0].as_py()
    everything = f"SELECT count(*), sum(ratio), max(patient_key), max(day) FROM {files}"
    return {
        "open (delta-rs), ms": milliseconds(lambda: DeltaTable(lake.path(STAYS)).file_uris()),
        "full scan (DuckDB), ms": milliseconds(lambda: duckdb.execute(everything).fetchall()),
        "one patient (DuckDB), ms": milliseconds(
            lambda: duckdb.execute(f"SELECT * FROM {files} WHERE patient_key = '{patient}'").fetchall()
        ),
    }


def column_of(state: TableState, times: dict[str, float]) -> dict[str, float]:
    """One column of the printed table: values by label."""
    return {
        "version": state.version,
        "files": state.files,
        "bytes": state.size,
        "small files": state.small_files,
        "commits since checkpoint": state.commits,
        **times,
    }


def main() -> None:
    """Make the table, measure it before and after maintenance, print the results."""
    settings = load_settings()
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(Path(folder) / "lake")
        lake.prepare()
        make_small_commits(lake)
        times = timings(lake)
        engine = Engine(settings) if settings.engine == "spark" else None
        report = maintain(lake, STAYS, Policy(), "benchmark", SparkSql(engine) if engine else DELTA_RS)
        if engine:
            engine.close()
        before, after = column_of(report.before, times), column_of(report.after, timings(lake))
        print(f"{settings.engine}: {', '.join(d.action.operation for d in report.done)} in {report.seconds:.1f} s")
        print(f"{'':26}{'before':>14}{'after':>14}")
        for name, value in before.items():
            print(f"{name:26}{value:14,.0f}{after[name]:14,.0f}")
        old = DeltaTable(lake.path(STAYS), version=report.before.version)
        print(f"version {report.before.version} still reads: {old.to_pyarrow_table().num_rows:,} rows")


if __name__ == "__main__":
    main()
