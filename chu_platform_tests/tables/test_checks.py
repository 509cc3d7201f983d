"""Bounds and categories of checks."""

import pytest

from chu_platform.catalogue import catalogue
from chu_platform.dimensions.dim_region import dim_region
from chu_platform.facts.fact_hospitalisation import fact_hospitalisation
from chu_platform.facts.fact_quality_indicator import fact_quality_indicator
from chu_platform.facts.fact_satisfaction import fact_satisfaction
from chu_platform.tables.checks import (
    Check,
    CheckCategory,
    CheckInputs,
    CheckType,
    DeliveryCounts,
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
from chu_platform.tables.table import Layer, Table
from chu_platform_tests import small_duckdb

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
    ("professional_history", "speciality_key"),
    # Pairs that were found. How many of the delivered ones are, `found_establishment` counts.
    ("bridge_professional_establishment", "professional_key"),
    ("bridge_professional_establishment", "establishment_key"),
}
# A warning: no figure depends on the join. That of stays blocks if identifiers are delivered: `found_establishment`.
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


@pytest.mark.parametrize(
    ("partitions", "measured"),
    [
        ([(0, 1000), (20, 20)], 1),
        ([(0, 1000), (19, 19)], 19 / 1019),
        ([(900, 1000), (10, 100)], 0.9),
        ([(4, 4)], None),
    ],
)
def test_a_join_is_judged_in_each_month_too(partitions: list[tuple[int, int]], measured: float | None) -> None:
    broken, rows = (sum(numbers) for numbers in zip(*partitions, strict=True))
    found = attached("region_key", dim_region, each_partition=True)
    assert found.measured(broken, rows, partitions) == measured
    assert attached("region_key", dim_region).measured(broken, rows, partitions) == (
        broken / rows if rows > 4 else None
    )


def measured(check: Check, **relations: str) -> float | None:
    """The number that the query of a check gives over relations by name, of which `written` are the checked rows."""
    with small_duckdb.connect() as connection:
        for name, rows in relations.items():
            connection.execute(f'CREATE TEMP VIEW "{name}" AS {rows}')
        given = CheckInputs("written", 0, "written", lambda t: f'"{t.name}"', lambda _: None, None, DeliveryCounts())
        ((number,),) = connection.execute(check.query(given)).fetchall()
        return None if number is None else float(number)


@pytest.mark.parametrize(
    ("unknown", "warns", "blocks"), [(0, False, False), (9, False, False), (11, True, False), (51, True, True)]
)
@pytest.mark.parametrize("table", [fact_satisfaction, fact_quality_indicator], ids=lambda t: t.name)
def test_the_regions_of_each_survey_of_a_campaign(table: Table, unknown: int, warns: bool, blocks: bool) -> None:
    """One survey among many others without a region, and one of four rows, which proves nothing."""
    rows = f"""
        SELECT CASE WHEN i < {unknown} THEN 'inconnu' ELSE '84' END AS region_key, '2019' AS campaign_year,
            'ca_mco' AS survey FROM range(100) t(i)
        UNION ALL SELECT '84', '2019', '48h_mco' FROM range(5000)
        UNION ALL SELECT '84', '2020', 'ca_mco' FROM range(5000)
        UNION ALL SELECT 'inconnu', '2021', 'ca_mco' FROM range(4)"""
    warning, blocking = (c for c in table.checks if c.name.startswith("region_of_each_survey"))
    assert (warning.blocking, blocking.blocking) == (False, True)
    found = {check.name: measured(check, written=rows) for check in (warning, blocking)}
    assert set(found.values()) == {unknown / 100}
    assert (not warning.allows(unknown / 100), not blocking.allows(unknown / 100)) == (warns, blocks)


@pytest.mark.parametrize(
    ("stays", "share"),
    [
        ("SELECT 'ORG' || i AS identifiant_organisation, '2019-01' AS month FROM range(5) t(i)", 1),
        ("SELECT NULL::VARCHAR AS identifiant_organisation, '2019-01' AS month FROM range(50)", None),
        ("SELECT 'F01' || i // 2 AS identifiant_organisation, '2019-01' AS month FROM range(20) t(i)", 0.9),
        (
            """SELECT 'F010' AS identifiant_organisation, '2019-01' AS month FROM range(900)
            UNION ALL SELECT 'ORG', '2019-02' FROM range(20)""",
            1,
        ),
        (
            """SELECT 'F010' AS identifiant_organisation, '2019-01' AS month FROM range(81)
            UNION ALL SELECT 'ORG', '2019-02' FROM range(19)""",
            0.19,
        ),
    ],
)
def test_stays_with_identifiers_that_no_register_knows(stays: str, share: float | None) -> None:
    """Only stays with an identifier count, in all and in each month."""
    register = "SELECT 'F010' AS establishment_key UNION ALL SELECT 'inconnu'"
    for name, bound in (("found_establishment", 0.9), ("usually_found_establishment", 0.15)):
        (check,) = (c for c in fact_hospitalisation.checks if c.name == name)
        found = measured(check, Hospitalisations=stays, dim_establishment=register)
        assert found == (share if share is None else pytest.approx(share))
        assert check.blocking == (bound == 0.9)
        assert check.maximum == pytest.approx(bound)
