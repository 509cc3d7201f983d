"""Which unknowns stand for others: those that can be exchanged."""

import numpy as np
import pytest

from chu_platform.attack import Inputs
from chu_platform.attack.intervals import Intervals
from chu_platform.attack.knowledge import Knowledge
from chu_platform.attack.proofs import Goal, Proofs
from chu_platform.attack.system import build
from chu_platform.attack.twins import twin_classes
from chu_platform_tests.attack.zone import DIAGNOSES, PLACES, place, table, zone

pytestmark = pytest.mark.unit


def classes(knowledge: Knowledge) -> dict[tuple[str, str], int]:
    """The class of each unknown, by code and measure."""
    system = knowledge.system
    columns = (*system.column_bounds, system.step_array)
    found = twin_classes(system.matrix, system.row_bounds, columns, system.blocks, system.measures)
    return {(cell[3][1], measure): int(found[column]) for (cell, measure), column in system.unknown.items()}


def test_masked_leaves_of_one_category_are_twins() -> None:
    leaves = [place("leaf", code) for code in ("A000", "A001", "A010", "A011")]
    categories = [place("category", "A00", events=30, patients=20), place("category", "A01", events=30, patients=20)]
    found = classes(Knowledge(zone((DIAGNOSES, table(DIAGNOSES, *categories, *leaves)))))
    assert found["A000", "events"] == found["A001", "events"]
    assert found["A000", "patients"] == found["A001", "patients"]
    assert len({found["A000", m] for m in ("events", "patients")} | {found["A010", "events"]}) == 3


def test_a_leaf_with_visible_patients_is_no_twin() -> None:
    leaves = [place("leaf", "A000"), place("leaf", "A001"), place("leaf", "A002", patients=12)]
    rows = table(DIAGNOSES, place("category", "A00", events=90, patients=70), *leaves)
    found = classes(Knowledge(zone((DIAGNOSES, rows))))
    assert found["A000", "events"] == found["A001", "events"] != found["A002", "events"]


def test_establishments_are_twins_if_their_doctors_are_alike() -> None:
    """D has a doctor who also works in E: a consultation there may be half."""
    houses = [place("establishment", e) for e in "CDEFG"]
    rows = table(PLACES, place("department", "69", events=90, consultations=90), *houses)
    found = classes(Knowledge(zone((PLACES, rows), doctors={"c": "C", "d": "DE", "f": "F", "g": "G"})))
    assert found["C", "events"] == found["F", "events"] == found["G", "events"]
    assert found["D", "events"] == found["E", "events"] != found["C", "events"]


def houses_and_leaves(seed: int) -> Inputs:
    """Random consultations: visible departments and categories, most houses and leaves masked."""
    random = np.random.default_rng(seed)
    doctors = dict(zip("abcdefghij", ["A", "B", "C", "D", "E", "F", "G", "CD", "EF", "FG"], strict=True))
    leaves = ("A000", "A001", "A002", "A003", "A010", "A011", "A012")
    most = int(random.integers(2, 9))
    made = {who: int(random.integers(1, most)) for who in doctors}
    houses = {e: [(n / len(doctors[w]), n) for w, n in made.items() if e in doctors[w]] for e in "ABCDEFG"}
    departments = {"01": "AB", "69": "CDEFG"}
    of_leaf = {leaf: int(random.integers(1, most)) for leaf in leaves}
    rows = [
        place("department", d, events=sum(s for e in inside for s, _ in houses[e])) for d, inside in departments.items()
    ]
    for e, parts in houses.items():
        figures = {"events": sum(s for s, _ in parts), "consultations": sum(n for _, n in parts)}
        rows.append(place("establishment", e, **(figures if random.random() < 0.15 else {})))
    codes = [
        place("category", c, events=sum(n for leaf, n in of_leaf.items() if leaf[:3] == c)) for c in ("A00", "A01")
    ]
    codes += [place("leaf", leaf, **({"events": n} if random.random() < 0.15 else {})) for leaf, n in of_leaf.items()]
    return zone((PLACES, table(PLACES, *rows)), (DIAGNOSES, table(DIAGNOSES, *codes)), doctors=doctors, insiders=0)


@pytest.mark.parametrize("seed", range(12))
def test_cells_solved_together_have_the_intervals_that_each_has_alone(seed: int) -> None:
    knowledge = Knowledge(houses_and_leaves(seed))
    together = knowledge.system
    alone = build(knowledge.figures, knowledge.hierarchies, apart=frozenset(knowledge.figures.ends))
    assert len(together.low) < len(alone.low) == len(alone.unknown) == len(together.unknown)
    found = []
    for system in (together, alone):
        intervals = Intervals(system)
        intervals.settle()
        columns = np.unique(list(system.unknown.values()))
        verdict = Proofs(intervals, system, None, Goal(10.0, 11.0)).judge(columns)
        assert not len(verdict.undecided)
        fixed, narrow = intervals.is_fixed, np.isin(np.arange(len(intervals.low)), verdict.narrow)
        found.append(
            {f: (fixed[c], narrow[c], fixed[c] and round(intervals.low[c], 6)) for f, c in system.unknown.items()}
        )
    assert found[0] == found[1]
