"""The page of monthly deaths answers how many more there were than usual, from the home page in three interactions."""

import re
from datetime import date
from typing import Any

import pytest

from chu_platform import french
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.portal.served import BY_SLUG, Served
from chu_platform_tests.portal.test_pages import figure_of, published, section

pytestmark = pytest.mark.integration

QUESTION = BY_SLUG["deces-mois"]


def of_france(made: Home, month: date) -> dict[str, Any]:
    where = f"period_start = DATE '{month}' AND region_code = 'all' AND sex = 'all'"
    (row,) = published(made, QUESTION, where)
    return row


def plain(number: float) -> str:
    return french.number(number, 0).replace("\u202f", " ")


def test_extra_deaths_of_august_2003_are_two_links_from_home(made: Home, portal: Served) -> None:
    (opened,) = (a.attributes["href"] for a in portal.page("/").all("li.card h2 a") if QUESTION.title in a.text)
    (chosen,) = (a.attributes["href"] for a in portal.page(opened).all("nav a") if a.text == "été 2003")
    page = portal.page(chosen)
    row = of_france(made, date(2003, 8, 1))
    assert row["excess"] > 0 and row["reference_years"]
    assert f"en août 2003, l’excédent est de {plain(row['excess'])} décès" in page.one("h1").text
    assert figure_of(page) == f"{plain(row['excess'])} décès"
    limits = f"intervalle de prévision à 95 % : {plain(row['excess_low'])} à {plain(row['excess_high'])} décès"
    assert limits in page.one("dl.stats").text
    assert plain(row["deaths"]) in page.one("dl.stats").text


def test_the_chart_has_counted_and_expected_deaths_their_interval_and_the_episodes(portal: Served) -> None:
    page = portal.page("/questions/deces-mois?periode=2003-08")
    chart = section(page, "evolution").one("svg.chart-wide")
    for kind in ("path.line", "path.reference", "path.band", "rect.span", "circle.dot-chosen"):
        assert chart.all(kind), kind
    assert "été 2003" in chart.text and "décès attendus" in chart.text and "intervalle de prévision" in chart.text
    assert "Le graphique montre les mois de 1996 à 2006." in section(page, "evolution").text
    assert len(section(page, "evolution").all("tbody tr")) == 11 * 12


def test_episodes_are_listed_with_what_is_published_and_its_source(made: Home, portal: Served) -> None:
    page = portal.page("/questions/deces-mois")
    lines = [line.text for line in section(page, "episodes").all("tbody tr")]
    assert [re.match(r"(Été|Hiver) [\d-]+", line)[0] for line in lines] == [  # type: ignore[index]
        *("Été 2003", "Hiver 2014-2015", "Hiver 2016-2017"),
    ]
    assert "14 802" in lines[0] and "Inserm" in lines[0]
    assert plain(of_france(made, date(2003, 8, 1))["excess"]) in lines[0]


def test_a_month_of_a_year_that_is_not_comparable_says_why(made: Home, portal: Served) -> None:
    row = of_france(made, date(2020, 1, 1))
    page = portal.page("/questions/deces-mois?periode=2020-01")
    assert row["expected"] is None and row["reason"]
    assert figure_of(page) == f"{plain(row['deaths'])} décès"
    assert "Les décès attendus ne sont pas calculés ici : dernière année livrée, qui compte comme incomplète" in page
    assert "La dernière année livrée compte toujours comme incomplète" in page


@pytest.mark.parametrize("slug", ["mortalite", "deces-region"])
def test_other_questions_on_deaths_lead_to_the_months_and_back(slug: str, portal: Served) -> None:
    assert any(link.partition("?")[0] == "/questions/deces-mois" for link in portal.page(f"/questions/{slug}").links)
    assert any(link.partition("?")[0] == f"/questions/{slug}" for link in portal.page("/questions/deces-mois").links)


@pytest.mark.parametrize("slug", ["deces-region", "mortalite"])
def test_curves_of_deaths_begin_with_the_first_comparable_year(slug: str, made: Home, portal: Served) -> None:
    question = BY_SLUG[slug]
    first = min(r["year"] for r in published(made, question, "is_comparable"))
    part = section(portal.page(f"/questions/{slug}?mesure=deces"), "evolution")
    shown = [line.text for line in part.all("tbody tr th")]
    assert shown[0] == str(first) and len(shown) == 2020 - first + 1
    assert f"Le graphique commence en {first}, première année comparable du registre." in part.text
    # The last year is not comparable: a point without a line.
    chart = part.one("svg.chart-wide")
    last = chart.all("circle.dot-partial")[-1].attributes["cx"]
    assert all(f"{last} " not in curve.attributes["d"] for curve in chart.all("path.line"))
