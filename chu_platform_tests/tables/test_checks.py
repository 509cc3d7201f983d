"""Bounds and categories of checks."""

import pytest

from chu_platform.catalogue import catalogue
from chu_platform.tables.checks import (
    Check,
    CheckCategory,
    CheckType,
    between,
    last_event,
    not_null,
    one_of,
    rejected_share,
    rows_kept_or_rejected,
    steady_row_count,
    unique,
)

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
