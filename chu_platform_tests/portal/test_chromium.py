"""A reader's way through the portal, in a real browser: without scripts, with the keyboard alone."""

import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from playwright.sync_api import Browser, Page, expect

from chu_platform.portal.defence import SPEECH
from chu_platform.portal.questions import Question
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.portal.chromium import needs_chromium
from chu_platform_tests.portal.served import BY_SLUG, Served
from chu_platform_tests.portal.test_pages import displayed

pytestmark = [pytest.mark.integration, needs_chromium]


@pytest.fixture
def page(browser: Browser, portal: Served) -> Iterator[Page]:
    """The home page, in a browser that runs no script; its console must stay silent."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(portal.address)
    yield page
    context.close()
    assert said == []


def published(made: Home, slug: str, where: dict[str, Any]) -> list[dict[str, Any]]:
    """The published rows of a question with some values."""
    name = BY_SLUG[slug].table.name
    table: pa.Table = DeltaTable(made.lake.root / "published" / "kpis" / name).to_pyarrow_table()
    every: list[dict[str, Any]] = table.to_pylist()
    return [row for row in every if all(row[c] == v for c, v in where.items())]


def visible(made: Home, slug: str, where: dict[str, Any]) -> dict[str, Any]:
    """A published row that is not masked."""
    value = BY_SLUG[slug].measures[0].value
    rows = [row for row in published(made, slug, where) if not row["is_masked"] and row[value] is not None]
    assert rows, f"nothing visible of {slug} with {where}"
    return rows[len(rows) // 2]


def only_row(made: Home, slug: str, where: dict[str, Any]) -> dict[str, Any]:
    """The one published row with some values."""
    (row,) = published(made, slug, where)
    return row


def period_columns(written: str, question: Question) -> dict[str, Any]:
    """The columns of a written year, or of the whole period."""
    if question.yearly:
        return {"year": int(written)}
    if written == "tout":
        return {"period_grain": "all"}
    return {"period_grain": "year", "period_start": date(int(written), 1, 1)}


def shows(page: Page, question: Question, row: dict[str, Any]) -> None:
    """The page shows the figure of the row, or that it is masked."""
    # A page of an establishment opens with its count.
    key = "nombre" if row.get("level") == "establishment" and question.number == 1 else None
    measure = question.measure(key)
    assert measure
    if row["is_masked"]:
        assert page.locator("#chiffre").inner_text() == "masqué"
        return
    shown = " ".join(page.locator("#chiffre").inner_text().split())
    assert shown.startswith(tuple(displayed(question, measure, row))), shown


# Of each question: the list to choose X in, and the columns that make its value.
LISTS: Mapping[str, tuple[str, Sequence[str], dict[str, Any]]] = {
    "consultations-etablissement": ("Lieu", ("level", "code"), {"period_grain": "all", "level": "department"}),
    "consultations-diagnostic": ("Diagnostic", ("level", "code"), {"period_grain": "all", "level": "chapter"}),
    "hospitalisations": ("Période", ("period_start",), {"period_grain": "year"}),
    "hospitalisations-diagnostic": ("Diagnostic", ("level", "code"), {"period_grain": "all", "level": "chapter"}),
    "hospitalisations-sexe-age": ("Âge", ("age_band",), {"period_grain": "all", "sex": "all"}),
    "consultations-professionnel": ("Profession et spécialité", ("profession", "speciality"), {"period_grain": "all"}),
    "deces-region": ("Région du décès", ("region_code",), {"year": 2019, "sex": "all", "age_band": "all"}),
    "satisfaction-region": ("Région", ("region_code",), {"year": 2020, "survey": "48h_mco"}),
}


# A year, a place, and a value of two columns.
@pytest.mark.parametrize("slug", ["hospitalisations", "deces-region", "consultations-professionnel"])
def test_a_question_is_answered_for_an_x_by_opening_choosing_and_showing(slug: str, made: Home, page: Page) -> None:
    """All questions: `test_every_page`."""
    answer(slug, made, page)


def answer(slug: str, made: Home, page: Page) -> None:
    """Three interactions; the page keeps its period where that is published for X, or says which it takes instead."""
    question = BY_SLUG[slug]
    label, columns, where = LISTS[slug]
    row = visible(made, slug, where)
    page.get_by_role("link", name=question.title).click()
    if slug == "hospitalisations":
        value = f"{row['period_start']:%Y}"
    else:
        value = question.parameters[0].separator.join(row[c] for c in columns)
    page.get_by_label(label, exact=True).select_option(value)
    page.get_by_role("button", name="Afficher").click()
    name = next((p.name for p in question.parameters if p.label == label), "periode")
    assert parse_qs(urlsplit(page.url).query)[name] == [value]
    expect(page.get_by_label(label, exact=True)).to_have_value(value)
    link = page.get_by_role("link", name="Lien permanent").get_attribute("href")
    shown = {**where, **period_columns(parse_qs(urlsplit(link or "").query)["periode"][0], question)}
    shows(page, question, only_row(made, slug, {**shown, **{c: row[c] for c in question.columns}}))


def test_an_establishment_is_found_by_opening_and_searching(made: Home, page: Page) -> None:
    question = BY_SLUG["consultations-etablissement"]
    row = visible(made, question.slug, {"level": "establishment"})
    page.get_by_role("link", name=question.title).click()
    page.get_by_label("Chercher un établissement").fill(row["code"][1:])
    page.get_by_label("Chercher un établissement").press("Enter")
    assert page.url.endswith(f"x=establishment%3A{row['code']}")
    shows(page, question, row)


def test_the_keyboard_alone_is_enough(made: Home, desk: Page) -> None:
    desk.goto("/")
    desk.keyboard.press("Tab")
    expect(desk.get_by_role("link", name="Aller au contenu")).to_be_focused()
    for _ in range(40):
        desk.keyboard.press("Tab")
        if "combien de décès" in desk.evaluate("document.activeElement.textContent").lower():
            break
    desk.keyboard.press("Enter")
    expect(desk.get_by_role("heading", level=1)).to_contain_text("en 2019")
    for _ in range(40):
        desk.keyboard.press("Tab")
        if desk.evaluate("document.activeElement.id") == "field-region":
            break
    # Choosing changes nothing yet: keys pass over other regions before they reach this one.
    desk.keyboard.type("Bret")
    for _ in range(4):
        desk.keyboard.press("Tab")
    desk.keyboard.press("Enter")
    expect(desk.get_by_role("heading", level=1)).to_contain_text("Bretagne")


# The height of the page, the end of the shown step, and the sizes of its prose and of the text of its charts.
SIZES_OF_STEP = """() => ({
    page: document.documentElement.scrollHeight,
    end: document.querySelector(".step.current .steps").getBoundingClientRect().bottom,
    prose: parseFloat(getComputedStyle(document.documentElement).fontSize),
    texts: [...document.querySelectorAll(".step.current svg.chart")].filter(c => c.checkVisibility())
        .map(c => 13 * c.getScreenCTM().a)
})"""


def test_a_chart_is_taken_along_as_png(desk: Page) -> None:
    desk.goto("/questions/deces-region")
    with desk.expect_download() as download:
        desk.get_by_role("button", name="PNG : Évolution").click()
    assert re.fullmatch(r"deces-region-[a-z0-9-]+-(taux|deces)-2019-evolution\.png", download.value.suggested_filename)
    assert Path(download.value.path()).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_no_page_is_wider_than_the_screen(desk: Page) -> None:
    """320 pixels is what 1280 become at 400 %."""
    for path in ("/", "/questions/consultations-professionnel", "/questions/satisfaction-region", "/methode"):
        desk.goto(path)
        for width in (1280, 390, 320):
            desk.set_viewport_size({"width": width, "height": 800})
            assert desk.evaluate("document.documentElement.scrollWidth") <= width, (path, width)


def test_each_step_of_the_story_fits_the_screen(desk: Page) -> None:
    """On a small screen and on a large one."""
    desk.goto("/recit")
    # The class alone: a browser without a screen may refuse the full one.
    desk.evaluate("document.querySelector('[data-story=present]').click()")
    steps = desk.locator(".step").count()
    assert steps == len(SPEECH)
    charts = 0
    for number in range(1, steps + 1):
        expect(desk.locator(f"#etape-{number}")).to_be_visible()
        for width, height in ((1280, 720), (1920, 1080)):
            desk.set_viewport_size({"width": width, "height": height})
            found = desk.evaluate(SIZES_OF_STEP)
            assert found["page"] <= height and found["end"] <= height, (number, width)
            charts += len(found["texts"])
            assert all(text >= 0.7 * found["prose"] for text in found["texts"]), (number, width)
        desk.keyboard.press("ArrowRight")
    assert charts == 2 * 5


# Of each region of a map, the colour of its ring without the keyboard and with it.
RINGS = """regions => regions.map(region => {
    const ring = () => getComputedStyle(region.querySelector(".tile-focus")).stroke;
    const without = ring();
    region.focus();
    const found = [without, ring()];
    region.blur();
    return found;
})"""


def test_the_region_that_has_the_keyboard_is_told_from_the_chosen_one(desk: Page) -> None:
    """Of all regions the colour of the ring, of one that it is seen."""
    desk.goto("/questions/deces-region?region=53")
    # Rings are shown to readers who use the keyboard.
    desk.keyboard.press("Tab")
    regions = desk.locator("svg.chart:visible a")
    chosen = desk.locator("svg.chart:visible .tile-chosen")
    assert chosen.count() == 1
    edge = chosen.evaluate("e => getComputedStyle(e).stroke")
    rings = regions.evaluate_all(RINGS)
    assert len(rings) > 12
    for without, ring in rings:
        assert without == "none" != ring != edge
    without = regions.first.screenshot()
    regions.first.focus()
    assert regions.first.screenshot() != without


# A course, a map of tiles, and points of places.
@pytest.mark.parametrize("slug", ["hospitalisations", "deces-region", "satisfaction-region"])
def test_a_chart_stands_above_the_fold(slug: str, desk: Page) -> None:
    """All questions: `test_every_page`."""
    see_chart(slug, desk)


def see_chart(slug: str, desk: Page) -> None:
    """At 1440 x 900, with its legend; on a phone, the chart and the lists come before facts that are repeated."""
    desk.set_viewport_size({"width": 1440, "height": 900})
    desk.goto(f"/questions/{slug}")
    chart = desk.locator("section[aria-labelledby=titre-evolution] svg.chart:visible").bounding_box()
    assert chart and chart["y"] + chart["height"] <= 900, chart
    desk.set_viewport_size({"width": 390, "height": 844})
    chart, lists, facts = (
        desk.locator(f"{part} >> visible=true").first.bounding_box()
        for part in ("svg.chart", ".choose form", "dl.stats")
    )
    assert chart and lists and facts and chart["y"] < 844 and lists["y"] < facts["y"] and chart["y"] < facts["y"]


# Pages with a chart that are no question. A place that is small stands in a funnel where its words may meet an axis.
CHARTED = (
    "/entonnoir?sujet=mortalite-regions&lieu=region:04",
    "/entonnoir?sujet=recommandation-sites",
    "/profil?lieu=region:04&avec=region:11,region:53,region:84",
    "/registre",
    "/controle/hospitalisations",
)
# Where the words of a screen end, and the first chart: on a phone what a chart says is said again after it.
FIRST_CHART = """() => {
    const box = part => [...document.querySelectorAll(part)].find(e => e.checkVisibility())?.getBoundingClientRect();
    const chart = box("main svg.chart"), again = box("main .findings");
    return {top: chart.top, bottom: chart.bottom, again: again ? again.top : Infinity};
}"""


@pytest.mark.parametrize("path", CHARTED)
def test_the_chart_of_a_page_stands_above_the_fold(path: str, desk: Page) -> None:
    desk.set_viewport_size({"width": 1440, "height": 900})
    desk.goto(path)
    assert desk.evaluate(FIRST_CHART)["bottom"] <= 900
    desk.set_viewport_size({"width": 390, "height": 844})
    found = desk.evaluate(FIRST_CHART)
    assert found["top"] <= 600 and found["top"] < found["again"], found


@pytest.mark.parametrize("slug", ["deces-region", "satisfaction-region"])
def test_the_chart_of_la_reunion_stands_above_the_fold(slug: str, desk: Page) -> None:
    desk.set_viewport_size({"width": 1440, "height": 900})
    desk.goto(f"/questions/{slug}?region=04")
    assert desk.evaluate(FIRST_CHART)["bottom"] <= 900


# Of elements, how many lines of text each has.
LINES = (
    "found => found.map(e => Math.round(e.getBoundingClientRect().height / parseFloat(getComputedStyle(e).lineHeight)))"
)


def test_a_card_of_home_is_a_line_of_finding_and_the_state_of_the_data_a_line(desk: Page) -> None:
    desk.set_viewport_size({"width": 1440, "height": 900})
    desk.goto("/")
    findings = desk.locator(".card .finding")
    assert findings.count() == len(BY_SLUG)
    assert set(findings.evaluate_all(LINES)) == {1}
    assert desk.locator("p.state").evaluate_all(LINES) == [1]
    # The first findings need no scrolling.
    assert sum(found["y"] + found["height"] <= 900 for f in findings.all() if (found := f.bounding_box())) >= 4
    # A finding has its figure.
    assert all(re.search(r"\d", text) for text in desk.locator(".card .finding strong").all_inner_texts())


def test_the_menu_and_its_search_are_one_line(desk: Page) -> None:
    desk.set_viewport_size({"width": 1440, "height": 900})
    desk.goto("/methode")
    parts = [desk.locator(f".masthead {part}").bounding_box() for part in (".brand", "nav", "form")]
    assert all(parts)
    assert len({round((part["y"] + part["height"] / 2) / 10) for part in parts if part}) == 1, parts


def test_suggestions_come_while_typing_and_the_keyboard_reaches_them(desk: Page) -> None:
    for path, field in (("/", "#chercher-accueil"), ("/methode", "#chercher-menu")):
        desk.goto(path)
        desk.locator(field).press_sequentially("bretagen")
        desk.locator(".suggestions a:visible").first.wait_for()
        assert "Bretagne" in desk.locator(".suggestions:visible").inner_text()
        desk.keyboard.press("ArrowDown")
        assert desk.evaluate("document.activeElement.closest('.suggestions') !== null")
        desk.keyboard.press("Escape")
        expect(desk.locator(".suggestions:visible")).to_have_count(0)
        expect(desk.locator(field)).to_be_focused()
        desk.keyboard.press("Enter")
        expect(desk.get_by_role("heading", level=1)).to_contain_text("Résultats pour")


def test_a_search_needs_no_script(page: Page) -> None:
    field = page.get_by_role("searchbox", name="Chercher un établissement, un lieu, un diagnostic ou une question")
    field.fill("finistere")
    field.press("Enter")
    page.locator("main ul.results a").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Finistère")


def test_a_reader_keeps_the_keys_that_turn_a_page(desk: Page) -> None:
    desk.set_viewport_size({"width": 1280, "height": 600})
    desk.goto("/recit")
    prevented = (
        "new Promise(r => addEventListener('keydown', e => setTimeout(() => r(e.defaultPrevented)), {once: true}))"
    )
    for key, taken in (("PageDown", False), ("PageUp", False), ("ArrowRight", True)):
        waiting = desk.evaluate_handle(f"() => {{ window.told = {prevented}; }}")
        desk.keyboard.press(key)
        assert desk.evaluate("window.told") is taken, key
        waiting.dispose()
    desk.evaluate("document.querySelector('[data-story=present]').click()")
    desk.keyboard.press("PageDown")
    assert desk.evaluate("location.hash") != "#etape-1"


# CSS pixels of the printed area: 16:9 in the story, upright elsewhere, without margins.
@pytest.mark.parametrize(("path", "width"), [("/recit", 1174), ("/questions/deces-region", 688), ("/", 688)])
def test_no_text_on_paper_is_smaller_than_eight_points(path: str, width: int, desk: Page) -> None:
    desk.set_viewport_size({"width": width, "height": 900})
    desk.goto(path)
    desk.emulate_media(media="print")
    sizes = desk.evaluate(
        """() => [...document.querySelectorAll("main *")].filter(e => e.checkVisibility() && [...e.childNodes].some(
            n => n.nodeType === 3 && n.data.trim()) && !e.closest("title, desc, .hidden")).map(e => {
            const scale = e.ownerSVGElement ? e.getScreenCTM().a : 1;
            return [parseFloat(getComputedStyle(e).fontSize) * scale * 0.75, e.textContent.trim().slice(0, 40)];
        })"""
    )
    assert sizes and min(sizes)[0] >= 8, min(sizes)


@pytest.mark.parametrize("path", ["/", "/questions/deces-region", "/profil?lieu=region:04"])
def test_no_printed_page_is_a_rest_of_some_lines(path: str, desk: Page) -> None:
    """All pages: `test_every_page`."""
    print_page(path, desk)


# What is printed wider than the page, or lower than its own box ends: other words are printed over it.
OUTSIDE = """() => {
    const edge = document.querySelector("main").getBoundingClientRect().right + 1;
    const wide = [...document.querySelectorAll("main table, main svg.chart")].filter(e => e.checkVisibility()
        && e.getBoundingClientRect().right > edge);
    const tall = [...document.querySelectorAll("main .scroll")].filter(e => e.checkVisibility()
        && e.scrollHeight > e.clientHeight + 1);
    return [...wide, ...tall].map(e => e.textContent.trim().slice(0, 60));
}"""


@pytest.mark.parametrize("path", [CHARTED[2], "/questions/deces-region", "/methode", "/qualite"])
def test_nothing_is_printed_outside_the_page_or_over_other_words(path: str, desk: Page) -> None:
    desk.set_viewport_size({"width": 688, "height": 900})
    desk.goto(path)
    desk.emulate_media(media="print")
    assert desk.evaluate(OUTSIDE) == []


def test_each_step_of_the_story_fits_its_printed_page(desk: Page) -> None:
    desk.set_viewport_size({"width": 1174, "height": 720})
    desk.goto("/recit")
    desk.emulate_media(media="print")
    beyond = desk.evaluate(
        """() => [...document.querySelectorAll(".step")].map(s =>
            Math.max(...[...s.querySelectorAll("*")].filter(e => e.checkVisibility()).map(
                e => e.getBoundingClientRect().bottom)) - s.getBoundingClientRect().bottom)"""
    )
    assert len(beyond) == len(SPEECH) and max(beyond) <= 1, beyond


def print_page(path: str, desk: Page) -> None:
    """Assert that each printed page of a page of the portal has more than some lines."""
    desk.goto(path)
    lines = lines_by_page(desk.pdf(prefer_css_page_size=True))
    assert lines and min(lines) > 4, lines


def lines_by_page(pdf: bytes) -> list[int]:
    """The number of lines of text of each page: of different heights at which text begins, in its content."""
    objects = dict(re.findall(rb"\n(\d+) 0 obj(.*?)endobj", pdf, flags=re.DOTALL))
    found = []
    for content in objects.values():
        if not re.search(rb"/Type\s*/Page\b", content):
            continue
        (number,) = re.findall(rb"/Contents (\d+) 0 R", content)
        stream = re.search(rb"stream\r?\n(.*?)endstream", objects[number], flags=re.DOTALL)
        assert stream
        text = zlib.decompressobj().decompress(stream[1]).decode("latin-1")
        heights = re.findall(r"(-?[\d.]+) Tm\b", text)
        found.append(len({round(float(height)) for height in heights}))
    return found
