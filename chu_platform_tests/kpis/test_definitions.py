"""Properties of the exact indicators that their definitions promise, in every period."""

from itertools import groupby

import pytest

from chu_platform.kpis.kpi_consultation_rate_by_establishment import kpi_consultation_rate_by_establishment
from chu_platform.kpis.kpi_consultation_rate_by_professional import consultation_by_speciality
from chu_platform.kpis.kpi_deaths_by_region import kpi_deaths_by_region
from chu_platform.kpis.kpi_hospitalisation_rate_by_sex_and_age import kpi_hospitalisation_rate_by_sex_and_age
from chu_platform.kpis.kpi_satisfaction_by_region import kpi_satisfaction_by_region
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import rows

pytestmark = pytest.mark.integration


def test_the_rate_of_all_ages_is_the_mean_of_the_bands_weighted_by_their_base(made: Home) -> None:
    """Patients, base, stays, days and time are each the sum of their age bands, for each sex and for both."""
    found = rows(made.lake, kpi_hospitalisation_rate_by_sex_and_age.exact).to_pylist()

    def period_and_sex(row: dict[str, object]) -> tuple[str, ...]:
        return str(row["period_grain"]), str(row["period_start"]), str(row["sex"])

    compared = 0
    for _, group in groupby(sorted(found, key=period_and_sex), key=period_and_sex):
        cells = {row["age_band"]: row for row in group}
        whole = cells.pop("all")
        for column in ("patients", "base_patients", "events", "days"):
            assert sum(cell[column] for cell in cells.values()) == whole[column]
        assert sum(cell["patient_years"] for cell in cells.values()) == pytest.approx(whole["patient_years"])
        weighted = sum(
            cell["rate_per_1000"] * cell["base_patients"] for cell in cells.values() if cell["base_patients"]
        )
        assert weighted / whole["base_patients"] == pytest.approx(whole["rate_per_1000"])
        compared += whole["patients"] > 0
    assert compared > 100


def test_a_place_has_no_more_patients_than_consultations(made: Home) -> None:
    found = rows(made.lake, kpi_consultation_rate_by_establishment.exact).to_pylist()
    assert all(row["patients"] <= row["consultations"] for row in found)
    assert all(row["events"] <= row["consultations"] + 1e-9 for row in found)
    assert any(row["events"] < row["consultations"] - 0.01 for row in found if row["level"] == "establishment")
    assert all(row["events"] == row["consultations"] for row in found if row["level"] in ("total", "unattached"))


def test_a_profession_is_the_sum_of_its_specialities(made: Home) -> None:
    found = rows(made.lake, consultation_by_speciality).to_pylist()
    whole = {
        (row["period_grain"], row["period_start"], row["profession"]): row
        for row in found
        if row["speciality"] == "Ensemble"
    }
    for key, row in whole.items():
        parts = [
            r
            for r in found
            if (r["period_grain"], r["period_start"], r["profession"]) == key and r["speciality"] != "Ensemble"
        ]
        for column in ("events", "professionals", "active_years"):
            assert sum(part[column] for part in parts) == row[column]
        assert max(part["patients"] for part in parts) <= row["patients"] <= sum(part["patients"] for part in parts)
        assert row["events_per_active_year"] == pytest.approx(row["events"] / row["active_years"])
    assert len(whole) > 20


def test_france_is_the_eighteen_regions(made: Home) -> None:
    found = rows(made.lake, kpi_deaths_by_region.exact).to_pylist()
    of_2019 = {r["region_code"]: r for r in found if (r["year"], r["sex"], r["age_band"]) == (2019, "all", "all")}
    france, _ = of_2019.pop("all"), of_2019.pop("99")
    assert len(of_2019) == 18
    assert france["deaths"] == sum(row["deaths"] for row in of_2019.values())
    assert france["population"] == sum(row["population"] for row in of_2019.values())
    assert france["rate_per_1000"] == pytest.approx(1000 * france["deaths"] / france["population"])


def test_in_the_rate_of_france_deaths_count_where_the_population_is_known(made: Home) -> None:
    """Overseas regions have a population from 1990 on, Mayotte from 2014 on."""
    found = rows(made.lake, kpi_deaths_by_region.exact).to_pylist()
    for year, without in ((1985, {"01", "02", "03", "04", "06"}), (2000, {"06"}), (2018, set())):
        totals = {r["region_code"]: r for r in found if (r["year"], r["sex"], r["age_band"]) == (year, "all", "all")}
        france, elsewhere = totals.pop("all"), totals.pop("99")
        assert {code for code, r in totals.items() if r["population"] is None} == without
        assert france["rated_deaths"] == sum(r["deaths"] for code, r in totals.items() if code not in without)
        assert france["rate_per_1000"] == pytest.approx(1000 * france["rated_deaths"] / france["population"])
        assert {totals[code]["rate_per_1000"] for code in without} <= {None}
        assert elsewhere["rate_per_1000"] is None and elsewhere["reason"]
    assert {r["year"] for r in found if r["rate_per_1000"] is not None} == {*range(1977, 2020)}
    assert all((r["reason"] is None) == (r["rated_deaths"] is not None) for r in found)


def test_a_mean_score_has_an_interval_from_five_scored_sites_on(made: Home) -> None:
    for row in rows(made.lake, kpi_satisfaction_by_region.exact).to_pylist():
        assert (row["score_low"] is not None) == (row["sites_scored"] >= 5)
        if row["score_low"] is not None:
            assert 0 <= row["score_low"] <= row["score_mean"] <= row["score_high"] <= 100
        assert row["weighted_low"] is None or row["sites_scored"] >= 5
        if row["weighted_low"] is not None:
            assert 0 <= row["weighted_low"] <= row["score_weighted"] <= row["weighted_high"] <= 100
