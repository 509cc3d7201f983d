"""The mask of the periods of one place, for a reader of that place: small cells, and none that can be computed."""

import random
from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from chu_platform.indicators.small_cells import mask_small_cells
from chu_platform.kpis.kpi_consultation_rate_by_establishment import EXACT, kpi_consultation_rate_by_establishment
from chu_platform.kpis.kpi_deaths_by_region import kpi_deaths_by_region

pytestmark = pytest.mark.integration

Row = Mapping[str, Any]
BASE = 100_000
YEARS = (2017, 2018, 2019)


def row_of(grain: str, start: date, end: date, consultations: int, patients: int) -> Row:
    found: dict[str, Any] = dict.fromkeys((c.name for c in EXACT.columns), 1.0)
    return found | {
        "period_grain": grain,
        "period_start": start,
        "period_end": end,
        "is_partial": False,
        "level": "establishment",
        "code": "F010000024",
        "label": "Clinique",
        "events": consultations / 2,
        "consultations": consultations,
        "patients": patients,
        "base_patients": BASE,
        "patient_years": float(BASE),
    }


def periods(months: Mapping[tuple[int, int], int]) -> pa.Table:
    """The rows of all grains of a place with these consultations by year and month, two of each patient."""
    found = [row_of("all", date(YEARS[0], 1, 1), date(YEARS[-1] + 1, 1, 1), sum(months.values()), 90)]
    for grain, length in (("month", 1), ("quarter", 3), ("year", 12)):
        for year in YEARS:
            for first in range(1, 13, length):
                total = sum(n for (y, m), n in months.items() if y == year and first <= m < first + length)
                end = date(year + (first + length > 12), (first + length - 1) % 12 + 1, 1)
                if total:
                    found.append(row_of(grain, date(year, first, 1), end, total, max(total // 2, 1)))
    return pa.Table.from_pylist(found, EXACT.schema)


def determined(rows: list[Row]) -> set[tuple[str, date]]:
    """The masked cells that follow from the visible ones: those that the sums over time leave one value for."""
    coarser = {"month": "quarter", "quarter": "year", "year": "all"}
    masked = [(r["period_grain"], r["period_start"]) for r in rows if r["is_masked"]]
    equations = []
    for parent in rows:
        children = [
            (r["period_grain"], r["period_start"])
            for r in rows
            if coarser.get(r["period_grain"]) == parent["period_grain"]
            and parent["period_start"] <= r["period_start"] < parent["period_end"]
        ]
        if children:
            whole = (parent["period_grain"], parent["period_start"])
            equations.append([children.count(m) - (m == whole) for m in masked])
    matrix = np.array(equations, dtype=float).reshape(len(equations), len(masked))
    rank = np.linalg.matrix_rank(matrix)
    units = np.eye(len(masked))
    return {
        m for m, unit in zip(masked, units, strict=True) if np.linalg.matrix_rank(np.vstack([matrix, unit])) == rank
    }


@pytest.mark.parametrize("seed", range(4))
def test_small_cells_are_masked_and_do_not_follow_from_the_others(seed: int) -> None:
    draw = random.Random(seed)
    months = {(y, m): draw.choice([0, 24, 40, 60, 90]) for y in YEARS for m in range(1, 13)}
    for month in draw.sample(sorted(months), 3):
        months[month] = draw.randint(1, 10)
    rows = mask_small_cells(kpi_consultation_rate_by_establishment, periods(months)).to_pylist()
    small = {(y, m) for (y, m), n in months.items() if 0 < n <= 20}  # events are half of the consultations
    hidden = [r["period_start"] for r in rows if r["is_masked"] and r["period_grain"] == "month"]
    masked = {(start.year, start.month) for start in hidden}
    assert small <= masked and len(masked) < len(months) / 2
    assert determined(rows) == set()
    for row in rows:
        figures = [row[c] for c in ("events", "consultations", "patients", "base_patients", "rate_per_1000")]
        assert all(f is None for f in figures) if row["is_masked"] else all(f is not None for f in figures)
        assert row["label"] == "Clinique"


def test_nothing_is_masked_where_nothing_is_small() -> None:
    rows = periods({(y, m): 60 for y in YEARS for m in range(1, 13)})
    masked = mask_small_cells(kpi_consultation_rate_by_establishment, rows)
    assert masked.num_rows == rows.num_rows and not any(masked["is_masked"].to_pylist())


def test_an_indicator_of_public_figures_has_no_mask() -> None:
    with pytest.raises(ValueError, match="public figures"):
        mask_small_cells(kpi_deaths_by_region, pa.table({}))
