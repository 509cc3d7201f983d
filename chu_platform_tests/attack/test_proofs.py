"""Attack 7 finds the figures that two linear programs of their own find, and proves all others by solutions."""

from datetime import date
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import linprog

from chu_platform.attack import proofs
from chu_platform.attack.intervals import Intervals
from chu_platform.attack.knowledge import Knowledge
from chu_platform.attack.programs import Contradiction, Program, Unsolved
from chu_platform.attack.proofs import Goal, Proofs, Verdict
from chu_platform.attack.system import System
from chu_platform_tests.attack.zone import DIAGNOSES, place, table, year, zone

pytestmark = pytest.mark.unit

PERIODS: list[dict[str, Any]] = [*(year(n) for n in (2019, 2020, 2021, 2022)), {"period_end": date(2023, 1, 1)}]
CATEGORIES = {"I": ("A00", "A01", "A02", "A03"), "II": ("C00", "C01", "C02")}
GOAL = Goal(10.0, 11.0)
Floats = NDArray[np.float64]


def categories_by_year(seed: int) -> tuple[Knowledge, Floats]:
    """Random consultations of two chapters in four years, most figures masked; and the true values of the unknowns."""
    random = np.random.default_rng(seed)
    most = int(random.integers(3, 25))
    shown, exact = [], {}
    made = {(c, n): int(random.integers(1, most)) for codes in CATEGORIES.values() for c in codes for n in range(4)}
    for number, period in enumerate(PERIODS):
        years = range(4) if number == 4 else (number,)
        for chapter, codes in CATEGORIES.items():
            for level, code, inside in (("chapter", chapter, codes), *(("category", c, (c,)) for c in codes)):
                events = sum(made[c, n] for c in inside for n in years)
                # Nobody comes twice.
                figures = {"events": events, "patients": events}
                row = place(level, code, **period)
                exact[level, code, number] = figures
                masked = random.random() < (0.3 if level == "chapter" else 0.8)
                shown.append(row if masked else {**row, **figures})
    knowledge = Knowledge(zone((DIAGNOSES, table(DIAGNOSES, *shown))))
    starts = [period.get("period_start") for period in PERIODS]
    true = {}
    for cell, measure in knowledge.system.unknown:
        level, code = cell[3]
        key = (level, code, starts.index(cell[2]))
        if key in exact:
            true[cell, measure] = float(exact[key][measure])
    return knowledge, knowledge.system.values(true)


def extremes(system: System, intervals: Intervals) -> tuple[Floats, Floats]:
    """The smallest and the largest value of each unknown by SciPy, each by itself, from all rows as they were built."""
    matrix, (low, high) = system.matrix.toarray(), system.row_bounds
    upper, lower = np.isfinite(high), np.isfinite(low)
    found = np.zeros((2, len(intervals.low)))
    for column in range(len(intervals.low)):
        for side, sign in enumerate((1.0, -1.0)):
            result = linprog(
                sign * np.eye(1, len(intervals.low), column)[0],
                A_ub=np.vstack([matrix[upper], -matrix[lower]]),
                b_ub=np.concatenate([high[upper], -low[lower]]) + 1e-7,
                bounds=np.column_stack([intervals.low, np.minimum(intervals.high, 1e4)]),
            )
            assert result.status == 0, result.message
            found[side, column] = result.x[column]
    return found[0], found[1]


def judged(system: System, start: Floats | None, seconds: float = 60.0) -> tuple[Intervals, Verdict]:
    """The intervals of a system, and the verdict about all its unknowns that are not known."""
    intervals = Intervals(system)
    intervals.settle()
    columns = np.flatnonzero(~intervals.is_fixed)
    return intervals, Proofs(intervals, system, start, GOAL, most_seconds=seconds).judge(columns)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("from_truth", [True, False])
def test_the_verdict_is_that_of_two_programs_for_each_figure(
    seed: int, from_truth: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # All ways to find solutions are used, as in large systems.
    monkeypatch.setattr(proofs, "_SMALL_FAMILY", 0)
    monkeypatch.setattr(proofs, "_SMALL_COMPONENT", 0)
    knowledge, truth = categories_by_year(seed)
    system = knowledge.system
    intervals, verdict = judged(system, truth if from_truth else None)
    low, high = extremes(system, intervals)
    columns = np.flatnonzero(~intervals.is_fixed)
    is_narrow = (high < GOAL.ceiling - 1e-3) | (high - low < GOAL.need - 1e-3)
    assert set(verdict.narrow) == set(columns[is_narrow[columns]])
    assert not len(verdict.undecided)
    # What a proof says to be possible is possible.
    seen = columns[np.isfinite(intervals.seen_low[columns])]
    assert (intervals.seen_low[seen] >= low[seen] - 1e-3).all()
    assert (intervals.seen_high[seen] <= high[seen] + 1e-3).all()


def test_some_of_these_systems_have_figures_of_both_kinds() -> None:
    kinds = set()
    for seed in range(10):
        knowledge, truth = categories_by_year(seed)
        intervals, verdict = judged(knowledge.system, truth)
        kinds |= {len(verdict.narrow) > 0, len(verdict.narrow) == (~intervals.is_fixed).sum()}
    assert kinds == {True, False}


def test_what_there_is_no_time_for_is_undecided_and_not_safe(monkeypatch: pytest.MonkeyPatch) -> None:
    # Families do not move, so that nearly all figures wait for programs of their own.
    monkeypatch.setattr(Proofs, "_move_families", lambda _: None)
    undecided = 0
    for seed in range(10):
        knowledge, truth = categories_by_year(seed)
        right, hasty = judged(knowledge.system, truth)[1], judged(knowledge.system, truth, seconds=-1.0)[1]
        assert set(right.narrow) <= {*hasty.narrow, *hasty.undecided}
        assert not len(right.undecided)
        undecided += len(hasty.undecided)
    assert undecided > 0


@pytest.mark.parametrize("trouble", [Unsolved, Contradiction])
def test_what_the_solver_fails_at_is_undecided(trouble: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    knowledge, truth = categories_by_year(0)
    intervals = Intervals(knowledge.system)
    columns = np.flatnonzero(~intervals.is_fixed)

    def fail(*_: object, **__: object) -> Floats:
        raise trouble

    monkeypatch.setattr(Program, "largest", fail)
    verdict = Proofs(intervals, knowledge.system, truth, GOAL).judge(columns)
    by_bounds = intervals.high - intervals.low < GOAL.need
    assert set(verdict.narrow) == set(columns[by_bounds[columns]])
    assert {*verdict.narrow, *verdict.undecided} == set(columns)


def test_a_solution_that_the_solver_gets_wrong_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    knowledge, truth = categories_by_year(0)
    intervals = Intervals(knowledge.system)
    columns = np.flatnonzero(~intervals.is_fixed)
    monkeypatch.setattr(Program, "largest", lambda _, weight, **__: np.full(len(weight), 1e6))
    verdict = Proofs(intervals, knowledge.system, truth, GOAL).judge(columns)
    assert {*verdict.narrow, *verdict.undecided} == set(columns)
