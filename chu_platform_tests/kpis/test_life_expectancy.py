"""The life expectancy of France that a made register gives, beside the one that Insee publishes."""

from statistics import mean

import pytest

from chu_platform.kpis.kpi_mortality import kpi_mortality
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import rows

pytestmark = pytest.mark.integration


# Insee, T68: life expectancy at birth, average of 2017 to 2019.
@pytest.mark.parametrize(("sex", "published"), [("M", 79.6), ("F", 85.5)])
def test_the_mean_of_three_comparable_years_is_near_that_of_insee(made: Home, sex: str, published: float) -> None:
    france = [r for r in rows(made.lake, kpi_mortality.masked).to_pylist() if (r["level"], r["sex"]) == ("france", sex)]
    found = [r for r in france if 2017 <= r["year"] <= 2019]
    assert [r["is_comparable"] for r in found] == [True] * 3
    assert mean(r["life_expectancy_0"] for r in found) == pytest.approx(published, abs=0.7)


def test_the_page_says_why_it_is_not_that_of_insee() -> None:
    (text,) = (p for p in kpi_mortality.question.definition if p.startswith("Espérance de vie"))
    assert "Celle de l’Insee est calculée sur trois ans" in text and "selon le domicile" in text
