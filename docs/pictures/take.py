"""Take the pictures of README.md from a running `make run` of the demonstration pack.

    pip install playwright && python docs/pictures/take.py http://127.0.0.1:3000 /usr/bin/chromium

Needs a Chromium; nothing of the platform depends on this.
"""

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

FOLDER = Path(__file__).parent
PAGES = {
    "graph": "/asset-groups",
    "indicator": "/assets/kpis/kpi_deaths_by_region?view=overview",
    "partitions": "/assets/facts/fact_consultation?view=partitions",
    "checks": "/assets/dimensions/bridge_professional_establishment?view=checks",
}


def main(address: str, browser_path: str) -> None:
    """Write one PNG a page."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1500, "height": 900})
        for name, path in PAGES.items():
            page.goto(address + path)
            page.wait_for_timeout(9000)
            page.screenshot(path=FOLDER / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
