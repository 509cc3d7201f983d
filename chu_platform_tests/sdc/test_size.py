"""Masks of tables of the real size: they are computed, and the attacker finds nothing."""

from __future__ import annotations

import numpy as np
import pytest

from chu_platform.sdc import SMALL_CELL, determined_cells, disclosed_cells, protect
from chu_platform_tests.sdc.synthetic_tables import Level, calendar, family

pytestmark = pytest.mark.integration

MONTHS = 94


def test_diagnoses_of_a_million_consultations() -> None:
    random = np.random.default_rng(0)
    events, leaves, categories = 1_000_000, 15_000, 2_000
    category = np.sort(np.concatenate([np.arange(categories), random.integers(0, categories, leaves - categories)]))
    chapter = np.sort(random.integers(0, 22, categories))[category]
    frequency = random.gamma(0.3, 1.0, leaves)
    levels = [
        Level(np.arange(leaves), ["all"]),
        Level(category, ["year", "all"]),
        Level(chapter, ["month", "quarter", "year", "all"]),
        Level(np.zeros(leaves, np.int64), ["month", "quarter", "year", "all"]),
    ]
    leaf = random.choice(leaves, events, p=frequency / frequency.sum())
    values, relations = family(levels, calendar(MONTHS), leaf, random.integers(0, MONTHS, events), np.ones(events))
    small = values <= SMALL_CELL
    assert len(determined_cells(relations, small)) > 0, "without secondary cells, the attacker must find some cells"
    mask = protect(values, small, relations)
    assert np.all(mask[small])
    assert len(disclosed_cells(relations, values, mask, np.ones(len(values)))) == 0
    assert mask.sum() < 2 * small.sum(), "there must be fewer secondary cells than primary cells"


def test_consultations_shared_among_250_000_establishments() -> None:
    random = np.random.default_rng(1)
    events, establishments, departments = 700_000, 250_000, 100
    department = np.sort(random.integers(0, departments, establishments))
    region = np.sort(random.integers(0, 18, departments))[department]
    levels = [
        Level(np.arange(establishments), ["all"]),
        Level(department, ["year", "all"]),
        Level(region, ["year", "all"]),
        Level(np.zeros(establishments, np.int64), ["year", "all"]),
    ]
    frequency = random.gamma(0.2, 1.0, establishments)
    leaf = random.choice(establishments, events, p=frequency / frequency.sum())
    weight = 1 / random.integers(1, 4, events)
    values, relations = family(levels, calendar(MONTHS), leaf, random.integers(0, MONTHS, events), weight)
    small = values <= SMALL_CELL
    mask = protect(values, small, relations)
    assert np.all(mask[small])
    assert len(determined_cells(relations, mask)) == 0
