"""One portal over the lake that all tests share, and a browser for its pages."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.portal.chromium import CHROMIUM
from chu_platform_tests.portal.served import Served, serving

DESK = {"width": 1280, "height": 800}


@pytest.fixture(scope="session")
def portal(made: Home) -> Iterator[Served]:
    with serving(made.lake.root) as served:
        yield served


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for the tests of a file. Of all files it would leave an event loop to tests that start their own."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def context(browser: Browser, portal: Served) -> BrowserContext:
    """One for all pages of a file: fonts and styles are loaded once."""
    return browser.new_context(base_url=portal.address)


@pytest.fixture(scope="module")
def tab(context: BrowserContext) -> Page:
    """One for the pages of a file: to open one takes longer than to load a page."""
    return context.new_page()


@pytest.fixture
def desk(tab: Page) -> Page:
    """An empty page of the size of a screen."""
    tab.goto("about:blank")
    tab.emulate_media(media="null", color_scheme="null", reduced_motion="null")
    tab.set_viewport_size({"width": DESK["width"], "height": DESK["height"]})
    return tab
