"""Bounds and categories of checks."""

import pytest

from chu_platform.catalogue import catalogue
from chu_platform.dimensions.dim_region import dim_region
from chu_platform.tables.checks import (
    Check,
    CheckCategory,
    CheckType,
    attached,
    between,
    last_event,
    not_null,
    one_of,
    rejected_share,
    rows_kept_or_rejected,
    steady_row_count,
    unique,
)
from chu_platform.tables.table import Layer

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("check", "category"),
    [
        (not_null("a"), CheckCategory.COMPLETENESS),
        (unique("a"), CheckCategory.CONFORMANCE),
        (one_of("a", ["b"]), CheckCategory.CONFORMANCE),
        (between("a", 0, 1), CheckCategory.PLAUSIBILITY),
        (last_event("a", 31), CheckCategory.PLAUSIBILITY),
        (steady_row_count(), CheckCategory.PLAUSIBILITY),
        (rows_kept_or_rejected(), CheckCategory.COMPLETENESS),
    ],
    ids=lambda value: value.name if isinstance(value, Check) else value,
)
def test_category(check: Check, category: CheckCategory) -> None:
    assert check.kind.category is category


def test_every_type_has_a_category_and_every_category_a_type() -> None:
    assert {kind.category for kind in CheckType} == set(CheckCategory)


@pytest.mark.parametrize(
    ("check", "allowed", "refused"),
    [
        (not_null("a"), [None, 0], [1, -1]),
        (rejected_share(0.5), [None, 0, 0.5], [0.51]),
        (steady_row_count(), [-0.1, 0, 1], [-0.11, 1.01]),
        (last_event("a", 31), [0, 31], [32]),
    ],
    ids=lambda value: value.name if isinstance(value, Check) else "",
)
def test_bounds_are_inclusive(check: Check, allowed: list[float | None], refused: list[float]) -> None:
    assert all(check.allows(value) for value in allowed)
    assert not any(check.allows(value) for value in refused)


def test_the_minimum_of_every_check_is_at_most_its_maximum() -> None:
    checks = [c for t in catalogue() for made in t.outputs for c in made.all_checks]
    assert checks
    assert [c.name for c in checks if c.minimum > c.maximum] == []


# Dimensions with a member for the rows that have found no other.
WITH_UNKNOWN = {
    *("dim_patient", "dim_professional", "dim_diagnosis", "dim_insurer", "dim_establishment", "dim_medication"),
    *("dim_speciality", "dim_region"),
}
# Relations that have to find nothing, or that name rows which a join has found already.
EXEMPT = {
    # Many files name legal entities; the register has sites.
    ("fact_quality_indicator", "establishment_key"),
    # Most professionals have no speciality. Those that have a code are counted: `found_speciality`.
    ("dim_professional", "speciality_key"),
    # Pairs that were found. How many of the delivered ones are, `found_establishment` counts.
    ("bridge_professional_establishment", "professional_key"),
    ("bridge_professional_establishment", "establishment_key"),
}
# Joins of which no figure depends: a warning.
WARNED = {("fact_hospitalisation", "establishment_key"), ("fact_satisfaction", "establishment_key")}


def test_every_relation_of_a_fact_declares_how_many_rows_find_their_row() -> None:
    relations = {
        (t.name, c.column): next((a for a in t.checks if a.name == f"attached_{c.column}"), None)
        for t in catalogue()
        if t.layer in (Layer.FACTS, Layer.DIMENSIONS)
        for c in t.checks
        if c.kind is CheckType.FOREIGN_KEY and c.refers_to and c.refers_to.name in WITH_UNKNOWN and c.column
    }
    assert len(relations) > 15
    assert {relation for relation, floor in relations.items() if floor is None} == EXEMPT
    assert {relation for relation, floor in relations.items() if floor and not floor.blocking} == WARNED
    assert all(0 < floor.maximum < 1 for floor in relations.values() if floor)


@pytest.mark.parametrize(
    ("broken", "rows", "measured", "passes"),
    [(0, 0, None, True), (4, 4, None, True), (5, 5, 1, False), (4, 5, 0.8, True), (91, 100, 0.91, False)],
)
def test_a_share_of_few_rows_proves_nothing(broken: int, rows: int, measured: float | None, passes: bool) -> None:
    check = attached("region_key", dim_region)
    assert check.measured(broken, rows) == measured
    assert check.allows(check.measured(broken, rows)) == passes
