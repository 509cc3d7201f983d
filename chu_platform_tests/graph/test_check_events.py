"""What Dagster shows of a group of checks: each with its condition, its unit and its bounds."""

import dagster as dg
import pytest

from chu_platform.catalogue import catalogue
from chu_platform.facts.fact_hospitalisation import fact_hospitalisation
from chu_platform.graph.check_events import check_events, check_specs
from chu_platform.storage.run_checks import CheckResult
from chu_platform.tables.check_metadata import RESULTS, Outcome, from_metadata
from chu_platform.tables.checks import Check, CheckCategory, CheckType, Unit

pytestmark = pytest.mark.unit

UNITS = {
    "days": ("range_days", Unit.ROWS, "0"),
    "joins": ("attached_patient_key", Unit.SHARE, "0 to 0.9"),
    "rows": ("row_count_is_steady", Unit.SHARE, "-0.1 to 1"),
    "recent": ("last_event_is_recent", Unit.DAYS, None),
}


def events_of(measured: float | None) -> dict[str, dg.AssetCheckResult]:
    results = [CheckResult(check, measured) for check in fact_hospitalisation.all_checks]
    return {str(e.check_name): e for e in check_events({fact_hospitalisation: results})}


def records_of(events: dict[str, dg.AssetCheckResult]) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = {}
    for event in events.values():
        table = (event.metadata or {})[RESULTS]
        assert isinstance(table, dg.TableMetadataValue)
        found |= {str(r.data["check"]): dict(r.data) for r in table.records}
    return found


@pytest.mark.parametrize("case", UNITS)
def test_each_result_says_its_unit_and_its_bounds(case: str) -> None:
    name, unit, allowed = UNITS[case]
    record = records_of(events_of(0.5))[name]
    check = next(c for c in fact_hospitalisation.all_checks if c.name == name)
    assert (record["unit"], record["allowed"]) == (unit, allowed or check.allowed)
    assert record["measured"] == 0.5 and record["passed"] == check.allows(0.5)
    assert record["condition"] == check.condition != ""
    group = next(s for s in check_specs(fact_hospitalisation) if f"`{name}`" in (s.description or ""))
    assert f"({unit}: {record['allowed']})" in str(group.description)


def test_nothing_measured_is_empty_and_the_outcomes_are_read_back() -> None:
    events = events_of(None)
    assert {record["measured"] for record in records_of(events).values()} == {None}
    outcomes: dict[str, Outcome] = {}
    for event in events.values():
        values = dict(event.metadata or {})
        outcomes |= from_metadata(values)
    assert outcomes.keys() == {c.name for c in fact_hospitalisation.all_checks}


def test_the_names_of_checks_say_what_they_check() -> None:
    """A group is named by a sentence, and a check of several columns by all of them."""
    groups = {check.group for table in catalogue() for made in table.outputs for check in made.all_checks}
    assert not groups & {category.value for category in CheckCategory}
    assert {name.removesuffix("_warning") for name in groups} == {
        "no_value_or_row_is_missing",
        "keys_codes_and_columns_are_as_declared",
        "values_and_counts_are_plausible",
    }
    for table in catalogue():
        names = [check.name for check in table.all_checks]
        assert len(names) == len({*names})
        assert not table.key or f"unique_{'_'.join(table.key)}" in names


@pytest.mark.parametrize("kind", CheckType)
def test_each_kind_of_check_belongs_to_a_named_group(kind: CheckType) -> None:
    check = Check("a_condition_of_rows", kind, "une condition", "false", blocking=False)
    assert check.group.endswith("_warning") and check.condition == "a condition of rows"
