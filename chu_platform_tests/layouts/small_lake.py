"""A lake with two tables of some rows: deaths and consultations."""

from datetime import date
from pathlib import Path

import pyarrow as pa
from deltalake import write_deltalake

from chu_platform.facts.fact_consultation import fact_consultation
from chu_platform.facts.fact_death import fact_death
from chu_platform.tables.table import Table

YEARS = (2018, 2019)


def small_lake(root: Path) -> None:
    """Write both tables: a death on the first of each month of two years and four more in March 2019, and as many
    consultations of two patients."""
    days = [date(year, month, 1) for year in YEARS for month in range(1, 13)]
    days += [date(2019, 3, 1), date(2019, 3, 1), date(2019, 3, 17), date(2019, 3, 17)]
    deaths = [
        {
            "death_year": str(day.year),
            "death_date": day,
            "death_month": day.month,
            "sex": "F",
            "birth_precision": "day",
            "age": 70 + n,
            "age_band": "70-74",
            "department_code": "75",
            "region_key": "11",
        }
        for n, day in enumerate(days)
    ]
    consultations = [
        {
            "consultation_key": f"{n % 16:x}{n:031x}",
            "month": f"{day:%Y-%m}",
            "date": day,
            "patient_key": f"{'7' if n % 2 else '9'}{0:031x}",
            "professional_key": f"{n % 3:032x}",
            "professional_version": f"{n % 3:032x}@1800-01-01",
            "diagnosis_key": "J20",
            "insurer_key": "1",
            "insurer_version": "1@1800-01-01",
            "age_band": "70-74",
        }
        for n, day in enumerate(days)
    ]
    _write(root, fact_death, deaths)
    _write(root, fact_consultation, consultations)


def _write(root: Path, table: Table, rows: list[dict[str, object]]) -> None:
    write_deltalake(
        str(root / table.folder), pa.Table.from_pylist(rows, table.schema), partition_by=list(table.partition_by)
    )
