"""Take the pictures of the portal, from a running one over the demonstration pack.

    python docs/pictures/portal.py http://127.0.0.1:3001 /usr/bin/chromium

Needs a Chromium and Playwright; nothing of the platform depends on this.
"""

import sys
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

FOLDER = Path(__file__).parent
DESK = {"width": 1280, "height": 1000}
PHONE = {"width": 390, "height": 844}
# A sheet of A4 across, at 96 pixels an inch, and its margin.
SHEET = {"width": 1123, "height": 794}
MARGIN = 46
# What shows each: address, window, dark or light, and whether the whole page.
PICTURES = {
    "portal_home": ("/", DESK, "light", True),
    "portal_question": ("/questions/hospitalisations", DESK, "light", False),
    "portal_map": ("/questions/mortalite#titre-carte", DESK, "light", False),
    "portal_dark": ("/questions/consultations-etablissement", DESK, "dark", False),
    "portal_phone": ("/questions/satisfaction-region", PHONE, "light", False),
}
# Steps of the story that are shown as they are printed.
PRINTED = (4, 9)


def main(address: str, browser_path: str) -> None:
    """Write one PNG a picture."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox", "--disable-gpu"])
        for name, (path, window, scheme, is_whole) in PICTURES.items():
            page = browser.new_page(base_url=address, viewport=window, color_scheme=scheme)
            page.goto(path)
            page.evaluate("document.fonts.ready")
            page.screenshot(path=FOLDER / f"{name}.png", full_page=is_whole)
            page.close()
            print(name)
        printed(browser, address)
        browser.close()


def printed(browser: Browser, address: str) -> None:
    """Steps of the story on paper."""
    page = browser.new_page(base_url=address, viewport=SHEET)
    page.goto("/recit")
    page.emulate_media(media="print")
    page.evaluate("document.fonts.ready")
    page.evaluate(f"document.body.style.padding = '{MARGIN}px'")
    for step in PRINTED:
        box = page.locator(f"#etape-{step}").bounding_box()
        assert box
        sheet = {"x": 0, "y": box["y"] - MARGIN, "width": SHEET["width"], "height": MARGIN + box["height"]}
        page.screenshot(path=FOLDER / f"portal_story_{step}.png", full_page=True, clip=sheet)
        print(f"portal_story_{step}")


if __name__ == "__main__":
    main(*sys.argv[1:])
