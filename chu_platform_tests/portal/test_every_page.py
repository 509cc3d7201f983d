"""What the suite tests of some pages of the portal, of every page: choices, accessibility, paper, answers."""

from http import HTTPStatus

import pytest
from playwright.sync_api import Browser, Page

from chu_platform.portal.questions import Question
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.portal.chromium import needs_chromium
from chu_platform_tests.portal.served import BY_SLUG, QUESTIONS, Served
from chu_platform_tests.portal.test_accessible import ADDRESSES, open_page
from chu_platform_tests.portal.test_chromium import CHARTED, LISTS, answer, print_page, see_chart
from chu_platform_tests.portal.test_explorer import explore
from chu_platform_tests.portal.test_pages import choices

pytestmark = pytest.mark.system

PAGES = ("/", "/methode", "/dernier-mois", "/besoins", "/qualite")


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda q: q.slug)
def test_every_choice_that_a_list_offers_leads_to_a_page(question: Question, portal: Served) -> None:
    for offered in choices(question, portal):
        for asked in offered:
            assert portal.get(asked).status == HTTPStatus.OK, asked


@needs_chromium
@pytest.mark.parametrize("name", ADDRESSES)
def test_axe_finds_nothing_to_object_to_in_either_scheme(name: str, desk: Page) -> None:
    open_page(desk, ADDRESSES[name], "light", "dark")


@needs_chromium
@pytest.mark.parametrize("slug", LISTS)
def test_a_question_is_answered_for_an_x(slug: str, made: Home, browser: Browser, portal: Served) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(portal.address)
    answer(slug, made, page)
    context.close()


@needs_chromium
@pytest.mark.parametrize(
    "path", ["/", "/methode", "/dernier-mois", *CHARTED, *(f"/questions/{slug}" for slug in BY_SLUG)]
)
def test_no_printed_page_is_a_rest_of_some_lines(path: str, desk: Page) -> None:
    print_page(path, desk)


@needs_chromium
@pytest.mark.parametrize("slug", BY_SLUG)
def test_a_chart_stands_above_the_fold(slug: str, desk: Page) -> None:
    see_chart(slug, desk)


def test_many_random_tables_of_the_explorer_hold_released_cells_alone(made: Home, portal: Served) -> None:
    explore(made, portal, 200)
