"""Expected tables of the indicators for a pack.

They have no confidence intervals and no labels. Codes are as delivered: `professional_key` is the identifier of the
professional, not a pseudonym.
"""

import tempfile
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from chu_platform.oracle import (
    attendance_indicator,
    care_indicators,
    cycle_indicator,
    death_indicator,
    follow_up_indicator,
    month_indicator,
    mortality_indicator,
    pack_tables,
    prescription_indicator,
    satisfaction_indicator,
    use_indicator,
)

MEMORY = "3GB"


def expected(pack: Path) -> dict[str, pa.Table]:
    """The tables by name, with the column names of the definitions, sorted by key.

    `kpi_consultation_rate_by_establishment` has the codes `total` and `unattached` at the levels of these names. Raises
    ChuError when the dump of the pack cannot be restored.
    """
    with tempfile.TemporaryDirectory(prefix="chu-oracle-") as spill, duckdb.connect() as connection:
        connection.execute(f"SET memory_limit = '{MEMORY}'; SET temp_directory = '{spill}'")
        pack_tables.load(connection, pack)
        results = care_indicators.compute(connection)
        results["kpi_follow_up"] = follow_up_indicator.compute(connection)
        results["kpi_use_concentration"] = use_indicator.compute(connection)
        results["kpi_prescription"] = prescription_indicator.compute(connection)
        results["kpi_cycle"] = cycle_indicator.compute(connection)
        results["kpi_attendance"] = attendance_indicator.compute(connection)
        death_indicator.create_deaths(connection)
        people = mortality_indicator.middle_of_years(pack)
        mortality = mortality_indicator.compute(connection, people)
        comparable = {row["year"] for row in mortality.to_pylist() if row["is_comparable"]}
        results["kpi_mortality"] = mortality
        results["kpi_deaths_by_month"] = month_indicator.compute(connection, people, comparable)
        results["kpi_deaths_by_region"] = death_indicator.compute(connection, people, comparable)
    results["kpi_satisfaction_by_region"] = satisfaction_indicator.compute(pack / "Satisfaction")
    results["kpi_satisfaction_detail"] = satisfaction_indicator.compute_detail(pack / "Satisfaction")
    return results


def write_expected(pack: Path, out: Path) -> None:
    """Write the expected tables as `<table>.parquet` under `out`, which is created."""
    results = expected(pack)
    out.mkdir(parents=True, exist_ok=True)
    for name, table in results.items():
        pq.write_table(table, out / f"{name}.parquet", compression="zstd")
