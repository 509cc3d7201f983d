"""Pages are kept until what they show changes, and no longer."""

import gzip
import http.client
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from chu_platform.kpis.kpi_satisfaction_by_region import kpi_satisfaction_by_region
from chu_platform.portal.export import opening_views
from chu_platform.portal.inputs import SHARED
from chu_platform.portal.kept_pages import Asked, KeptPage, KeptPages
from chu_platform.portal.reader import Snapshot
from chu_platform.portal.rendering import Renderer
from chu_platform.storage.lake import Lake
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.portal.served import QUESTIONS, Served, serving
from chu_platform_tests.portal.test_reader import rewrite

DEATHS, SATISFACTION = "/questions/deces-region", "/questions/satisfaction-region"


@pytest.mark.integration
def test_a_page_is_made_again_only_after_what_it_shows_has_changed(
    made: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(made.lake.root / "published", tmp_path / "published")
    rendered = []

    def counted(render: Callable[..., str]) -> Callable[..., str]:
        def question(self: Renderer, snapshot: Snapshot, view: Any) -> str:
            rendered.append(view.question.slug)
            return render(self, snapshot, view)

        return question

    monkeypatch.setattr(Renderer, "question", counted(Renderer.question))
    with serving(tmp_path) as portal:
        before = {path: portal.get(path).text for path in (DEATHS, SATISFACTION)}
        assert {path: portal.get(path).text for path in before} == before
        assert sorted(rendered) == ["deces-region", "satisfaction-region"]
        rendered.clear()
        rewrite(Lake(tmp_path), kpi_satisfaction_by_region.masked, "answers", 1234)
        portal.reader.refresh()
        assert "1 234" in portal.get(SATISFACTION).text
        assert portal.get(DEATHS).text == before[DEATHS]
        assert rendered == ["satisfaction-region"]
        assert "version 1 du" in portal.get(SATISFACTION).text


@pytest.mark.integration
def test_a_new_snapshot_is_served_with_pages_that_are_made_already(made: Home, tmp_path: Path) -> None:
    shutil.copytree(made.lake.root / "published", tmp_path / "published")
    with serving(tmp_path) as portal:
        view = f"{SATISFACTION}?periode=2019"
        assert portal.get(view).status == 200
        portal.reader.prepare_with(portal.pages.prepare)
        rewrite(Lake(tmp_path), kpi_satisfaction_by_region.masked, "answers", 1234)
        portal.reader.refresh()
        asked = [Asked("home"), Asked("story"), *(Asked("question", q.slug) for q in QUESTIONS)]
        for one in [*asked, Asked("question", "satisfaction-region", "periode=2019")]:
            assert portal.pages.kept(one), one
        assert "1 234" in portal.get(view).text


@pytest.mark.integration
def test_pages_of_questions_read_only_tables_whose_change_is_noticed(
    portal: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a page would stay as it was. Results of checks are noticed by the reliability that is made of them."""
    snapshot = portal.reader.snapshot
    read: set[str] = set()
    rows, table = Snapshot.rows, Snapshot.table

    def recorded(ask: Callable[..., Any]) -> Callable[..., Any]:
        def asked(self: Snapshot, sql: str, *parameters: Any) -> Any:
            if not sql.strip().startswith("CREATE"):
                read.update(re.findall(r"(?:FROM|JOIN)\s+\"?(\w+)", sql))
            return ask(self, sql, *parameters)

        return asked

    monkeypatch.setattr(Snapshot, "rows", recorded(rows))
    monkeypatch.setattr(Snapshot, "table", recorded(table))
    # Made of the tables of indicators of places and diagnoses, and of shared ones.
    searched = {"found_establishment", "found_department", "found_diagnosis"}
    # The page of a question, and one of each level of places and diagnoses.
    views = [urlsplit(a) for a in opening_views(snapshot, 1).addresses]
    for values in (snapshot._values, snapshot._kept):
        for key in [k for k in values if k != "search"]:
            del values[key]
    for question in QUESTIONS:
        read.clear()
        for query in ("", *(v.query for v in views if v.path.endswith(f"/{question.slug}"))):
            portal.pages.page(Asked("question", question.slug, query))
            portal.pages._kept = KeptPages()
        foreign = read - {question.table.name, "check_result", *SHARED, *searched}
        assert not foreign, question.slug
        assert question.table.name in read


@pytest.mark.integration
def test_a_kept_page_is_sent_as_its_reader_can_read_it(portal: Served) -> None:
    whole = portal.get(DEATHS)
    packed = portal.get(DEATHS, **{"Accept-Encoding": "gzip"})
    assert (whole.headers.get("content-encoding"), packed.headers["content-encoding"]) == (None, "gzip")
    assert gzip.decompress(packed.body) == whole.body
    assert whole.headers["etag"] == packed.headers["etag"]
    assert "accept-encoding" in packed.headers["vary"].lower() and "content-security-policy" in packed.headers
    again = portal.get(DEATHS, **{"If-None-Match": whole.headers["etag"]})
    assert (again.status, again.body) == (http.client.NOT_MODIFIED, b"")


@pytest.mark.unit
def test_pages_that_nobody_asked_for_longest_are_dropped() -> None:
    pages = [KeptPage("", bytes(100)) for _ in range(4)]
    kept = KeptPages(300)
    for number in range(3):
        kept.put(Asked(str(number)), "a", pages[number])
    assert kept.get(Asked("0"), "a") is pages[0]
    kept.put(Asked("3"), "a", pages[3])
    assert [kept.get(Asked(str(n)), "a") for n in range(4)] == [pages[0], None, pages[2], pages[3]]
    assert kept.get(Asked("3"), "b") is None
    kept.put(Asked("3"), "b", pages[1])
    assert (kept.get(Asked("3"), "b"), kept.get(Asked("3"), "a")) == (pages[1], pages[3])
    assert [a.kind for a in kept.last_asked(2)] == ["3", "2"]
