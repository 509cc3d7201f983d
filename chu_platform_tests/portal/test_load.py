"""`chu portal load` measures a running portal."""

import pytest

from chu_platform.errors import ChuError
from chu_platform.portal.load import lines, load
from chu_platform.portal.questions import QUESTIONS
from chu_platform_tests.portal.served import Served

pytestmark = pytest.mark.integration


def test_a_load_run_measures_every_kind_of_page(portal: Served) -> None:
    said: list[str] = []
    found = load(portal.address, 4, 3.0, said.append)
    assert {q.slug for q in QUESTIONS} | {"accueil", "methode"} <= found.pages.keys()
    assert sum(page.failures for page in found.pages.values()) == 0
    text = "\n".join(lines(found))
    assert "p95" in text and "first page" in text
    assert found.first_bytes < 1_000_000
    assert all(size < 1_000_000 for page in found.pages.values() for size in page.sizes)


def test_a_portal_that_does_not_answer_is_said_in_one_line() -> None:
    with pytest.raises(ChuError, match=r"does not answer .* start it with `chu serve`"):
        load("http://127.0.0.1:9", 1, 1, print)
