"""The page of what follows a stay: from the home page, with its step line, its limits and links that lead somewhere."""

import pytest

from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.portal.served import BY_SLUG, Served
from chu_platform_tests.portal.test_pages import published, section

pytestmark = pytest.mark.integration

QUESTION = BY_SLUG["suites-sejour"]


def test_the_page_is_one_link_from_home_and_says_what_limits_the_figures(portal: Served) -> None:
    (opened,) = (a.attributes["href"] for a in portal.page("/").all("li.card h2 a") if QUESTION.title in a.text)
    page = portal.page(opened)
    assert "Consultation dans les 90 jours" in page.text and "Très peu de patients ont deux séjours" in page.text
    assert "un séjour qui commence ce jour-là est un transfert" in section(page, "calcul").text


def test_the_step_line_has_the_published_horizons(made: Home, portal: Served) -> None:
    rows = published(made, QUESTION, "level = 'total' AND period_grain = 'all' AND outcome <> 'readmitted_30'")
    assert len(rows) == 3
    drawn = section(portal.page("/questions/suites-sejour?periode=tout"), "courbe").one("svg.chart-wide")
    assert len(drawn.all("rect.withheld")) == sum(r["is_masked"] for r in rows) + any(r["is_masked"] for r in rows)
    assert len(drawn.all("circle.dot")) == sum(not r["is_masked"] for r in rows) + any(not r["is_masked"] for r in rows)
    links = [a.attributes["href"] for a in section(portal.page("/questions/suites-sejour"), "courbe").all("tbody a")]
    assert len(links) == 3
    assert all(portal.get(link).status == 200 for link in links)


def test_groups_are_chosen_by_sex_age_and_chapter(portal: Served) -> None:
    page = portal.page("/questions/suites-sejour")
    labels = [group.attributes["label"] for group in page.all("#field-x optgroup")]
    assert labels == ["Ensemble des séjours", "Sexes", "Tranches d’âge", "Chapitres"]
    ages = [o.attributes["value"] for o in page.all("#field-x option") if "age_band" in o.attributes["value"]]
    assert ages[0] == "age_band:0-4" and ages[-2:] == ["age_band:85+", "age_band:unknown"]
    for x in ("sex:F", ages[3], "chapter:XIX"):
        assert portal.get(f"/questions/suites-sejour?x={x}&periode=tout").status == 200
