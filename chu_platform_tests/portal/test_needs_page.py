"""The page of the register of needs."""

import pytest

from chu_platform_tests.portal.served import Served

pytestmark = pytest.mark.integration


def test_each_need_has_its_answer(portal: Served) -> None:
    [link] = [a for a in portal.page("/").all("footer a") if "besoins" in a.text]
    page = portal.page(link.attributes["href"])
    rows = page.all("tbody tr")
    assert [row.one("th").text for row in rows[:2]] == ["B1", "B2"] and len(rows) == 22
    assert all(bool(row.all("td a")) != ("Pas de réponse :" in row) for row in rows)
    answers = {a.attributes["href"] for row in rows for a in row.all("td a")}
    assert answers == {f"/questions/{question.slug}" for question in portal.reader.snapshot.questions}
