"""The pages of exact figures in Chromium: axe-core, phone width, and a way by the form of the page."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from chu_platform.kpis.kpi_consultation_rate_by_professional import EXACT
from chu_platform.tables.access_policy import Profile, Purpose
from chu_platform_tests.exact_figures.conftest import QUESTION, Own
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.pipeline.lake_rows import rows as lake_rows
from chu_platform_tests.portal.chromium import CHROMIUM, assert_accessible, needs_chromium

pytestmark = [pytest.mark.integration, needs_chromium]

PHONE, NARROWEST = 390, 320


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser, own: Own) -> Iterator[Page]:
    """A page of the head of both sites."""
    with opened(browser, own, own.sign_in("ines", Profile.HEAD, Purpose.STEERING, own.sites.a, own.sites.b)) as found:
        yield found


@contextmanager
def opened(browser: Browser, own: Own, token: str) -> Iterator[Page]:
    """A page with a session."""
    address = f"http://127.0.0.1:{own.port}"
    context = browser.new_context(base_url=address, reduced_motion="reduce")
    context.add_cookies([{"name": "chu_session", "value": token, "url": address}])
    yield context.new_page()
    context.close()


def test_a_head_goes_from_the_portal_to_a_month_of_their_site(page: Page, own: Own) -> None:
    page.goto("/")
    page.get_by_role("link", name="Mon établissement", exact=True).click()
    assert page.locator("h2").count() == 2
    assert_looks(page)
    page.locator(f'a[href*="{own.sites.a}"]').first.click()
    assert page.url.startswith(f"http://127.0.0.1:{own.port}{QUESTION}")
    assert_looks(page)
    month = f"{own.sites.of(own.sites.a, 'month')[-1]['period_start']:%Y-%m}"
    page.select_option("#field-periode", month)
    with page.expect_navigation():
        page.get_by_role("button", name="Afficher").click()
    assert QUESTION in page.url and f"periode={month}" in page.url
    assert page.locator("#chiffre").is_visible()
    # A region is a page of the portal, where everybody sees the same.
    page.locator("#field-x").select_option(index=1)
    with page.expect_navigation():
        page.get_by_role("button", name="Afficher").click()
    assert "/mon-etablissement" not in page.url and page.locator("#chiffre").is_visible()


def test_the_own_counts_of_a_practitioner(browser: Browser, own: Own, made: Home) -> None:
    rows = lake_rows(made.lake, EXACT).to_pylist()
    most = max((r for r in rows if r["period_grain"] == "all"), key=lambda r: (r["events"], r["professional_key"]))
    token = own.sign_in("sam", Profile.PRACTITIONER, Purpose.CARE_QUALITY, professional=most["professional_key"])
    with opened(browser, own, token) as page:
        page.goto("/")
        page.get_by_role("link", name="Mon établissement", exact=True).click()
        assert page.url.endswith("/mon-activite") and page.locator("h1").count() == 1
        assert_looks(page)


def assert_looks(page: Page) -> None:
    """Axe accepts the page in both colour schemes, and narrow screens show its width."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert_accessible(page)
    for width in (PHONE, NARROWEST):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.set_viewport_size({"width": 1280, "height": 800})


def test_a_head_counts_consultations_between_two_days(page: Page) -> None:
    page.goto("/mon-etablissement")
    page.get_by_role("link", name="Croiser les chiffres exacts").click()
    page.get_by_role("link", name="Voir le tableau").or_(page.locator("#field-axe1")).first.wait_for()
    while page.locator("#field-axe1").count() == 0:
        page.reload()
    page.select_option("#field-axe1", "mois")
    page.locator("#field-du").fill("2018-03-15")
    page.locator("#field-au").fill("2019-06-20")
    with page.expect_navigation():
        page.get_by_role("button", name="Afficher").click()
    while page.locator("table").count() == 0:
        page.reload()
    assert "du=2018-03-15" in page.url and page.locator("svg.chart").count() > 0
    assert_looks(page)
