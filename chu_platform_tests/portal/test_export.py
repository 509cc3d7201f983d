"""The copy without a server: complete in itself, and it tells what the portal tells."""

import re
from datetime import datetime
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pytest

from chu_platform.errors import ChuError
from chu_platform.portal.addresses import MISSING
from chu_platform.portal.export import START, export, opening_views
from chu_platform.portal.questions import QUESTIONS
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.portal.served import Served

NOW = datetime(2026, 3, 1)
# Enough of the portal to see every kind of page and link.
START_HERE = (
    "/",
    "/recit",
    "/methode",
    "/questions/hospitalisations",
    "/questions/satisfaction-region",
    "/questions/consultations-etablissement",
)


@pytest.fixture(scope="module")
def copy(portal: Served, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("copy") / "portail"
    export(portal.reader.snapshot, folder, NOW, START_HERE, opening_views(portal.reader.snapshot, 30))
    return folder


def pages(copy: Path) -> dict[Path, str]:
    return {path: path.read_text(encoding="utf-8") for path in sorted(copy.rglob("*.html"))}


def test_every_link_leads_to_a_file_of_the_copy(copy: Path) -> None:
    known = pages(copy)
    assert len(known) > 50
    ids = {path: set(re.findall(r' id="([^"]+)"', text)) for path, text in known.items()}
    for path, text in known.items():
        for address in map(unescape, re.findall(r' (?:href|src|action)="([^"]+)"', text)):
            assert not re.match(r"/|[a-z]+:", address), f"{path.name}: {address}"
            file, _, fragment = address.partition("#")
            target = (path.parent / unquote(file)).resolve() if file else path
            assert target.is_file() and target.is_relative_to(copy), f"{path.name}: {address}"
            if fragment and target in known:
                assert fragment in ids[target], f"{path.name}: {address}"


def test_what_is_not_in_the_copy_looks_like_no_link(copy: Path) -> None:
    said = 0
    for path, text in pages(copy).items():
        assert not re.search(r"<a(?![^>]* href=)[^>]*>", text), path.name
        assert 'class="absent"' not in text or MISSING in text
        said += text.count(f"({MISSING})")
    assert said


def test_a_region_leads_to_its_departments_in_the_copy(copy: Path, portal: Served) -> None:
    known = pages(copy)
    table = portal.reader.snapshot.rows(
        "SELECT DISTINCT code FROM kpi_consultation_rate_by_establishment WHERE level = 'department' AND NOT is_masked "
        "ORDER BY code LIMIT 30"
    )
    assert table
    led = 0
    for path, text in known.items():
        below = re.search(r'id="titre-affiner">.*?</section>', text, re.DOTALL)
        for address in re.findall(r'<a href="([^"]+)"', below[0]) if below else ():
            target = (path.parent / unquote(unescape(address))).resolve()
            led += "Département" in known[target] or "département" in known[target]
    assert led


def test_a_view_has_one_file_whichever_address_leads_to_it(copy: Path) -> None:
    views = 0
    for path, text in pages(copy).items():
        for address in re.findall(r'<a id="lien" href="([^"]+)"', text):
            assert (path.parent / unquote(unescape(address))).resolve() == path.resolve()
            views += 1
    assert views > 50


def test_the_copy_says_what_it_leaves_out(copy: Path, portal: Served) -> None:
    page = (copy / "index.html").read_text(encoding="utf-8").replace("\u00a0", " ").replace("\u202f", " ")
    for left_out in (
        "trimestres",
        "recherche",
        "autres mesures",
        "sans aucun chiffre visible",
        "PNG",
        "de moindre effectif",
    ):
        assert left_out in page
    everything = opening_views(portal.reader.snapshot)
    assert everything.left_out == 0
    assert len(everything.addresses) > len(opening_views(portal.reader.snapshot, 30).addresses)


def test_the_copy_asks_for_no_server(copy: Path) -> None:
    for path, text in pages(copy).items():
        assert not re.search(r"<(form|select|iframe|input|button type=.submit)", text), path.name
    for style in (copy / "static").glob("*.css"):
        assert not re.search(r"url\(\"?(/|https?:)|@import", style.read_text())


def test_a_copy_begins_with_home_story_method_and_the_eight_questions() -> None:
    assert set(START) == {"/", "/recit", "/methode", *(f"/questions/{q.slug}" for q in QUESTIONS)}


def test_the_copy_tells_what_the_portal_tells(copy: Path, portal: Served) -> None:
    for address in START_HERE:
        file = f"{address.strip('/') or 'index'}.html"
        page = (copy / file).read_text(encoding="utf-8").replace("\u202f", " ").replace("\u00a0", " ")
        title = re.compile(r"<h1.*?</h1>", re.DOTALL)
        assert title.findall(page) == title.findall(portal.page(address)), address


def test_years_are_chosen_from_links(copy: Path) -> None:
    page = (copy / "questions/satisfaction-region.html").read_text(encoding="utf-8")
    chosen = re.search(r"<summary>Période</summary>(.*?)</details>", page, re.DOTALL)
    assert chosen
    linked = dict(re.findall(r'<a href="([^"]+)"[^>]*>(\d{4})', chosen[1]))
    assert {"2017", "2019"} <= set(linked.values())
    address = next(a for a, text in linked.items() if text == "2017")
    assert "en 2017," in (copy / "questions" / address).read_text(encoding="utf-8")


def test_a_copy_names_its_day(copy: Path) -> None:
    assert "Copie du 1er mars 2026" in (copy / "index.html").read_text(encoding="utf-8")


def test_a_folder_that_holds_something_is_left_alone(portal: Served, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ChuError, match="nothing was written"):
        export(portal.reader.snapshot, tmp_path, NOW)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_of_a_lake_without_published_tables_there_is_no_copy(tmp_path: Path) -> None:
    done = Home(tmp_path / "home", tmp_path).chu("portal", "export", str(tmp_path / "copy"))
    assert done.returncode == 1
    assert "nothing is published" in done.stderr and done.stderr.count("\n") == 1
    assert not (tmp_path / "copy").exists()
