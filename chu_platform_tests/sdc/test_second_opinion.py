"""The masks judged by tau-Argus (pytauargus): its audit computes the interval of each masked cell, its optimal
suppression (Fischetti and Salazar) the lightest mask. It shares no code with this project.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pytauargus import HiTaSCtrl
from pytauargus._tauargus import audit_jj

from chu_platform.sdc import Relations, bounds
from chu_platform.sdc.intervals import Intervals
from chu_platform_tests.sdc.synthetic_tables import grid, one_measure
from chu_platform_tests.sdc.test_intervals import CHAPTERS_BY_YEAR

pytestmark = pytest.mark.unit

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def _linked(seed: int) -> tuple[Floats, Relations]:
    """Two tables with the same total: groups with three parts each, and a table of two variables."""
    random = np.random.default_rng(seed)
    inner = random.integers(1, 50, (3, 3)).astype(np.float64)
    values, relations = grid(inner)
    total = len(values) - 1
    cut = float(random.integers(values[total] // 3, 2 * values[total] // 3))
    groups = [cut, values[total] - cut]
    parts = [part for group in groups for part in (3.0, 12.0, group - 15.0)]
    first = len(values)
    more = Relations.of(
        (total, [first, first + 1]),
        (first, [first + 2, first + 3, first + 4]),
        (first + 1, [first + 5, first + 6, first + 7]),
    )
    return np.array([*values, *groups, *parts]), Relations.concat([relations, more])


def _jj(path: Path, values: Floats, unsafe: Bools, masked: Bools, relations: Relations) -> Path:
    """A file in the format of tau-Argus for linked tables: any cells, and any sums between them.

    A reader knows that a masked cell is at least 1. An unsafe one must be possibly 11, and have an interval of 10.
    """
    n, most = len(values), 10 * values.max()
    status = np.where(unsafe, "u", np.where(masked, "m", "s"))
    lines = ["0", str(n)]
    for cell in range(n):
        up, width = (max(11 - values[cell], 0), 10) if unsafe[cell] else (0, 0)
        lines.append(f"{cell} {values[cell]:g} {values[cell]:g} {status[cell]} 1 {most:g} 0 {up:g} {width}")
    lines.append(str(len(relations)))
    for r, parent in enumerate(relations.parents.tolist()):
        children = relations.children[relations.starts[r] : relations.starts[r + 1]].tolist()
        terms = [f"{parent} (-1)", *(f"{child} (1)" for child in children)]
        lines.append(f"0 {len(terms)} : {' '.join(terms)}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _audited(
    path: Path, values: Floats, unsafe: Bools, masked: Bools, relations: Relations
) -> dict[int, Sequence[float]]:
    rows = audit_jj(str(_jj(path, values, unsafe, masked, relations)))
    return {row["cell"]: (row["min"], row["max"]) for row in rows}


@pytest.fixture(autouse=True)
def _logs_in_a_folder_of_the_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tau-Argus writes its logs into the current folder."""
    monkeypatch.chdir(tmp_path)


TABLES = [grid(CHAPTERS_BY_YEAR), *(_linked(seed) for seed in range(6))]


@pytest.mark.parametrize("table", range(len(TABLES)))
def test_the_audit_finds_wide_intervals_in_our_masks(table: int, tmp_path: Path) -> None:
    values, relations = TABLES[table]
    unsafe = values <= 10
    mask = one_measure(values, relations).mask()
    found = _audited(tmp_path / "table.jj", values, unsafe, mask, relations)
    assert set(found) == set(np.flatnonzero(mask).tolist())
    for cell in np.flatnonzero(unsafe).tolist():
        low, high = found[cell]
        assert high >= 11 - 1e-6
        assert high - low >= 10 - 1e-6


@pytest.mark.parametrize("table", range(len(TABLES)))
def test_the_audit_finds_the_same_bounds(table: int, tmp_path: Path) -> None:
    """With the unsafe cells alone, which is too little, and with our mask."""
    values, relations = TABLES[table]
    unsafe = values <= 10
    for masked in (unsafe, one_measure(values, relations).mask()):
        found = _audited(tmp_path / "table.jj", values, unsafe, masked, relations)
        for cell, interval in found.items():
            assert np.allclose(bounds(relations, values, masked, cell), interval, atol=1e-4)


def _optimal(path: Path, values: Floats, unsafe: Bools, relations: Relations) -> Bools:
    chosen = path.with_suffix(".chosen")
    given = _jj(path, values, unsafe, unsafe, relations)
    assert HiTaSCtrl().full_jj(in_file_jj=str(given), out_file=str(chosen), max_time=60) == 0
    mask = unsafe.copy()
    mask[[int(line) for line in chosen.read_text(encoding="utf-8").split()]] = True
    return mask


def test_the_optimal_masks_are_wide_and_hardly_lighter(tmp_path: Path) -> None:
    optimal, ours = [], []
    for number, (values, relations) in enumerate(TABLES):
        unsafe = values <= 10
        mask = _optimal(tmp_path / f"{number}.jj", values, unsafe, relations)
        assert not len(Intervals(relations, values, np.ones(len(values))).narrow(mask, unsafe))
        optimal.append(values[mask].sum())
        ours.append(values[one_measure(values, relations).mask()].sum())
    assert all(best <= own for best, own in zip(optimal, ours, strict=True))
    assert sum(best == own for best, own in zip(optimal, ours, strict=True)) >= len(TABLES) - 1
    assert sum(ours) <= 1.1 * sum(optimal)
