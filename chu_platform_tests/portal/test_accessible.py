"""Accessibility, in Chromium: axe-core on every kind of page, the keyboard alone, phone width, zoom, no script, paper.

Skipped where there is no Chromium.
"""

import re
from collections.abc import Iterator
from itertools import cycle
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page

from chu_platform.portal.defence import SPEECH
from chu_platform_tests.portal.chromium import assert_accessible, needs_chromium
from chu_platform_tests.portal.conftest import DESK
from chu_platform_tests.portal.served import QUESTIONS, Served

pytestmark = [pytest.mark.integration, needs_chromium]

# Every template, that of a question with the most of its parts: a map, two surveys, a course.
KINDS = {
    "home": "/",
    "story": "/recit",
    "defence": "/soutenance",
    "method": "/methode",
    "search": "/recherche/diagnostics?q=a",
    "error": "/n-existe-pas",
    "places": "/profil",
    "region": "/profil?lieu=region:53&avec=region:11,region:84,department:35",
    "funnel": "/entonnoir?lieu=region:53&sujet=mortalite-regions",
    "last month": "/dernier-mois",
    "register": "/registre",
    "needs": "/besoins",
    "door": "/portes/infirmiers",
    "explorer": "/explorer?sujet=hospitalisations-sexe-age&mesure=taux&axe1=age&axe2=sexe",
    "control": "/controle/consultations-etablissement",
    "map": "/questions/mortalite",
    "surveys": "/questions/satisfaction-region",
    "course": "/questions/suites-sejour",
}
# Together: texts and tables, forms and suggestions, charts of each kind, a map, and what is shown in full screen.
SHOWN = ("home", "story", "search", "error", "region", "funnel", "control", "map", "course")
ADDRESSES = {
    **KINDS,
    "explored curves": "/explorer?sujet=satisfaction-region&mesure=score&axe1=annee&axe2=region",
    "sites": "/entonnoir",
    "department": "/profil?lieu=department:35",
    "month": "/questions/hospitalisations?periode=2019-01",
    **{q.slug: path for q in QUESTIONS if (path := f"/questions/{q.slug}") not in KINDS.values()},
}
Scheme = Literal["light", "dark"]
SCHEMES: Iterator[Scheme] = cycle(("light", "dark"))
# 1280 pixels at 400 % are 320 (WCAG 1.4.10).
PHONE, NARROWEST = 390, 320


@pytest.fixture
def page(desk: Page) -> Page:
    return desk


@pytest.mark.parametrize(("name", "scheme"), list(zip(SHOWN, SCHEMES, strict=False)))
def test_axe_finds_nothing_to_object_to_and_nothing_scrolls_sideways(name: str, scheme: Scheme, page: Page) -> None:
    """Pages with each kind of part, in one of the colour schemes; each page in both: `test_every_page`."""
    open_page(page, KINDS[name], scheme)


def open_page(page: Page, address: str, *schemes: Scheme) -> None:
    """Open a page once, and assert that axe accepts it in these schemes, and that narrow screens show its width."""
    page.emulate_media(color_scheme=schemes[0], reduced_motion="reduce")
    page.goto(address)
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        assert_accessible(page)
    for width in (PHONE, NARROWEST):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_axe_finds_nothing_to_object_to_on_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": PHONE, "height": 800})
    page.goto("/questions/hospitalisations")
    assert_accessible(page)


def test_the_keyboard_alone_goes_from_home_to_a_figure_of_ones_choice(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "contenu"
    for _ in range(20):
        page.keyboard.press("Tab")
        if "hospitalisations?" in str(page.evaluate("document.activeElement.href ?? ''")):
            break
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    with page.expect_navigation():
        page.keyboard.press("Enter")
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.name") == "periode":
            break
    before = page.url
    page.keyboard.press("ArrowDown")
    chosen = page.evaluate("document.activeElement.value")
    # Choosing alone changes nothing (WCAG 3.2.2): lists are walked through with arrows.
    assert page.url == before
    while page.evaluate("document.activeElement.textContent.trim()") != "Afficher":
        page.keyboard.press("Tab")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert f"periode={chosen}" in page.url and page.locator("h1").is_visible()


def test_the_story_is_told_with_arrows_and_in_full_screen(page: Page) -> None:
    page.goto("/recit")
    page.get_by_role("button", name="Plein écran").press("Enter")
    seen = page.locator(".step:visible")
    assert seen.count() == 1
    for number in range(2, len(SPEECH) + 1):
        page.keyboard.press("ArrowRight")
        assert page.evaluate("location.hash") == f"#etape-{number}"
        assert page.evaluate("document.activeElement.id") == f"titre-{number}"
    page.keyboard.press("ArrowRight")
    assert page.evaluate("location.hash") == f"#etape-{len(SPEECH)}"
    page.keyboard.press("Home")
    assert seen.get_attribute("id") == "etape-1"
    page.evaluate("document.exitFullscreen?.().catch(() => {})")
    page.keyboard.press("Escape")
    page.wait_for_function("!document.documentElement.classList.contains('presenting')")
    assert seen.count() == len(SPEECH)


def test_the_story_prints_a_page_a_step(page: Page) -> None:
    page.goto("/recit")
    printed = page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == len(SPEECH)


def test_without_script_all_of_it_is_there(browser: Browser, portal: Served) -> None:
    context = browser.new_context(base_url=portal.address, java_script_enabled=False)
    page = context.new_page()
    page.goto("/recit")
    assert page.locator(".step:visible").count() == len(SPEECH) and page.locator("svg.chart:visible").count() >= 4
    page.locator('#etape-1 a[rel="next"]').click()
    assert page.url.endswith("#etape-2")
    page.goto("/questions/deces-region")
    with page.expect_navigation():
        page.get_by_role("button", name="Afficher").click()
    assert "region=" in page.url and page.locator("svg.chart:visible").count() >= 2
    context.close()


def test_a_chart_keeps_the_size_of_its_text_on_a_phone(page: Page) -> None:
    page.goto("/questions/satisfaction-region")
    for width, kind in ((DESK["width"], "wide"), (PHONE, "narrow")):
        page.set_viewport_size({"width": width, "height": 800})
        shown = page.locator("svg.chart:visible")
        assert shown.count() > 0
        assert all(f"chart-{kind}" in (shown.nth(i).get_attribute("class") or "") for i in range(shown.count()))
        heights = page.evaluate(
            "[...document.querySelectorAll('svg.chart-' + '"
            + kind
            + "' + ' text')].map(t => t.getBoundingClientRect().height)"
        )
        assert min(heights) >= 9
