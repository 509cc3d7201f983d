"""The attackers find no narrow interval in what the masks leave visible: neither shares code with the other."""

from datetime import date
from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from chu_platform_tests.attack.zone import DIAGNOSES, attacked, place, table, year, zone
from chu_platform_tests.sdc.synthetic_tables import grid, one_measure
from chu_platform_tests.sdc.test_intervals import CHAPTERS_BY_YEAR

pytestmark = pytest.mark.unit

PERIODS: list[dict[str, Any]] = [*(year(n) for n in (2019, 2020, 2021)), {"period_end": date(2022, 1, 1)}]
CODES = [("category", "A00"), ("category", "A01"), ("category", "B00"), ("chapter", "I")]


def narrow(values: NDArray[np.float64], mask: NDArray[np.bool_]) -> int:
    """How many figures attack 7 finds when some rows by diagnosis and year are masked; arrays of shape (16,)."""
    rows = [place(*code, **period) for period, code in product(PERIODS, CODES)]
    exact = [{**row, "events": value} for row, value in zip(rows, values, strict=True)]
    shown = [row if hidden else true for row, true, hidden in zip(rows, exact, mask, strict=True)]
    inputs = zone((DIAGNOSES, table(DIAGNOSES, *shown)), exact={DIAGNOSES: table(DIAGNOSES, *exact)})
    return len(attacked(7, inputs))


@pytest.mark.parametrize("seed", range(5))
def test_events_by_diagnosis_and_year(seed: int) -> None:
    inner = np.random.default_rng(seed).integers(1, 60, (3, 3)).astype(np.float64) if seed else CHAPTERS_BY_YEAR
    values, relations = grid(inner)
    unsafe = values <= 10
    if unsafe.any():
        assert narrow(values, unsafe) > 0, "without secondary cells, the attacker must find some"
    assert narrow(values, one_measure(values, relations).mask()) == 0
