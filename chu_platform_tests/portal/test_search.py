"""An establishment or a diagnosis is found by what a reader knows of it."""

from typing import Any

import duckdb
import pytest
from deltalake import DeltaTable

from chu_platform_tests.html import parsed
from chu_platform_tests.pipeline.home import Home
from chu_platform_tests.portal.served import Served

pytestmark = pytest.mark.integration


def rows(made: Home, table: str, sql: str) -> list[dict[str, Any]]:
    with duckdb.connect() as connection:
        connection.register("found", DeltaTable(made.lake.root / "published" / "kpis" / table).to_pyarrow_table())
        listed: list[dict[str, Any]] = connection.sql(sql).to_arrow_table().to_pylist()
        return listed


@pytest.fixture(scope="module")
def establishment(made: Home) -> dict[str, Any]:
    """One with a FINESS number, whose name no other has."""
    sql = """
        SELECT * FROM found WHERE finess IS NOT NULL AND commune_label IS NOT NULL
        QUALIFY count(*) OVER (PARTITION BY establishment_label) = 1 ORDER BY finess LIMIT 1
    """
    return rows(made, "published_establishment", sql)[0]


def test_a_finess_number_leads_straight_to_its_establishment(establishment: dict[str, Any], portal: Served) -> None:
    answer = portal.get(f"/recherche/etablissements?q={establishment['finess']}")
    assert answer.status == 303
    assert answer.headers["location"].endswith(f"x=establishment%3AF{establishment['finess']}")
    assert establishment["establishment_label"] in portal.page(answer.headers["location"])


@pytest.mark.parametrize("known_by", ["establishment_label", "commune_label", "department_label"])
def test_an_establishment_is_found_by_its_name_and_its_place(
    known_by: str, establishment: dict[str, Any], portal: Served
) -> None:
    words = f"{establishment[known_by].lower()} {establishment['finess'][:5]}"
    answer = portal.get(
        f"/recherche/etablissements?q={words.replace(' ', '+')}".replace("’", "%E2%80%99")
        .encode()
        .decode("ascii", "ignore")
    )
    found = [answer.headers.get("location", ""), *parsed(answer.text).links]
    assert any(link.endswith(f"x=establishment%3AF{establishment['finess']}") for link in found)


def test_a_diagnosis_is_found_by_code_with_or_without_dot_and_by_words_without_accents(
    made: Home, portal: Served
) -> None:
    sql = "SELECT * FROM found WHERE level = 'leaf' AND length(code) = 4 AND length(label) > 20 ORDER BY code LIMIT 1"
    leaf = rows(made, "published_diagnosis", sql)[0]
    dotted = f"{leaf['code'][:3]}.{leaf['code'][3:]}".lower()
    for words in (leaf["code"], dotted):
        answer = portal.get(f"/recherche/diagnostics?q={words}")
        assert any(
            link.endswith(f"x=leaf%3A{leaf['code']}")
            for link in [answer.headers.get("location", ""), *parsed(answer.text).links]
        )
    chapter = portal.page("/recherche/diagnostics?q=systeme+nerveux")
    assert "Maladies du système nerveux" in chapter


def test_a_search_of_stays_finds_what_has_stays_only(made: Home, portal: Served) -> None:
    stays = rows(
        made, "kpi_hospitalisation_rate_by_diagnosis", "SELECT DISTINCT code FROM found WHERE level = 'chapter'"
    )
    page = portal.page("/recherche/diagnostics?question=hospitalisations-diagnostic")
    address = "/questions/hospitalisations-diagnostic?x=chapter%3A"
    listed = [link.removeprefix(address) for link in page.one("main").links if link.startswith(address)]
    assert sorted(listed) == sorted(r["code"] for r in stays)


def test_nothing_found_is_said(portal: Served) -> None:
    assert "Aucun établissement des indicateurs publiés ne correspond" in portal.page(
        "/recherche/etablissements?q=zzzzqq"
    )


def test_a_place_leads_to_what_lies_in_it(portal: Served) -> None:
    page = portal.page("/questions/consultations-etablissement?x=region:53&periode=tout")
    inside = page.one("section[aria-labelledby=titre-affiner]")
    assert any(e.own_text == "Finistère" for e in inside.all("a"))


def test_practices_are_published_without_a_name(made: Home) -> None:
    found = rows(made, "published_establishment", "SELECT * FROM found WHERE establishment_key NOT LIKE 'F%'")
    assert all(r["establishment_label"].startswith("Structure de soins") and r["finess"] is None for r in found)


def test_what_is_searched_is_exactly_what_is_published(made: Home) -> None:
    keys = {r["establishment_key"] for r in rows(made, "published_establishment", "SELECT * FROM found")}
    sql = "SELECT DISTINCT code FROM found WHERE level = 'establishment'"
    assert keys == {r["code"] for r in rows(made, "kpi_consultation_rate_by_establishment", sql)}
    codes = {(r["level"], r["code"]) for r in rows(made, "published_diagnosis", "SELECT * FROM found")}
    expected: set[tuple[str, str]] = set()
    for table in ("kpi_consultation_rate_by_diagnosis", "kpi_hospitalisation_rate_by_diagnosis"):
        expected |= {(r["level"], r["code"]) for r in rows(made, table, "SELECT DISTINCT level, code FROM found")}
    assert codes == expected
