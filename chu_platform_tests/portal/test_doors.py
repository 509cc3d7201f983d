"""The three doors: each question leads to an answer in three interactions, or says why there is none."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from chu_platform.portal.doors import Door
from chu_platform_tests.portal.chromium import needs_chromium
from chu_platform_tests.portal.served import BY_SLUG, Served

pytestmark = pytest.mark.integration

FEWEST = 10
MOST_INTERACTIONS = 3
# What is written where a page asks for words.
WORDS = {"/profil": "bretagne", "/recherche/diagnostics": "maladie", "/qualite": "bretagne"}
# What an answer has: a figure, a table, results, or the figures of months.
ANSWER = "#chiffre, main table, main svg.chart, main ul.results"


@pytest.mark.parametrize("door", Door, ids=lambda door: door.slug)
def test_a_door_has_ten_questions_with_an_answer_or_a_reason(door: Door, portal: Served) -> None:
    page = portal.page(door.address)
    answered, reasons = page.all("main ul.results a"), page.all("dl.reasons dd")
    assert len(answered) + len(reasons) >= FEWEST and len(reasons) >= 1
    for link in answered:
        answer = portal.get(link.attributes["href"])
        assert answer.status == 200 and "Rien à ce croisement" not in answer.text, link.text


def test_questions_of_indicators_that_are_not_there_are_left_out(portal: Served) -> None:
    links = [link for door in Door for link in portal.page(door.address).links]
    slugs = {link.partition("sujet=")[2].partition("&")[0] for link in links if "sujet=" in link}
    assert slugs and slugs <= BY_SLUG.keys()
    # This portal serves no exact figures.
    assert not any(link.startswith("/mon-etablissement") for link in links)


def test_another_door_does_not_exist(portal: Served) -> None:
    assert portal.get("/portes/patients").status == 404
    assert portal.get("/portes/medecins?x=1").status == 400


@pytest.fixture
def reader(browser: Browser, portal: Served) -> Iterator[Page]:
    """A page of a browser that runs no script."""
    context = browser.new_context(base_url=portal.address, java_script_enabled=False)
    yield context.new_page()
    context.close()


@needs_chromium
@pytest.mark.parametrize("door", Door, ids=lambda door: door.slug)
def test_each_question_is_answered_in_three_interactions(door: Door, reader: Page, portal: Served) -> None:
    for number in range(len(portal.page(door.address).all("main ul.results a"))):
        reader.goto("/")
        reader.get_by_role("link", name=door.title, exact=True).click()
        reader.locator("main ul.results a").nth(number).click()
        interactions = 2
        if words := WORDS.get(reader.url.removeprefix(portal.address)):
            field = reader.locator("main input[type=search]").first
            field.fill(words)
            field.press("Enter")
            interactions += 1
        assert interactions <= MOST_INTERACTIONS
        expect(reader.locator(ANSWER).locator("visible=true").first).to_be_visible()
