"""The copy without a server: complete in itself, and it tells what the portal tells."""

import os
import re
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import unquote

import pytest

from chu_platform.errors import ChuError
from chu_platform.kpis.kpi_satisfaction_by_region import kpi_satisfaction_by_region
from chu_platform.portal.addresses import MISSING
from chu_platform.portal.export import (
    OpeningViews,
    _page,
    _RecordedAddresses,
    _target,
    _Work,
    export,
    opening_views,
    start_addresses,
)
from chu_platform.portal.export_record import RECORD
from chu_platform.portal.reader import Reader
from chu_platform.portal.rendering import Renderer
from chu_platform.storage.lake import Lake
from chu_platform_tests.html import Element, parsed
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.portal.served import QUESTIONS, Served, full_catalogue
from chu_platform_tests.portal.test_reader import rewrite

pytestmark = pytest.mark.integration

NOW = datetime(2026, 3, 1)
# Opening views of a level: fewer than the lake has.
MOST = 3
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
    snapshot = portal.reader.snapshot
    export(snapshot, folder, NOW, START_HERE, opening_views(snapshot, MOST))
    return folder


@pytest.fixture(scope="module")
def pages(copy: Path) -> dict[Path, Element]:
    return {path: parsed(path.read_text(encoding="utf-8")) for path in sorted(copy.rglob("*.html"))}


def target_of(path: Path, address: str) -> Path:
    """The file that a link of a page leads to."""
    return (path.parent / unquote(address.partition("#")[0])).resolve()


def test_every_link_leads_to_a_file_of_the_copy(copy: Path, pages: dict[Path, Element]) -> None:
    assert len(pages) > 50
    ids = {path: page.ids for path, page in pages.items()}
    for path, page in pages.items():
        for element in page.all("[href], [src], [action]"):
            (address,) = (element.attributes[n] for n in ("href", "src", "action") if n in element.attributes)
            assert not re.match(r"/|[a-z]+:", address), f"{path.name}: {address}"
            fragment = address.partition("#")[2]
            target = path if address.startswith("#") else target_of(path, address)
            assert target.is_file() and target.is_relative_to(copy), f"{path.name}: {address}"
            if fragment and target in pages:
                assert fragment in ids[target], f"{path.name}: {address}"


def test_what_is_not_in_the_copy_looks_like_no_link(pages: dict[Path, Element]) -> None:
    absent = 0
    for path, page in pages.items():
        assert page.all("a:not([href])") == [], path.name
        remarks = [e.text for e in page.all("span.absent + small")]
        assert remarks == [f"({MISSING})"] * len(page.all("span.absent")), path.name
        assert page.all("a span.absent, span.absent a") == [], path.name
        absent += len(remarks)
    assert absent > 0


def test_a_region_leads_to_its_departments_in_the_copy(pages: dict[Path, Element], portal: Served) -> None:
    names = portal.reader.snapshot.rows(
        "SELECT DISTINCT label FROM kpi_consultation_rate_by_establishment WHERE level = 'department'"
    )
    departments = {" ".join(row["label"].split()) for row in names}
    led: set[str] = set()
    for path, page in pages.items():
        if path.parent.name == "consultations-etablissement" and path.name.startswith("region-"):
            for address in (a for part in page.all("section[aria-labelledby=titre-affiner]") for a in part.links):
                led.add(pages[target_of(path, address)].one("h1").text.partition(" : ")[0])
    assert led and led <= departments


def test_a_view_has_one_file_whichever_address_leads_to_it(pages: dict[Path, Element]) -> None:
    views = 0
    for path, page in pages.items():
        for link in page.all("#lien"):
            assert target_of(path, link.attributes["href"]) == path.resolve()
            views += 1
    assert views > 50


def test_the_copy_says_what_it_leaves_out(copy: Path, pages: dict[Path, Element], portal: Served) -> None:
    page = pages[copy / "index.html"].one("footer")
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
    assert len(everything.addresses) > len(opening_views(portal.reader.snapshot, MOST).addresses)


def test_the_copy_asks_for_no_server(copy: Path, pages: dict[Path, Element]) -> None:
    for path, page in pages.items():
        assert page.all("form, select, iframe, input, button[type=submit]") == [], path.name
    for style in (copy / "static").glob("*.css"):
        assert not re.search(r"url\(\"?(/|https?:)|@import", style.read_text())


def test_a_copy_starts_with_the_pages_and_the_questions(portal: Served) -> None:
    start = start_addresses(portal.reader.snapshot)
    first = {"/", "/recit", "/methode", "/qualite", "/registre", "/besoins", "/soutenance"}
    assert set(start) == first | {f"/questions/{q.slug}" for q in QUESTIONS}


def test_the_copy_tells_what_the_portal_tells(copy: Path, pages: dict[Path, Element], portal: Served) -> None:
    for address in START_HERE:
        page = pages[copy / f"{address.strip('/') or 'index'}.html"]
        assert page.one("h1").text == portal.page(address).one("h1").text, address
        shown = [e.text for e in portal.page(address).all("dd")]
        assert [e.text for e in page.all("dd")] == shown, address


def test_years_are_chosen_from_links(copy: Path, pages: dict[Path, Element]) -> None:
    path = copy / "questions/satisfaction-region.html"
    (periods,) = (d for d in pages[path].all("details") if d.one("summary").text == "Période")
    linked = {e.text[:4]: e.attributes["href"] for e in periods.all("a")}
    assert {"2017", "2019"} <= linked.keys()
    assert "en 2017," in pages[target_of(path, linked["2017"])].one("h1")


def test_a_copy_names_its_day(copy: Path, pages: dict[Path, Element]) -> None:
    assert "Copie du 1er mars 2026" in pages[copy / "index.html"].one("footer")


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a copy, without its record."""
    found = {f.relative_to(folder).as_posix(): f.read_bytes() for f in folder.rglob("*") if f.is_file()}
    del found[RECORD]
    return found


def test_a_copy_is_brought_up_to_date_with_little_work(made: Home, tmp_path: Path) -> None:
    """After changes, it is the copy that a new folder would get: nothing stale, nothing that is gone."""
    shutil.copytree(made.lake.root / "published", tmp_path / "lake" / "published")
    lake = Lake(tmp_path / "lake")
    reader = Reader(lake.root, full_catalogue())
    start = ("/", "/questions/satisfaction-region")
    copy, fresh = tmp_path / "copy", tmp_path / "fresh"
    few, fewer = opening_views(reader.snapshot, 2), opening_views(reader.snapshot, 1)

    def brought_up_to_date(day: datetime = NOW, opening: OpeningViews = few) -> int:
        """Export into the copy; returns how many files were made beside those of the start."""
        return export(reader.snapshot, copy, day, start, opening).made - len(start)

    whole = brought_up_to_date()
    before = contents(copy)
    assert whole == len([name for name in before if not name.startswith("static/")]) - len(start) > 20
    assert brought_up_to_date(NOW + timedelta(days=1)) == 0
    assert {name for name, content in contents(copy).items() if content != before[name]} == {
        "index.html",
        "questions/satisfaction-region.html",
    }
    pages = sorted((copy / "questions" / "satisfaction-region").glob("*.html"))
    pages[0].write_text("changed by hand")
    pages[1].unlink()
    assert brought_up_to_date() == 2
    assert contents(copy) == before
    # Another table, and fewer views: their files are gone, and pages that lead to them are others.
    rewrite(lake, kpi_satisfaction_by_region.masked, "answers", 1234)
    reader.refresh()
    assert len(pages) <= brought_up_to_date(opening=fewer) < whole
    export(reader.snapshot, fresh, NOW, start, fewer)
    assert contents(copy) == contents(fresh) != before
    assert set(contents(copy)) < set(before)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("chu_platform.portal.export_record.program", lambda: "another template")
        assert brought_up_to_date(opening=fewer) == len([n for n in contents(copy) if "static" not in n]) - len(start)


def test_an_export_that_is_killed_is_continued(portal: Served, tmp_path: Path) -> None:
    snapshot, start = portal.reader.snapshot, ("/questions/satisfaction-region",)
    lines: list[str] = []

    class Killed(Exception):
        pass

    def die(message: str) -> None:
        lines.append(message)
        if len(lines) == 10:
            raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("chu_platform.portal.export.INTERVAL_SECONDS", 0)
        with pytest.raises(Killed):
            export(snapshot, tmp_path / "copy", NOW, start, log_progress=die)
    assert re.fullmatch(r"\d+ pages and files, of which \d+ are to be made", lines[0])
    assert re.fullmatch(r"5 of \d+ made \(\d+%\), about \d+ s left", lines[4])
    done = export(snapshot, tmp_path / "copy", NOW, start)
    assert done.made == done.pages + done.files - 9
    export(snapshot, tmp_path / "whole", NOW, start)
    assert contents(tmp_path / "copy") == contents(tmp_path / "whole")


def test_several_processes_write_the_copy_that_one_writes(
    portal: Served, made: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chu_platform.portal.export.MIN_FILES_OF_PROCESS", 5)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    snapshot, start = portal.reader.snapshot, ("/questions/satisfaction-region",)
    monkeypatch.setattr(_Work, "write", None)  # of this process
    export(snapshot, tmp_path / "several", NOW, start, lake=made.lake.root)
    monkeypatch.undo()
    export(snapshot, tmp_path / "one", NOW, start)
    assert contents(tmp_path / "several") == contents(tmp_path / "one")


def test_pages_of_a_question_lead_to_no_view_of_another(copy: Path, pages: dict[Path, Element]) -> None:
    """Otherwise a change of the other question could leave a link that leads nowhere."""
    begins = {target_of(copy / "index.html", a) for a in pages[copy / "index.html"].links}
    begins |= {copy / "index.html", copy / "qualite.html", *copy.glob("questions/*.html")}
    for path, page in pages.items():
        if path.parent.parent.name == "questions":
            for address in page.links:
                target = target_of(path, address) if not address.startswith("#") else path
                assert target in begins or target.parent == path.parent, f"{path.name}: {address}"


def test_a_folder_that_holds_something_is_left_alone(portal: Served, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ChuError, match="nothing was written"):
        export(portal.reader.snapshot, tmp_path, NOW, START_HERE)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_of_a_lake_without_published_tables_there_is_no_copy(tmp_path: Path) -> None:
    done = Home(tmp_path / "home", tmp_path).chu("portal", "export", str(tmp_path / "copy"))
    assert done.returncode == 1
    assert "nothing is published" in done.stderr and done.stderr.count("\n") == 1
    assert not (tmp_path / "copy").exists()


def test_of_a_question_of_months_the_copy_has_those_that_its_page_names(portal: Served) -> None:
    """Each region in the month that the page opens with, and the known episodes; not all months of 45 years."""
    snapshot = portal.reader.snapshot
    target = _target(snapshot, "/questions/deces-mois")
    assert target
    offered = {}
    for monthly in ({"deces-mois"}, set[str]()):
        recorded = _RecordedAddresses(monthly)
        _page(Renderer(recorded), snapshot, target)
        offered[bool(monthly)] = [a for a in recorded.offered if a.startswith("/questions/deces-mois?")]
    months = {re.search(r"periode=([\d-]+)", a)[1] for a in offered[True]}  # type: ignore[index]
    assert {"2003-08", "2019-12"} <= months and len(months) == 4
    assert len({re.search(r"region=(\w+)", a)[1] for a in offered[True]}) == 19  # type: ignore[index]
    assert offered[False] == []
