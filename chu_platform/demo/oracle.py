"""What the eight indicators must give on a pack, reckoned a second time to check the platform against.

An independent reading of the definitions: it goes straight from the delivered files to the tables, with
DuckDB, and uses nothing of the platform but the embedded PostgreSQL. Confidence intervals and labels are left
out; codes are the delivered ones, so `professional_key` is the identifier of the professional, not a
pseudonym.
"""

import tempfile
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from chu_platform.demo import oracle_care, oracle_deaths, oracle_inputs, oracle_satisfaction

MEMORY = "3GB"


def expected(pack: Path) -> dict[str, pa.Table]:
    """The eight tables by name, with the column names of the definitions, rows in order of their keys.

    `kpi_consultation_rate_by_establishment` has the code `total` or `unattached` at these two levels. Raises
    ChuError when the dump of the pack cannot be restored.
    """
    with tempfile.TemporaryDirectory(prefix="chu-oracle-") as spill, duckdb.connect() as connection:
        connection.execute(f"SET memory_limit = '{MEMORY}'; SET temp_directory = '{spill}'")
        oracle_inputs.load(connection, pack)
        results = oracle_care.compute(connection)
        results["kpi_deaths_by_region"] = oracle_deaths.compute(connection)
    results["kpi_satisfaction_by_region"] = oracle_satisfaction.compute(pack / "Satisfaction")
    return results


def write_expected(pack: Path, out: Path) -> None:
    """Write the expected tables as `<table>.parquet` under `out`, which is created."""
    results = expected(pack)
    out.mkdir(parents=True, exist_ok=True)
    for name, table in results.items():
        pq.write_table(table, out / f"{name}.parquet", compression="zstd")
