"""The copy without a server: complete in itself, and it tells what the portal tells."""

import re
from collections.abc import Iterator
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from chu_platform.errors import ChuError
from chu_platform.portal.app import make_app
from chu_platform.portal.export import export
from chu_platform.portal.questions import QUESTIONS
from chu_platform_tests.portal.served import Served

NOW = datetime(2026, 3, 1)


@pytest.fixture(scope="module")
def copy(portal: Served, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("copy") / "portail"
    export(make_app(portal.reader), folder, NOW)
    return folder


class Links(HTMLParser):
    """The addresses a page names, and the ids it has."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.ids: set[str] = set()
        self.tags: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name in ("href", "src", "action") and value:
                self.addresses.append(value)
            if name == "id" and value:
                self.ids.add(value)


def pages(copy: Path) -> Iterator[tuple[Path, Links]]:
    for path in sorted(copy.rglob("*.html")):
        yield path, Links(path.read_text(encoding="utf-8"))


def test_every_link_leads_to_a_file_of_the_copy(copy: Path) -> None:
    known = {path: links for path, links in pages(copy)}
    assert len(known) > 50
    for path, links in known.items():
        for address in links.addresses:
            assert not re.match(r"/|[a-z]+:", address), f"{path.name}: {address}"
            file, _, fragment = address.partition("#")
            target = (path.parent / unquote(file)).resolve() if file else path
            assert target.is_file() and target.is_relative_to(copy), f"{path.name}: {address}"
            if fragment and target in known:
                assert fragment in known[target].ids, f"{path.name}: {address}"


def test_the_copy_asks_for_no_server(copy: Path) -> None:
    for path, links in pages(copy):
        assert not links.tags & {"form", "select", "iframe"}, path.name
    for style in (copy / "static").glob("*.css"):
        assert not re.search(r"url\(\"?(/|https?:)|@import", style.read_text())


def test_home_story_and_the_eight_questions_tell_what_the_portal_tells(copy: Path, portal: Served) -> None:
    for address, file in [
        ("/", "index.html"),
        ("/recit", "recit.html"),
        *((f"/questions/{q.slug}", f"questions/{q.slug}.html") for q in QUESTIONS),
    ]:
        page = (copy / file).read_text(encoding="utf-8").replace("\u202f", " ").replace("\u00a0", " ")
        title = re.compile(r"<h1.*?</h1>", re.DOTALL)
        assert title.findall(page) == title.findall(portal.page(address)), address


def test_years_are_chosen_from_links(copy: Path) -> None:
    page = (copy / "questions/deces-region.html").read_text(encoding="utf-8")
    chosen = re.search(r"<summary>Période</summary>(.*?)</details>", page, re.DOTALL)
    assert chosen
    linked = dict(re.findall(r'<a href="([^"]+)"[^>]*>(\d{4})', chosen[1]))
    assert {"2018", "2019"} <= set(linked.values())
    address = next(a for a, text in linked.items() if text == "2018")
    assert "2018" in (copy / "questions" / address).read_text(encoding="utf-8")


def test_a_copy_names_its_day(copy: Path) -> None:
    assert "Copie du 1er mars 2026" in (copy / "index.html").read_text(encoding="utf-8")


def test_a_folder_that_holds_something_is_left_alone(portal: Served, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ChuError, match="nothing was written"):
        export(make_app(portal.reader), tmp_path, NOW)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]
