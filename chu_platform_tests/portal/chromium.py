"""The browser of the tests of pages. They are skipped where it is missing."""

import os
import shutil
from typing import Any, Final

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

CHROMIUM: Final = os.environ.get("CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")

WCAG: Final[dict[str, Any]] = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}


def assert_accessible(page: Page) -> None:
    """Assert that axe-core finds nothing to object to in the page as it is now."""
    found = Axe().run(page, options=WCAG)
    assert found.violations_count == 0, found.generate_report()
