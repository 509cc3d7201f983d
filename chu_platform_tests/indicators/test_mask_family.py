"""A family refuses members whose relations or inputs it would leave out."""

from dataclasses import replace

import pytest

from chu_platform.indicators.indicator import Indicator, MaskFamily
from chu_platform.kpis.kpi_deaths_by_region import kpi_deaths_by_region
from chu_platform.kpis.kpi_satisfaction_by_region import kpi_satisfaction_by_region
from chu_platform.sdc.cell_masks import Measures

pytestmark = pytest.mark.unit


def family_of(*members: Indicator) -> MaskFamily:
    """A family with these members, whatever the package declares."""
    family = MaskFamily("family", "Famille", [Measures(["deaths"], []), Measures(["answers"], [])])
    family.__dict__["members"] = members
    return family


def test_a_relation_of_measures_without_a_system_is_an_error() -> None:
    release = replace(kpi_deaths_by_region.release, relations={("death",): ["SELECT 1, 2"]})
    with pytest.raises(ValueError, match="kpi_deaths_by_region: family has no system of the measures"):
        _ = family_of(replace(kpi_deaths_by_region, release=release)).table


def test_two_tables_under_one_name_are_an_error() -> None:
    release = replace(kpi_satisfaction_by_region.release, alias="deaths", relations={})
    with pytest.raises(ValueError, match="different tables under the name 'deaths'"):
        _ = family_of(kpi_deaths_by_region, replace(kpi_satisfaction_by_region, release=release)).table


def test_members_of_one_family_may_read_the_same_dimension() -> None:
    assert set(family_of(kpi_deaths_by_region).table.reads) == {"deaths"}
