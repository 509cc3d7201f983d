"""Take the pictures of the docs, by clicking, from a running `make run` of the demonstration pack.

    pip install playwright && python docs/pictures/take.py http://127.0.0.1:3000 /usr/bin/chromium [PICTURE ...]

It clicks what a person would: it backfills the deaths of 2016 to 2020, and waits for that. README.md beside it says
what two of the pictures need before. Needs a Chromium; nothing of the platform depends on this.
"""

import re
import sys
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Locator, Page, sync_playwright

FOLDER = Path(__file__).parent
WIDTH = 1400
# Pages go on drawing for a while after what is waited for is there.
SETTLE_MS = 8_000
RUN_MS = 600_000


def go(page: Page, path: str, until: str) -> None:
    """Open a page of the UI and wait until it shows a text."""
    page.goto(path)
    page.get_by_text(until).first.wait_for()
    page.wait_for_timeout(SETTLE_MS)


def button(page: Page, name: str) -> Locator:
    """The first button of that name."""
    return page.get_by_role("button", name=name).first


def again(page: Page) -> None:
    """Load the page again, so that the graph fits into the window."""
    page.reload()
    page.get_by_text("Materialize all").first.wait_for()
    page.wait_for_timeout(2 * SETTLE_MS)


def graph(page: Page) -> None:
    """The groups of the graph, with all the room they can have."""
    go(page, "/asset-groups", "Materialize all")
    page.get_by_text("Hide navigation").click()
    # The button that hides the list of groups has no name.
    page.locator("button[class*=Button_filled]").filter(has_not_text=re.compile(r"\S")).first.click()
    page.wait_for_timeout(SETTLE_MS)
    again(page)


def graph_expanded(page: Page) -> None:
    """The same graph with the tables of one group."""
    go(page, "/asset-groups", "Materialize all")
    page.get_by_text("kpis", exact=True).last.click()
    page.wait_for_timeout(SETTLE_MS)
    size = page.viewport_size
    assert size
    page.mouse.click(WIDTH - 28, size["height"] - 148)  # the button that zooms out has no name
    page.wait_for_timeout(SETTLE_MS)


def timeline(page: Page) -> None:
    """The runs of the main job, and others, on the timeline."""
    go(page, "/overview/activity/timeline", "main_job_by_month")
    page.get_by_text("1hr", exact=True).click()
    page.wait_for_timeout(SETTLE_MS)


def failed_run(page: Page) -> None:
    """The last failed run of the main job, after two clicks: Runs, Failed."""
    go(page, "/", "Overview")
    page.get_by_role("link", name="Runs").first.click()
    page.get_by_text("Failed", exact=True).first.click()
    page.get_by_text("Failure", exact=True).first.wait_for()
    page.wait_for_timeout(SETTLE_MS)


def indicator(page: Page) -> None:
    """An indicator."""
    go(page, "/assets/kpis/kpi_deaths_by_region?view=overview", "non-nullable")


def partitions(page: Page) -> None:
    """A month of a fact table."""
    go(page, "/assets/facts/fact_consultation?view=partitions&partition=2019-03", "dagster/partition_row_count")


def checks(page: Page) -> None:
    """The groups of checks of a table, and what the checks of one measured."""
    go(page, "/assets/dimensions/bridge_professional_establishment?view=checks", "Plots")
    page.get_by_text("no_value_or_row_is_missing", exact=True).first.click()
    page.wait_for_timeout(SETTLE_MS)


def backfill(page: Page) -> None:
    """The dialog of a backfill, as it is launched."""
    go(page, "/asset-groups", "Materialize all")
    page.locator(".CodeMirror").first.click()
    page.keyboard.type('key:"sources/deces" or key:"facts/fact_death"')
    page.wait_for_timeout(SETTLE_MS)
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    page.wait_for_timeout(SETTLE_MS)
    button(page, "Materialize all").click()
    button(page, "Confirm").click()
    years = page.get_by_placeholder("ex: ")
    years.fill("[2016...2020]")
    years.press("Enter")
    page.get_by_text("5 partitions").wait_for()


def backfill_result(page: Page) -> None:
    """The backfill that was in the dialog, once it is done."""
    button(page, "Launch backfill").click()
    said = page.get_by_text("Created backfill").first
    said.wait_for()
    name = re.split(r"\s+", said.inner_text().strip())[-1]
    go(page, f"/runs/b/{name}", "Partitions target")
    page.get_by_text("Succeeded", exact=True).first.wait_for(timeout=RUN_MS)
    page.get_by_text("100% completed").nth(2).wait_for(timeout=RUN_MS)
    page.wait_for_timeout(SETTLE_MS)


def automation(page: Page) -> None:
    """Schedules and sensors, and which of them run."""
    go(page, "/automation", "follow_upstream")


def maintenance(page: Page) -> None:
    """What the maintenance of the tables of a layer found and did."""
    go(page, "/assets/maintenance/dimensions?view=overview", "files_before")
    page.get_by_text("Description", exact=True).first.click()  # folded, so that there is room for the rest


def check_report(page: Page) -> None:
    """The report of all checks: how many, over how many tables, how many failed."""
    go(page, "/assets/reports/check_result?view=overview", "preview")
    for folded in ("Status", "Columns"):
        page.get_by_text(folded, exact=True).first.click()
    page.get_by_placeholder("Filter metadata keys").fill("preview")
    page.wait_for_timeout(SETTLE_MS)


def lineage_link(page: Page) -> None:
    """The metadata of an indicator, with the addresses of its documents."""
    go(page, "/assets/published/kpi_deaths_by_region?view=overview", "non-nullable")
    page.get_by_text("lineage_page").first.scroll_into_view_if_needed()
    page.wait_for_timeout(SETTLE_MS)


def lineage(page: Page) -> None:
    """Where that leads to."""
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="/documents/tables/published/").first.click()
    address = opened.value.url
    opened.value.close()
    go(page, address, "Colonnes livrées")


# What shows each, and its height in pixels.
PICTURES: dict[str, tuple[Callable[[Page], None], int]] = {
    "graph": (graph, 700),
    "graph_expanded": (graph_expanded, 1000),
    "timeline": (timeline, 420),
    "failed_run": (failed_run, 420),
    "indicator": (indicator, 850),
    "partitions": (partitions, 750),
    "checks": (checks, 850),
    "backfill": (backfill, 700),
    "backfill_result": (backfill_result, 460),
    "automation": (automation, 500),
    "maintenance": (maintenance, 900),
    "check_report": (check_report, 840),
    "lineage_link": (lineage_link, 800),
    "lineage": (lineage, 1150),
}


def main(address: str, browser_path: str, *names: str) -> None:
    """Write one PNG for each picture, or for those of these names."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(base_url=address, viewport={"width": WIDTH, "height": 700})
        page.set_default_timeout(180_000)
        for name in names or PICTURES:
            show, height = PICTURES[name]
            page.set_viewport_size({"width": WIDTH, "height": height})
            show(page)
            page.screenshot(path=FOLDER / f"{name}.png")
            print(name)
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
