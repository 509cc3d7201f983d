"""A family refuses members whose relations or inputs it would leave out."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from chu_platform.indicators.indicator import Indicator, MaskFamily
from chu_platform.kpis.kpi_hospitalisation_rate import kpi_hospitalisation_rate
from chu_platform.kpis.kpi_hospitalisation_rate_by_diagnosis import kpi_hospitalisation_rate_by_diagnosis
from chu_platform.sdc.cell_masks import Measures

pytestmark = pytest.mark.unit


def family_of(*members: Indicator) -> MaskFamily:
    """A family with these members, whatever the package declares."""
    family = MaskFamily("family", "Famille", [Measures(["events"], []), Measures(["days"], [])])
    family.__dict__["members"] = members
    return family


def member(of: Indicator, alias: str, relations: Mapping[tuple[str, ...], Sequence[str]]) -> Indicator:
    assert of.release
    return replace(of, release=replace(of.release, alias=alias, relations=relations))


def test_a_relation_of_measures_without_a_system_is_an_error() -> None:
    stays = member(kpi_hospitalisation_rate, "stays", {("event",): ["SELECT 1, 2"]})
    with pytest.raises(ValueError, match="kpi_hospitalisation_rate: family has no system of the measures"):
        _ = family_of(stays).table


def test_two_tables_under_one_name_are_an_error() -> None:
    diagnoses = member(kpi_hospitalisation_rate_by_diagnosis, "stays", {})
    with pytest.raises(ValueError, match="different tables under the name 'stays'"):
        _ = family_of(kpi_hospitalisation_rate, diagnoses).table


def test_members_of_one_family_may_read_the_same_dimension() -> None:
    one, other = (member(kpi_hospitalisation_rate_by_diagnosis, name, {}) for name in ("one", "other"))
    assert set(family_of(one, other).table.reads) == {"one", "other", "diagnosis"}
