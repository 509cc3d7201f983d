"""Which unknowns stand for others: those that can be exchanged."""

import pytest

from chu_platform.attack.knowledge import Knowledge
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
