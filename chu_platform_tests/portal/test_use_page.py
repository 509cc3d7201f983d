"""The page of use over time: what each level shows and warns of, its Lorenz curve, and its control charts."""

import pytest

from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.portal.served import BY_SLUG, Served
from chu_platform_tests.portal.test_pages import published, section

pytestmark = pytest.mark.integration

QUESTION = BY_SLUG["recours-temps"]
PAGE = "/questions/recours-temps"


def test_the_page_is_one_link_from_home_and_warns_of_the_sample(portal: Served) -> None:
    (opened,) = (a.attributes["href"] for a in portal.page("/").all("li.card h2 a") if QUESTION.title in a.text)
    page = portal.page(opened)
    assert "Cette part décrit d’abord l’échantillon" in page.text and "Part des patients" in page.text
    assert "Chaque patient n’est nouveau qu’une fois" in section(page, "calcul").text
    labels = [group.attributes["label"] for group in page.all("#field-x optgroup")]
    assert labels == ["Patients", "Créneaux", "Patients qui consultent le plus"]
    shares = [o.attributes["value"] for o in page.all("#field-x option") if "most_frequent" in o.attributes["value"]]
    assert shares == [f"most_frequent:{q}" for q in (1, 5, 10, 25, 50)]


def test_slots_are_said_to_be_no_hours(portal: Served) -> None:
    for slot in ("evening", "night"):
        page = portal.page(f"{PAGE}?x=slot:{slot}&periode=2019")
        assert "Les données n’ont pas d’heures, seulement des créneaux" in page.text
        assert "Part des consultations" in page.text and "Part des patients" not in page.text


def test_the_lorenz_curve_has_the_published_shares(made: Home, portal: Served) -> None:
    rows = published(made, QUESTION, "level = 'most_frequent' AND period_grain = 'all'")
    assert len(rows) == 5
    drawn = section(portal.page(f"{PAGE}?x=most_frequent:10&periode=tout"), "courbe").one("svg.chart-wide")
    masked, shown = (sum(r["is_masked"] is state for r in rows) for state in (True, False))
    assert len(drawn.all("rect.withheld")) == masked + bool(masked), "each, and the sample in the legend"
    assert len(drawn.all("circle.dot")) == shown + bool(shown)
    assert "égalité : tous consultent autant" in drawn.text
    assert not portal.page(f"{PAGE}?x=patients:new&periode=2019").all("#titre-courbe")


def test_only_figures_with_a_usual_level_have_a_control_chart(portal: Served) -> None:
    assert portal.get("/controle/recours-temps?x=patients:new").status == 404
    assert portal.get("/controle/recours-temps?x=slot:evening").status == 200
    assert "Nouveaux patients" not in portal.page("/dernier-mois").text
